// The same cause gives the same code over both transports, although a V2 server answers every HTTP error with 500.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Credentials, Sandbox } from '../../node/index.js'
import { SCHEMES, connect, rejects, withSandbox } from './support.mjs'

const sandbox = withSandbox()
const DEVICE = { app_id: 'test-app', dev_id: 'dev-1' }
const token = (options) => Credentials.bearerToken(sandbox().mintToken(options))
const key = (text) => Credentials.accessKey(text)
const read = (client) => client.getDevice(DEVICE)

/** Cause, code, gRPC code, credentials, and the call if it is not the reading of a device. */
const CASES = [
  ['no credential', 'AUTH_MISSING_CREDENTIALS', 3, () => undefined],
  ['expired', 'AUTH_TOKEN_EXPIRED', 7, () => token({ kind: 'expired' })],
  ['expired a while ago', 'AUTH_TOKEN_EXPIRED', 7, () => token({ expiresIn: -5 })],
  ['not yet valid', 'AUTH_TOKEN_NOT_YET_VALID', 7, () => token({ kind: 'future' })],
  ['bad signature', 'AUTH_INVALID_TOKEN', 7, () => token({ kind: 'badsig' })],
  ['changed after signing', 'AUTH_INVALID_TOKEN', 7, () => token({ kind: 'tampered' })],
  ['another algorithm', 'AUTH_INVALID_TOKEN', 7, () => token({ kind: 'wrongalg' })],
  ['unsigned', 'AUTH_INVALID_TOKEN', 7, () => token({ kind: 'none' })],
  ['signed with the public key as a password', 'AUTH_INVALID_TOKEN', 7, () => token({ kind: 'hs256' })],
  ['not a JWT', 'AUTH_INVALID_TOKEN', 7, () => Credentials.bearerToken('hunter2hunter2')],
  ['issuer of a token not known', 'AUTH_UNKNOWN_ISSUER', 7, () => token({ kind: 'wrongissuer' })],
  ['issuer of a key not known', 'AUTH_UNKNOWN_ISSUER', 2, () => key('nobody.hunter2hunter2')],
  ['wrong key', 'AUTH_INVALID_KEY', 2, () => key('ttn-account-v2.hunter2hunter2')],
  ['key of another application', 'AUTH_INVALID_KEY', 2, () => key('ttn-account-v2.full-other-app')],
  ['right missing in a token', 'AUTH_PERMISSION_DENIED', 7, () => token({ kind: 'nodevices' })],
  ['right missing in a key', 'AUTH_PERMISSION_DENIED', 7, () => key('ttn-account-v2.nodev-test-app')],
  ['scope missing', 'AUTH_PERMISSION_DENIED', 7, () => token({ kind: 'noscope' })],
  ['token of another application', 'AUTH_PERMISSION_DENIED', 7, () => token({ kind: 'otherapp' })],
  ['rights given by hand', 'AUTH_PERMISSION_DENIED', 7, () => token({ rights: ['settings'] })],
  ['no such device', 'AUTH_NOT_FOUND', 5, () => token(), (client) => client.getDevice({ ...DEVICE, dev_id: 'no-such-device' })],
  ['no such application', 'AUTH_NOT_FOUND', 5, () => token({ appId: 'ghost-app' }), (client) => client.getDevices({ app_id: 'ghost-app' })],
  ['application exists', 'AUTH_ALREADY_EXISTS', 6, () => token(), (client) => client.registerApplication({ app_id: 'test-app' })],
]

for (const [cause, code, grpcCode, credentials, call = read] of CASES) {
  test(`${cause}: ${code} over every transport`, async () => {
    const given = credentials()
    const secret = given ? Object.values(given.metadata())[0] : undefined
    const messages = new Set()
    for (const scheme of SCHEMES) {
      const client = connect(sandbox(), scheme, { credentials: given })
      await rejects(call(client), code, {
        secret,
        check(error) {
          assert.equal(error.transient, false)
          if (client.transport === 'grpc') assert.deepEqual([error.grpcCode, error.httpStatus], [grpcCode, undefined])
          else assert.deepEqual([error.grpcCode, error.httpStatus], [undefined, 500])
          messages.add(error.message.replace(/by [\d.hms]+$/, ''))
        },
      })
      client.close()
    }
    assert.equal(messages.size, 1, [...messages].join('\n'))
  })
}

test('an id that is not valid never leaves this side', async () => {
  for (const scheme of SCHEMES) {
    // Nothing listens there: a call that left would be AUTH_UNAVAILABLE.
    const client = connect(sandbox(), scheme, { address: `${scheme}://localhost:1` })
    for (const id of ['', '..', 'A', 'a/b', 'x'.repeat(40)]) {
      await rejects(client.getDevice({ app_id: 'test-app', dev_id: id }), 'AUTH_INVALID_ARGUMENT')
      await rejects(client.getDevices({ app_id: id }), 'AUTH_INVALID_ARGUMENT')
    }
    client.close()
  }
})

test('the rate limit, over every transport', async () => {
  const limited = await Sandbox.start({ rateLimit: 2 })
  for (const scheme of SCHEMES) {
    const credentials = Credentials.bearerToken(limited.mintToken())
    const client = connect(limited, scheme, { credentials, retry: false })
    const all = await Promise.allSettled(Array.from({ length: 12 }, () => read(client)))
    const refused = all.filter(({ status }) => status === 'rejected')
    assert.ok(refused.length >= 6, `${refused.length} of 12 refused`)
    for (const { reason } of refused) {
      assert.equal(reason.code, 'AUTH_RATE_LIMITED', reason.message)
      assert.equal(reason.transient, true)
    }
    client.close()
  }
  await limited.stop()
})

test('an access key while the account server is away', async () => {
  const own = await Sandbox.start({ rateLimit: false })
  own.stopAccountServer()
  for (const scheme of SCHEMES) {
    await rejects(read(connect(own, scheme)), 'AUTH_EXCHANGE_UNAVAILABLE', { check: ({ transient }) => assert.equal(transient, true) })
  }
  await own.stop()
})

test('TLS: a certificate that nobody vouched for, and a server that speaks none', async () => {
  for (const scheme of ['grpcs', 'https']) {
    await rejects(read(connect(sandbox(), scheme, { ca: undefined })), 'AUTH_TLS')
    const other = await Sandbox.start()
    await rejects(read(connect(sandbox(), scheme, { ca: other.ca })), 'AUTH_TLS')
    await other.stop()
    const plain = sandbox()[`${scheme.slice(0, 4)}Address`].replace('://127.0.0.1', 's://localhost')
    await rejects(read(connect(sandbox(), scheme, { address: plain, timeout: 2000 })), 'AUTH_PROTOCOL')
  }
})

test('the wrong transport for a port is told apart from a bad credential', async () => {
  const grpcAtHttp = connect(sandbox(), 'grpc', { address: sandbox().httpAddress.replace('http:', 'grpc:'), timeout: 2000 })
  await assert.rejects(read(grpcAtHttp), ({ code }) => ['AUTH_PROTOCOL', 'AUTH_UNAVAILABLE'].includes(code))
  const httpAtGrpc = connect(sandbox(), 'http', { address: sandbox().grpcAddress.replace('grpc:', 'http:'), timeout: 2000 })
  await assert.rejects(read(httpAtGrpc), ({ code }) => ['AUTH_PROTOCOL', 'AUTH_UNAVAILABLE'].includes(code))
})
