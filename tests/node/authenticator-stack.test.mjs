// Authenticator with callers of The Things Stack: who gets in, how the others are told, and that nothing is remembered in
// JavaScript.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { test } from 'node:test'

import { Metadata } from '@grpc/grpc-js'

import { Authenticator, Client, Credentials } from '../../node/index.js'
import { rejects, withSandbox } from './support.mjs'

const sandbox = withSandbox()
const APP1 = { appId: 'app1' }

/** One that asks over gRPC, and one over HTTP. */
const both = () => [sandbox().stack.grpcAddress, sandbox().stack.httpAddress].map((address) => new Authenticator({ stack: { address } }))

/** What a caller with this credential presents, either way. */
function ways(key) {
  const bearer = `Bearer ${sandbox().stack.key(key)}`
  const metadata = new Metadata()
  metadata.set('authorization', bearer)
  return [
    [{ authorization: bearer }, {}],
    [new Headers({ authorization: bearer }), {}],
    [{ authorization: bearer }, { carrier: 'metadata' }],
    [metadata, { carrier: 'metadata' }],
  ]
}

test('a key has the rights that the server says it has, by the names of either network', async () => {
  for (const authenticator of both()) {
    for (const [form, carrier] of ways('app1_all')) {
      const claims = await authenticator.authenticate(form, { ...carrier, ...APP1, right: 'devices' })
      assert.deepEqual([claims.kind, claims.issuer, claims.subject, claims.type], ['api-key', 'the-things-stack', 'app1', 'api-key'])
      assert.ok(authenticator.allows(claims, 'app1', 'RIGHT_APPLICATION_DEVICES_READ_KEYS'))
      assert.ok(!authenticator.allows(claims, 'app2', 'RIGHT_APPLICATION_INFO'))
    }
    for (const [form, carrier] of ways('app1_read_only')) {
      await authenticator.authenticate(form, { ...carrier, ...APP1, right: 'RIGHT_APPLICATION_DEVICES_READ' })
      await rejects(authenticator.authenticate(form, { ...carrier, ...APP1, right: 'devices' }), 'AUTH_PERMISSION_DENIED')
      await rejects(authenticator.authenticate(form, { ...carrier, appId: 'app2', right: 'RIGHT_APPLICATION_INFO' }), 'AUTH_PERMISSION_DENIED')
    }
    for (const [form, carrier] of ways('oauth_access')) {
      const claims = await authenticator.authenticate(form, { ...carrier, ...APP1, right: 'settings' })
      assert.deepEqual([claims.kind, claims.username], ['bearer-token', 'alice'])
    }
  }
})

test('a refusal has its answer, and no secret', async () => {
  const [authenticator] = both()
  for (const [key, code, text] of [
    ['app1_expired', 'AUTH_KEY_EXPIRED', /api_key_expired/],
    ['app1_wrong_secret', 'AUTH_INVALID_KEY', /invalid_authorization/],
    ['oauth_access_expired', 'AUTH_TOKEN_EXPIRED', /token_expired/],
  ]) {
    const secret = sandbox().stack.key(key)
    const check = (error) => {
      assert.match(error.message, text)
      assert.deepEqual([error.answer.status, error.answer.grpcCode], [401, 16])
    }
    await rejects(authenticator.authenticate({ authorization: `Bearer ${secret}` }, APP1), code, { secret, check })
  }
})

test('what the server takes back is not let in by what was remembered here', async () => {
  const [authenticator] = both()
  const key = sandbox().stack.addApiKey({ application: 'app1', rights: ['RIGHT_APPLICATION_INFO'] })
  const headers = { authorization: `Bearer ${key}` }
  for (let n = 0; n < 5; n++) await authenticator.authenticate(headers, { ...APP1, right: 'RIGHT_APPLICATION_INFO' })
  sandbox().stack.revoke(key)
  // Rust believes what it was told for a while; JavaScript has nothing to believe.
  await authenticator.reload()
  await rejects(authenticator.authenticate(headers, { ...APP1, right: 'RIGHT_APPLICATION_INFO' }), 'AUTH_INVALID_KEY')
})

test('without an answer nobody gets in', async () => {
  const authenticator = new Authenticator({ stack: { address: 'http://127.0.0.1:1' } })
  const check = ({ answer }) => assert.deepEqual([answer.status, answer.grpcCode], [503, 14])
  await rejects(authenticator.authenticate({ authorization: 'Bearer NNSXS.A.B' }), 'AUTH_EXCHANGE_UNAVAILABLE', { check })
})

test('a guarded server lets such callers in, and its handlers do not see their keys', async () => {
  const authenticator = new Authenticator({
    authServers: { 'ttn-account-v2': sandbox().accountServer },
    stack: { address: sandbox().stack.httpsAddress, ca: sandbox().ca },
  })
  const guard = authenticator.express({ appId: 'app1', right: 'RIGHT_APPLICATION_DEVICES_READ' })
  const server = createServer((req, res) =>
    guard(req, res, () => res.end(JSON.stringify({ caller: req.auth.subject, seen: req.headers.authorization })))
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = `http://127.0.0.1:${server.address().port}`
  const call = async (key) => {
    const client = new Client({ address, credentials: Credentials.parse(sandbox().stack.key(key)), retry: false })
    try {
      return JSON.parse((await client.request({ path: '/' })).body)
    } finally {
      client.close()
    }
  }
  try {
    assert.deepEqual(await call('app1_all'), { caller: 'app1' })
    assert.deepEqual(await call('alice_user_all'), { caller: 'alice' })
    await rejects(call('app2_all'), 'AUTH_PERMISSION_DENIED')
    await rejects(call('unknown_id'), 'AUTH_INVALID_KEY')
  } finally {
    server.close()
    server.closeAllConnections()
  }
})

test('options say what is wrong with them', () => {
  for (const [options, expected] of [
    [{}, /authServers are missing/],
    [{ stack: {} }, /stack\.address is missing/],
    [{ stack: 'https://x' }, /stack must be an object/],
    [{ stack: { address: 'http://192.0.2.1' } }, /stack: .*/],
    [{ stack: { address: 'https://x', key: 'k' } }, /key/],
  ]) {
    assert.throws(() => new Authenticator(options), ({ code, message }) => code.startsWith('AUTH_') && expected.test(message))
  }
})
