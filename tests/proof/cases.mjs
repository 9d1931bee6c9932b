// The cases of number 2: with which credential somebody asks for a device, and what they are to be told. The texts are V2's
// (wire.md, section 5), the statuses and challenges RFC 6750's, the gRPC codes V2's.

const NO_RIGHT = (appId) => `permission denied: No "devices" rights to Application "${appId}"`
const UNREADABLE = 'permission denied: unable to parse token: '

/** The value of `WWW-Authenticate` with this text. */
const challenge = (error, text) => `Bearer error="${error}", error_description="${text.replaceAll('"', "'")}"`

const denied = (appId) => ({
  code: 'AUTH_PERMISSION_DENIED', status: 403, grpc: 7, message: NO_RIGHT(appId), challenge: challenge('insufficient_scope', NO_RIGHT(appId)),
})
const refused = (code, grpc, message) => ({ code, status: 401, grpc, message, challenge: challenge('invalid_token', message) })

/**
 * @param {object} network  a sandbox that is told what to do
 * @returns {Promise<{name: string, kind?: 'token' | 'key', secret?: string, appId?: string, expect: object}[]>}
 *   `expect` is empty where the device is to be answered; `foreign` is a case that our own client does not send
 */
export async function cases(network) {
  const tell = (command, ...args) => network.child.ask('call', command, ...args)
  const token = (options) => tell('mintToken', { subject: 'caller', ...options })
  const key = (appId, rights) => tell('addAccessKey', appId, rights)
  const { appId } = network
  const [invalidKey, other] = ['invalid access key', 'other-app']
  return [
    { name: 'token, right present', kind: 'token', secret: await token(), expect: {} },
    { name: 'key, right present', kind: 'key', secret: await key(appId, ['devices']), expect: {} },
    { name: 'token, right absent', kind: 'token', secret: await token({ kind: 'nodevices' }), expect: denied(appId) },
    { name: 'key, right absent', kind: 'key', secret: await key(appId, ['settings', 'messages:up:r']), expect: denied(appId) },
    { name: 'token, scope absent', kind: 'token', secret: await token({ kind: 'noscope' }), expect: denied(appId) },
    { name: 'token of another application', kind: 'token', secret: await token({ kind: 'otherapp' }), expect: denied(appId) },
    { name: 'key of another application', kind: 'key', secret: await key(other, ['devices']), expect: refused('AUTH_INVALID_KEY', 2, invalidKey) },
    { name: 'token for another application', kind: 'token', secret: await token(), appId: other, expect: denied(other) },
    { name: 'key for another application', kind: 'key', secret: network.accessKey, appId: other, expect: refused('AUTH_INVALID_KEY', 2, invalidKey) },
    { name: 'token expired', kind: 'token', secret: await token({ expiresIn: -3600 }), expect: expired() },
    { name: 'token not yet valid', kind: 'token', secret: await token({ kind: 'future' }), expect: refused('AUTH_TOKEN_NOT_YET_VALID', 7, `${UNREADABLE}token is not valid yet`) },
    { name: 'token of a stranger', kind: 'token', secret: await token({ kind: 'badsig' }), expect: refused('AUTH_INVALID_TOKEN', 7, `${UNREADABLE}crypto/ecdsa: verification error`) },
    { name: 'token of another issuer', kind: 'token', secret: await token({ kind: 'wrongissuer' }), expect: refused('AUTH_UNKNOWN_ISSUER', 7, `${UNREADABLE}Auth server nobody not registered`) },
    { name: 'key of another issuer', kind: 'key', secret: 'nobody.key', expect: refused('AUTH_UNKNOWN_ISSUER', 2, 'Auth server "nobody" not registered') },
    { name: 'key that is wrong', kind: 'key', secret: 'ttn-account-v2.wrong', expect: refused('AUTH_INVALID_KEY', 2, invalidKey) },
    {
      name: 'none',
      expect: {
        code: 'AUTH_MISSING_CREDENTIALS', status: 401, grpc: 3, message: 'Metadata not valid: neither token nor key present',
        challenge: 'Bearer realm="The Things Network"',
      },
    },
    {
      name: 'token, an id that is none', kind: 'token', secret: await token(), appId: 'Not-Valid', foreign: true,
      expect: { status: 400, grpc: 3, message: /AppID not valid: has wrong format/ },
    },
  ]
}

/** A second may pass before it is asked. */
function expired() {
  const text = `${UNREADABLE}token is expired by 1h0m`
  return {
    code: 'AUTH_TOKEN_EXPIRED', status: 401, grpc: 7, message: new RegExp(`^${text}\\d+s$`),
    challenge: new RegExp(`^Bearer error="invalid_token", error_description="${text}\\d+s"$`),
  }
}
