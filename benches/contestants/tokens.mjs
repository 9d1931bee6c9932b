// What the contestants that verify tokens share: tokens as the network's account server issues them, and a round.
import { createPrivateKey, createPublicKey, sign } from 'node:crypto'

export const ISSUER = 'ttn-account-v2'

/** How many verifications there are between two looks at the clock. */
const STRIDE = 32

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** So many tokens that differ, of one user, valid for an hour. */
function mint(key, count) {
  const head = encode({ alg: 'ES256', typ: 'JWT' })
  const rights = ['settings', 'delete', 'collaborators', 'devices', 'messages:up:r', 'messages:up:w', 'messages:down:w']
  const iat = Math.floor(Date.now() / 1000) - 5
  return Array.from({ length: count }, (_, n) => {
    const claims = {
      iss: ISSUER, sub: '5c0d2a6e', iat, exp: iat + 3600, jti: `${n}`, scope: ['apps:test-app'], type: 'user', apps: { 'test-app': rights },
    }
    const text = `${head}.${encode(claims)}`
    return `Bearer ${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  })
}

/**
 * A contestant, of what makes a verifier of the public key. It takes a header's value, `Bearer` and a token, and gives its claims, or a promise of them.
 * @param {(pem: string) => {verify: (header: string) => any, issuerOf: (claims: any) => string}} make
 */
export function verifier({ key, count }, make) {
  const secret = createPrivateKey(key)
  const tokens = mint(secret, count)
  const { verify, issuerOf } = make(createPublicKey(secret).export({ type: 'spki', format: 'pem' }))
  let next = 0
  /** The one that was not seen for longest, or always the same one. */
  const cold = () => tokens[(next = (next + 1) % tokens.length)]
  const seen = () => tokens[0]
  const check = (claims) => {
    if (issuerOf(claims) !== ISSUER) throw new Error('other claims')
  }

  async function run({ ms, inflight, kind }) {
    const token = kind === 'cold' ? cold : seen
    const end = performance.now() + ms
    let calls = 0
    const time = () => calls % STRIDE !== 0 || performance.now() < end
    const waiting = async () => {
      while (time()) {
        calls += 1
        check(await verify(token()))
      }
    }
    const started = performance.now()
    const cpu = process.cpuUsage()
    if (verify(token()) instanceof Promise) await Promise.all(Array.from({ length: inflight }, waiting))
    else for (; time(); calls += 1) check(verify(token()))
    const { user, system } = process.cpuUsage(cpu)
    return { calls, seconds: (performance.now() - started) / 1000, cpu: (user + system) / 1e6 }
  }
  return { run }
}
