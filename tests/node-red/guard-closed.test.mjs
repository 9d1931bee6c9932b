// What goes wrong around a ttn-guard, in its settings or in its core: nobody passes, and every caller gets an answer.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'

import { assertRefused, bearer, key, withGuard } from './guarded.mjs'
import { Sandbox, folder, proxy } from './support.mjs'

const require = createRequire(import.meta.url)
const core = require('../../node/index.js')
const { Guard } = require('../../node/nodes/lib/guard.js')
const guarded = withGuard()

/** An account server that takes connections and says nothing. */
async function silent(t) {
  const held = await proxy(guarded.sandbox.accountServer, { hold: true })
  t.after(() => held.stop())
  return held
}

test('while the account server is down: 503, one line in the log, and open again by itself', async (t) => {
  const own = await Sandbox.start({ rateLimit: false })
  t.after(() => own.stop())
  own.stopAccountServer()
  await guarded.serve({ accountServer: own.accountServer })
  for (const headers of [bearer(own.bearerToken), key(own.accessKey)]) {
    for (let i = 0; i < 3; i += 1) assertRefused(await guarded.call(headers), 503)
  }
  assert.deepEqual(await guarded.status(/./), { fill: 'red', shape: 'ring', text: 'ttn.status.exchange-unavailable' })
  assert.equal(guarded.warnings().length, 1)
  assert.deepEqual(guarded.sent.flat(), [])
  assertRefused(await guarded.call(), 401, /^Bearer/)
  await own.startAccountServer()
  for (const headers of [bearer(own.bearerToken), key(own.accessKey)]) {
    // What failed is not asked for again at once.
    for (;;) {
      const answer = await guarded.call(headers)
      if (answer.status === 200) break
      assertRefused(answer, 503)
    }
  }
  await guarded.status(/^accepted \d+ \/ rejected \d+$/)
  guarded.assertHidden(own.bearerToken, own.accessKey)
})

test("with a folder for the issuer's key, tokens pass after a restart while the account server is down", async (t) => {
  const own = await Sandbox.start({ rateLimit: false })
  t.after(() => own.stop())
  const keyDirectory = folder(t)
  await guarded.serve({ accountServer: own.accountServer, keyDirectory })
  assert.equal((await guarded.call(bearer(own.bearerToken))).status, 200)
  assert.equal(readdirSync(keyDirectory).length, 1)
  own.stopAccountServer()
  await guarded.serve({ accountServer: own.accountServer, keyDirectory, name: 'restarted' })
  assert.equal((await guarded.call(bearer(own.bearerToken))).status, 200)
  // It may be signed with a newer key.
  assertRefused(await guarded.call(bearer(own.mintToken({ kind: 'badsig' }))), 503)
  assertRefused(await guarded.call(bearer(own.mintToken({ expiresIn: -60 }))), 401, /invalid_token/)
  assertRefused(await guarded.call(key(own.accessKey)), 503)
  await guarded.serve({ accountServer: own.accountServer })
  assertRefused(await guarded.call(bearer(own.bearerToken)), 503)
})

test('an account server that says nothing: 503 within the limit, and others are not held up', async (t) => {
  const keyDirectory = folder(t)
  await guarded.serve({ keyDirectory })
  assert.equal((await guarded.call(bearer(guarded.sandbox.bearerToken))).status, 200)
  const held = await silent(t)
  await guarded.serve({ accountServer: held.address, keyDirectory, timeout: '1500' })
  const opened = once(held.server, 'opened')
  const waits = guarded.call(key(guarded.sandbox.accessKey))
  await opened
  assert.equal((await guarded.call(bearer(guarded.sandbox.bearerToken))).status, 200)
  assert.equal(guarded.sent[0].length, 1)
  assertRefused(await waits, 503)
})

test('an account server that asks for a client gets it', async (t) => {
  const own = await Sandbox.start({ rateLimit: false, clientId: 'node-red', clientSecret: 's3cret: ü' })
  t.after(() => own.stop())
  const settings = { accountServer: own.accountServer, clientId: 'node-red' }
  await guarded.serve(settings, { credentials: { clientSecret: 's3cret: ü' } })
  assert.equal((await guarded.call(key(own.accessKey))).status, 200)
  await guarded.serve(settings, { credentials: { clientSecret: 'hunter2' } })
  const answer = await guarded.call(key(own.accessKey))
  assert.ok(answer.status >= 400 && !answer.text.includes('hunter2'), answer.text)
  assert.deepEqual(guarded.sent.flat(), [])
  guarded.assertHidden('hunter2', own.accessKey)
})

