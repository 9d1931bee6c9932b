// ttn-guard with a network of The Things Stack: it is asked about callers; nobody passes while it does not answer.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { assertRefused, bearer, key, withGuard } from './guarded.mjs'
import { proxy, stackNetwork } from './support.mjs'

const guarded = withGuard()
const READ = 'RIGHT_APPLICATION_DEVICES_READ'
const serve = (settings, network, options) =>
  guarded.serve(
    { network: 'network', accountServer: '', right: READ, ...settings },
    { more: (node) => [node, stackNetwork(guarded.sandbox, network)], ...options },
  )
const call = (secret, app = 'app1') => guarded.call(secret && bearer(secret), { path: `apps/${app}` })

for (const [transport, network] of [['gRPC', {}], ['HTTP', { grpcAddress: '' }]]) {
  test(`an API key passes, asked over ${transport}; the flow is told whose it is and what it may do, and never the key`, async () => {
    const { stack } = guarded.sandbox
    await serve({}, network)
    const secret = stack.key('app1_expires_2030')
    const { status, body, text } = await call(secret)
    assert.equal(status, 200, text)
    assert.deepEqual([body.app_id, body.subject, body.expires_at.slice(0, 4)], ['app1', 'app1', '2030'])
    assert.ok(body.rights.includes(READ) && body.rights.every((right) => right.startsWith('RIGHT_APPLICATION_')))
    guarded.assertHidden(secret)
  })
}

test('OAuth tokens and keys of a user, with what they may do on the application', async () => {
  const { stack } = guarded.sandbox
  await serve()
  for (const name of ['oauth_access', 'alice_user_all']) {
    const { status, body, text } = await call(stack.key(name))
    assert.equal(status, 200, `${name}: ${text}`)
    assert.ok(body.rights.includes(READ))
  }
})

test('who is refused: nobody, another right, another application, expired, unknown, and credentials of V2', async () => {
  const { stack, bearerToken, accessKey } = guarded.sandbox
  await serve()
  for (const [name, status] of [['app1_info_only', 403], ['app2_all', 403], ['app1_expired', 401], ['unknown_id', 401], ['app1_wrong_secret', 401]]) {
    const answer = await call(stack.key(name))
    assert.equal(answer.status, status, `${name}: ${answer.text}`)
  }
  assertRefused(await call(undefined), 401, /^Bearer(?!.*error=)/)
  assert.equal((await call(bearerToken)).status, 401)
  assert.equal((await guarded.call(key(accessKey), { path: 'apps/app1' })).status, 401)
  assert.equal((await call(stack.apiKey, 'app2')).status, 403)
  assert.equal(guarded.sent[0].length, 0)
})

test('V2’s names of rights stand for The Things Stack’s', async () => {
  const { stack } = guarded.sandbox
  await serve({ right: 'devices' })
  assert.equal((await call(stack.key('app1_all'))).status, 200)
  assert.equal((await call(stack.key('app1_read_only'))).status, 403)
})

test('while the server does not answer, nobody passes', async (t) => {
  const silent = await proxy(guarded.sandbox.stack.grpcAddress, { hold: true })
  t.after(() => silent.stop())
  await serve({ timeout: '200' }, { grpcAddress: silent.address })
  assertRefused(await call(guarded.sandbox.stack.apiKey), 503)
  assert.equal(guarded.sent[0].length, 0)
})

test('a right of The Things Stack without a network of it, and a network that is not there: callers get 503', async () => {
  await guarded.serve({ right: READ })
  assertRefused(await call(guarded.sandbox.stack.apiKey), 503)
  await guarded.serve({ right: READ, network: 'gone' })
  assertRefused(await call(guarded.sandbox.stack.apiKey), 503)
})