for (const type of ['full', 'nodes']) {
  for (const rejected of [false, true]) {
    test(`a ${type} deployment while callers wait answers them, ${rejected ? 'with' : 'without'} output 2`, async (t) => {
      const held = await silent(t)
      const settings = { accountServer: held.address, timeout: '60000' }
      await guarded.serve(settings, { rejected })
      const waiting = Array.from({ length: 20 }, () => guarded.call(key(guarded.sandbox.accessKey)))
      await guarded.callers(20)
      const old = guarded.node()
      await guarded.serve({ ...settings, name: 'changed' }, { rejected, type })
      for (const answer of await Promise.all(waiting)) assertRefused(answer, 503)
      assert.ok(held.open.size > 0, 'nobody waited until the account server was given up')
      assert.deepEqual(guarded.sent.flat(), [], 'nothing is sent into a flow that has ended')
      assert.notEqual(guarded.node(), old)
    })
  }
}

test('a caller that goes away while it waits costs nothing', async (t) => {
  const held = await silent(t)
  await guarded.serve({ accountServer: held.address, timeout: '1000' })
  const opened = once(held.server, 'opened')
  const gone = new AbortController()
  const waits = fetch(`${guarded.nodeRed.url}apps/test-app`, { headers: key('ttn-account-v2.x'), signal: gone.signal })
  await opened
  gone.abort()
  await assert.rejects(waits, { name: 'AbortError' })
  await guarded.status(/./)
  assert.deepEqual(guarded.caught, [])
})

test('a message without a caller is an error that says what to do, and goes nowhere', async () => {
  for (const rejected of [false, true]) {
    await guarded.serve({}, { rejected })
    guarded.nodeRed.RED.nodes.getNode('inject').receive({ payload: 'x', auth: { rights: ['devices'] } })
    const error = await guarded.error()
    assert.equal(error.code, 'AUTH_INVALID_ARGUMENT')
    assert.match(error.message, /no caller.*http in/)
    assert.equal(guarded.caught[0].auth, undefined, 'nor does an earlier node say who it is')
    assert.deepEqual(guarded.sent.flat(), [])
    assert.equal((await guarded.status(/./)).text, 'ttn.problem-short.no-caller')
  }
  for (const msg of [{ req: {} }, { req: { headers: null }, res: {} }, { res: { end: 'x' }, req: { headers: {} } }]) {
    guarded.caught.length = 0
    guarded.node().receive(msg)
    assert.match((await guarded.error()).message, /no caller/)
  }
  assert.deepEqual(guarded.sent.flat(), [])
})

test('a caller that the flow has answered is not answered again', async () => {
  await guarded.serve()
  const twice = () => assert.fail('answered twice')
  const res = { headersSent: true, setHeader: twice, end: twice }
  guarded.node().receive({ req: { headers: {}, rawHeaders: [], params: { app_id: 'test-app' } }, res })
  await guarded.status(/^accepted 0 \/ rejected 1$/)
  guarded.node().receive({})
  assert.match((await guarded.error()).message, /no caller/)
})

test('a response that fails ends nothing but itself', async () => {
  await guarded.serve()
  const fails = () => { throw new Error('gone') }
  guarded.node().receive({ req: { headers: {}, rawHeaders: [], params: { app_id: 'test-app' } }, res: { setHeader: fails, end: fails } })
  assert.match((await guarded.error()).message, /gone/)
  assert.equal((await guarded.call(bearer(guarded.sandbox.bearerToken))).status, 200)
})

test('a URL without :app_id is the flow author\'s mistake', async () => {
  for (const right of ['devices', 'any']) {
    await guarded.serve({ right })
    assertRefused(await guarded.call(bearer(guarded.sandbox.bearerToken), { path: 'bare' }), 503)
    assert.match((await guarded.error()).message, /:app_id/)
    assert.equal(guarded.caught[0].res, undefined, 'a catch flow cannot answer again')
    assert.deepEqual(guarded.sent.flat(), [])
  }
})

const unset = '${TTN_NOT_SET}'
const wrong = [
  ['no right', { right: undefined }, /problem-short\.right/, {}],
  ['a right that is none', { right: 'devices ' }, /problem-short\.right/, {}],
  ['a right by a method\'s name', { right: 'constructor' }, /problem-short\.right/, {}],
  ['a list of rights', { right: ['devices'] }, /problem-short\.right/, {}],
  ['no application', { appFrom: 'fixed' }, /problem-short\.guard-app-id/, {}],
  ['an unset variable as application', { appFrom: 'fixed', appId: unset }, /TTN_NOT_SET/, {}],
  ['an unset variable as issuer', { issuer: unset }, /TTN_NOT_SET/, {}],
  ['an unset variable as account server', { accountServer: unset }, /TTN_NOT_SET/, {}],
  ['an unset variable as certificate', { accountCa: unset }, /TTN_NOT_SET/, {}],
  ['an unset variable as folder', { keyDirectory: unset }, /TTN_NOT_SET/, {}],
  ['an unset variable as time limit', { timeout: unset }, /TTN_NOT_SET/, {}],
  ['an unset variable as client', { clientId: unset }, /TTN_NOT_SET/, { clientSecret: 'hunter2' }],
  ['an unset variable as client secret', { clientId: 'me' }, /TTN_NOT_SET/, { clientSecret: unset }],
  ['a client without a secret', { clientId: 'me' }, /client-both/, {}],
  ['a secret without a client', {}, /client-both/, { clientSecret: 'hunter2' }],
  ['a time limit that is none', { timeout: 'soon' }, /timeout/, {}],
  ['an address that is none', { accountServer: 'ftp://hunter2' }, /invalid-argument/, {}],
  ['a password in the address', { accountServer: 'https://me:hunter2@127.0.0.1' }, /account-user/, {}],
  ['a user in the address, without a scheme', { accountServer: 'hunter2@127.0.0.1' }, /account-user/, {}],
  ['plaintext to another machine', { accountServer: 'http://192.0.2.1' }, /insecure-transport/, {}],
  ['another issuer without an address', { issuer: 'mine', accountServer: '' }, /invalid-argument/, {}],
  ['a certificate that is none', { accountCa: 'no PEM' }, /invalid-argument/, {}],
]
for (const [what, settings, text, credentials] of wrong) {
  test(`${what}: said at once, and nobody passes`, async () => {
    const status = await guarded.serve(settings, { credentials, rejected: true })
    assert.match(status.text, text)
    assert.equal(status.fill, 'red')
    for (const headers of [{}, bearer(guarded.sandbox.bearerToken), key(guarded.sandbox.accessKey)]) {
      assertRefused(await guarded.call(headers), 503)
    }
    assert.match((await guarded.error()).code, /^AUTH_(INVALID_ARGUMENT|INSECURE_TRANSPORT)$/)
    assert.deepEqual(guarded.sent.flat(), [])
    guarded.assertHidden('hunter2', guarded.sandbox.accessKey)
  })
}

test('a fixed application that cannot be one is a fault of the flow', async () => {
  await guarded.serve({ appFrom: 'fixed', appId: 'Not-Valid' })
  assertRefused(await guarded.call(bearer(guarded.sandbox.bearerToken), { path: 'bare' }), 503)
  assert.equal((await guarded.error()).code, 'AUTH_INVALID_ARGUMENT')
})

test('whatever the core does, the door stays closed', async (t) => {
  await guarded.serve()
  const { authenticate } = core.Authenticator.prototype
  t.after(() => (core.Authenticator.prototype.authenticate = authenticate))
  const thrower = new Proxy({}, { get: () => { throw new Error('no') } })
  for (const broken of [
    () => { throw new Error('at once') },
    () => { throw undefined },
    async () => { throw new Error('later') },
    async () => { throw null },
    async () => { throw thrower },
    () => undefined,
    () => 'claims',
    async () => undefined,
    async () => null,
    async () => thrower,
    async () => ({ kind: 'bearer-token', subject: 'x', expiresAt: 'never' }),
  ]) {
    core.Authenticator.prototype.authenticate = broken
    guarded.caught.length = 0
    assertRefused(await guarded.call(bearer(guarded.sandbox.bearerToken)), 503)
    assert.equal((await guarded.error()).code, 'AUTH_INTERNAL')
    assert.equal(guarded.statuses.filter(({ fill }) => fill === 'green').length, 0)
  }
  assert.deepEqual(guarded.sent.flat(), [])
  core.Authenticator.prototype.authenticate = authenticate
  assert.equal((await guarded.call(bearer(guarded.sandbox.bearerToken))).status, 200)
})

test('only so many callers wait at once; a place is free again when one has its answer', async (t) => {
  const held = await silent(t)
  const settings = { right: 'devices', appFrom: 'path', accountServer: held.address, timeout: '60000' }
  const guard = new Guard(settings, {}, {}, 2)
  assert.equal(guard.fault, undefined)
  const caller = (secret) => ({ req: { headers: key(secret), rawHeaders: [], params: { app_id: 'test-app' } }, res: { end() {} } })
  const waiting = ['a', 'b'].map((name) => guard.admit(caller(`ttn-account-v2.${name}`)))
  await assert.rejects(guard.admit(caller('ttn-account-v2.c')), ({ key: problem, answer }) => problem === 'callers' && answer.status === 503)
  // Whoever shows a token does not wait, nor for those who do.
  const bearer = { ...caller(''), req: { headers: { authorization: 'bearer x' }, rawHeaders: [], params: { app_id: 'test-app' } } }
  await assert.rejects(guard.admit(bearer), ({ code, answer }) => code === 'AUTH_INVALID_TOKEN' && answer.status === 401)
  waiting.push(guard.admit(caller('ttn-account-v2.e')))
  guard.close()
  for (const wait of waiting) await assert.rejects(wait, ({ key: problem, answer }) => problem === 'closed' && answer.status === 503)
  await assert.rejects(guard.admit(caller('ttn-account-v2.d')), ({ key: problem }) => problem === 'closed')

  const open = new Guard({ ...settings, accountServer: guarded.sandbox.accountServer }, {}, {}, 1)
  for (let i = 0; i < 3; i += 1) assert.equal((await open.admit(caller(guarded.sandbox.accessKey))).kind, 'access-key')
})
