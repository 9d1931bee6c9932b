// The button Test connection: what it tells, and who may press it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'

import { answering, recorder, withAdmin } from './admin.mjs'
import { network, proxy, stackNetwork } from './support.mjs'

const { Client } = createRequire(import.meta.url)('../../node/index.js')
const admin = withAdmin()
/** A dialog for the sandbox that was never deployed. */
const fresh = (edited = {}, secret = admin.sandbox.accessKey) =>
  admin.dialog({ ...network(admin.sandbox), id: 'never-deployed' }, edited, { secret })
const rows = (answer) => {
  assert.equal(answer.status, 200, answer.text)
  assert.ok(answer.rows, answer.text)
  return answer.rows
}
const good = ({ transport, good, devices, remark }) => ({ transport, good, devices, remark })
const both = (more) => ['grpc', 'http'].map((transport) => ({ transport, good: true, devices: undefined, remark: undefined, ...more }))

test('before the first deployment: both transports, how long they took, how many devices there are', async () => {
  const answer = await admin.test(fresh())
  assert.deepEqual(rows(answer).map(good), both({ devices: 1 }))
  for (const { ms, transport, address } of answer.rows) {
    assert.ok(Number.isInteger(ms) && ms >= 0)
    assert.equal(address, admin.sandbox[`${transport}Address`])
  }
  assert.equal(answer.headers.get('cache-control'), 'no-store')
})

test('only what has an address is tried, and each says for itself what is wrong', async () => {
  const { sandbox } = admin
  assert.deepEqual(rows(await admin.test(fresh({ grpcAddress: '' }))).map(good), [{ transport: 'http', good: true, devices: 1, remark: undefined }])
  const [grpc, http] = rows(await admin.test(fresh({ httpAddress: 'http://127.0.0.1:1' })))
  assert.equal(grpc.good, true)
  assert.deepEqual([http.good, http.code, http.key], [false, 'AUTH_UNAVAILABLE', 'ttn.status.unavailable'])
  assert.match(http.message, /nothing listens/)
  assert.match(http.hint, /Check the address/)
  const [plain] = rows(await admin.test(fresh({ grpcAddress: sandbox.grpcsAddress, httpAddress: '' })))
  assert.equal(plain.code, 'AUTH_TLS')
})

test('a key exchanged here, with its client', async () => {
  const here = { exchange: 'here', accountServer: admin.sandbox.accountServer, clientId: 'me' }
  const dialog = fresh(here)
  const without = await admin.test(dialog)
  assert.deepEqual([without.problem.key, without.rows], ['ttn.problem.client-both', undefined])
  dialog.secrets.clientSecret = 'the-secret-of-a-client'
  const before = admin.sandbox.exchanges
  assert.deepEqual(rows(await admin.test(dialog)).map(good), both({ devices: 1 }))
  assert.equal(admin.sandbox.exchanges, before + 1)
  dialog.secrets.clientSecret = 'another'
  const refused = await admin.test(dialog)
  assert.match(refused.problem.message, /account server refuses the client/)
})

test('addresses from a discovery service, and a TLS configuration', async () => {
  const { sandbox } = admin
  const found = { grpcAddress: '', httpAddress: '', discovery: sandbox.discovery }
  // What is announced has a certificate of its own.
  assert.deepEqual(rows(await admin.test(fresh(found))).map(good), both({ devices: 1 }))
  const nowhere = await admin.test(fresh({ ...found, discovery: 'grpc://127.0.0.1:1' }))
  assert.match(nowhere.problem.message, /^discovery service: .*nothing listens/)

  const ca = join(admin.userDir, 'ca.pem')
  writeFileSync(ca, sandbox.ca)
  const tls = { id: 'a-tls-config', type: 'tls-config', cert: '', key: '', ca, certname: '', keyname: '', caname: '', servername: '', verifyservercert: true }
  const secure = { grpcAddress: sandbox.grpcsAddress, httpAddress: sandbox.httpsAddress, tls: tls.id }
  assert.equal((await admin.test(fresh(secure))).problem.key, 'ttn.problem.tls-missing')
  await admin.nodeRed.deploy([tls])
  assert.deepEqual(rows(await admin.test(fresh(secure))).map(good), both({ devices: 1 }))
})

test('no attempt takes longer than the dialog says, nor than 10 s, and one device is asked for', async (t) => {
  const asked = []
  const { getDevices } = Client.prototype
  t.after(() => (Client.prototype.getDevices = getDevices))
  Client.prototype.getDevices = async (ids, options) => {
    asked.push({ ...ids, ...options })
    return { devices: [], total: 3, selected: 0 }
  }
  for (const [entered, timeout] of [['', 10_000], ['60000', 10_000], ['2500', 2500]]) {
    assert.deepEqual(rows(await admin.test(fresh({ timeout: entered }))).map(good), both({ devices: 3 }))
    for (const call of asked.splice(0)) assert.deepEqual(call, { app_id: admin.sandbox.appId, limit: 1, timeout })
  }
})

test('a test leaves nothing behind: no connection, no file of tokens', async (t) => {
  const { sandbox, userDir } = admin
  const [grpc, http] = await Promise.all([sandbox.grpcAddress, sandbox.httpAddress].map((address) => proxy(address)))
  t.after(() => [grpc, http].forEach(({ stop }) => stop()))
  const storeFile = join(userDir, 'tokens-of-a-test')
  const here = { exchange: 'here', accountServer: sandbox.accountServer, clientId: 'me', storeFile }
  const dialog = fresh({ ...here, grpcAddress: grpc.address, httpAddress: http.address })
  Object.assign(dialog.secrets, { clientSecret: 'the-secret-of-a-client', storeKey: randomBytes(32).toString('base64') })
  // Left alone, connections end when nothing has used them for a while.
  const closed = []
  const { close } = Client.prototype
  t.after(() => (Client.prototype.close = close))
  Client.prototype.close = function () {
    closed.push(this.address)
    close.call(this)
  }
  assert.deepEqual(rows(await admin.test(dialog)).map(good), both({ devices: 1 }))
  assert.deepEqual(closed.sort(), [grpc.address, http.address])
  for (const { server, open } of [grpc, http]) while (open.size > 0) await once(server, 'closed')
  assert.equal(existsSync(storeFile), false)
})

test('a token names the application itself', async () => {
  const { sandbox } = admin
  const token = { kind: 'bearer-token', appId: '' }
  assert.deepEqual(rows(await admin.test(fresh(token, sandbox.mintToken()))).map(good), both({ devices: 1 }))
  for (const [settings, secret] of [[{ appId: '' }, sandbox.accessKey], [token, 'opaque-token']]) {
    assert.equal((await admin.test(fresh(settings, secret))).problem.key, 'ttn.problem.test-app-needed')
  }
})

test('a missing right and a missing application: the credential itself was accepted', async () => {
  const { sandbox } = admin
  for (const [secret, appId, remark] of [
    [sandbox.mintToken({ kind: 'nodevices' }), sandbox.appId, 'right-missing'],
    [sandbox.mintToken({ appId: 'no-such-app' }), 'no-such-app', 'no-application'],
  ]) {
    const answer = await admin.test(fresh({ kind: 'bearer-token', appId }, secret))
    assert.deepEqual(rows(answer).map(good), both({ remark }))
    for (const row of answer.rows) assert.ok(row.message && row.hint)
  }
})

test('what stands in front of a network may refuse as well: that says nothing of the credential', async (t) => {
  for (const [status, code] of [[403, 'AUTH_PERMISSION_DENIED'], [404, 'AUTH_UNIMPLEMENTED'], [307, 'AUTH_REDIRECT']]) {
    const elsewhere = await recorder(t)
    const httpAddress = await answering(t, (req, res) => res.writeHead(status, { location: `http://${elsewhere.host}/` }).end('Forbidden'))
    const [row] = rows(await admin.test(fresh({ grpcAddress: '', httpAddress })))
    assert.deepEqual([row.good, row.code], [false, code])
    assert.equal(elsewhere.heard.length, 0)
  }
})

test('a refused credential, an expired one', async () => {
  const { sandbox } = admin
  for (const [kind, secret, code] of [
    ['access-key', 'ttn-account-v2.wrong', 'AUTH_INVALID_KEY'],
    ['bearer-token', sandbox.mintToken({ kind: 'expired' }), 'AUTH_TOKEN_EXPIRED'],
    ['bearer-token', sandbox.mintToken({ kind: 'badsig' }), 'AUTH_INVALID_TOKEN'],
  ]) {
    const answer = await admin.test(fresh({ kind }, secret))
    for (const row of rows(answer)) assert.deepEqual([row.good, row.code], [false, code])
    assert.ok(!answer.text.includes(secret.split('.').at(-1)))
  }
})

test('what is wrong before anything is sent is said once', async () => {
  const { sandbox } = admin
  for (const [settings, secret, key] of [
    [{}, '', 'ttn.problem.secret-missing'],
    [{}, sandbox.bearerToken, 'ttn.status.invalid-credentials'],
    [{ kind: 'bearer-token' }, sandbox.accessKey, 'ttn.status.invalid-credentials'],
    [{ grpcAddress: '', httpAddress: '' }, sandbox.accessKey, 'ttn.problem.address-missing'],
    [{ appId: 'Not An Id' }, sandbox.accessKey, 'ttn.status.invalid-argument'],
    [{ ca: 'no certificate' }, sandbox.accessKey, 'ttn.status.invalid-argument'],
    [{ timeout: 'soon' }, sandbox.accessKey, 'ttn.problem.timeout'],
    [{ rateLimit: '2.5' }, sandbox.accessKey, 'ttn.problem.rate-limit'],
    [{ exchange: 'here', storeFile: '/tmp/x' }, sandbox.accessKey, 'ttn.problem.store-both'],
    [{ exchange: 'here', accountServer: 'https://me:hunter2@account.example' }, sandbox.accessKey, 'ttn.problem.account-user'],
  ]) {
    const answer = await admin.test(fresh(settings, secret))
    assert.deepEqual([answer.status, answer.problem?.key], [200, key], answer.text)
    if (secret) assert.ok(!answer.text.includes(secret))
    assert.ok(!answer.text.includes('hunter2'))
  }
})

test('plaintext to another machine is refused, and a secret that a server repeats is not shown', async (t) => {
  const refused = rows(await admin.test(fresh({ grpcAddress: 'grpc://192.0.2.1:1904', httpAddress: 'http://192.0.2.1:8084' })))
  for (const row of refused) assert.equal(row.code, 'AUTH_INSECURE_TRANSPORT')
  const key = 'ttn-account-v2.a-key-that-is-repeated'
  const httpAddress = await answering(t, (req, res) => {
    res.writeHead(500, { 'content-type': 'application/json' })
    res.end(JSON.stringify({ error: req.headers.authorization, code: 2, message: `what is ${req.headers.authorization}?` }))
  })
  const answer = await admin.test(fresh({ grpcAddress: '', httpAddress }, key))
  assert.equal(rows(answer)[0].good, false)
  assert.ok(!answer.text.includes('a-key-that-is-repeated'), answer.text)
})

test('a server that does not answer costs the time limit, not more', async (t) => {
  const silent = await recorder(t)
  const dialog = fresh({ grpcAddress: `grpc://${silent.host}`, httpAddress: `http://${silent.host}`, timeout: '50' })
  for (const row of rows(await admin.test(dialog))) assert.deepEqual([row.good, row.code], [false, 'AUTH_TIMEOUT'])
})

test('four tests at once; one that is hung up makes room, and drops its connections', async (t) => {
  const silent = await recorder(t)
  const dialog = fresh({ grpcAddress: '', httpAddress: `http://${silent.host}` })
  const running = []
  for (let count = 0; count < 4; count += 1) {
    const connected = once(silent.server, 'connection')
    const abort = new AbortController()
    const ended = admin.test(dialog, { signal: abort.signal }).catch((error) => error.name)
    running.push({ abort, ended })
    await Promise.race([connected, ended])
    assert.equal(silent.heard.length, count + 1)
  }
  const fifth = await admin.test(dialog)
  assert.deepEqual([fifth.status, fifth.problem.key], [429, 'ttn.problem.test-busy'])
  const [first] = silent.heard
  const closed = once(first, 'close')
  running[0].abort.abort()
  await closed
  // The answer to the call that was given up is on its way.
  let next
  do next = await admin.test(fresh())
  while (next.status === 429)
  assert.deepEqual(rows(next).map(good), both({ devices: 1 }))
  for (const { abort } of running) abort.abort()
  for (const { ended } of running) assert.equal(await ended, 'AbortError')
})

test('401 without a login, 403 for those who may only read', async () => {
  const path = 'ttn-credentials/test'
  const cases = [
    ['test', { body: JSON.stringify(fresh()) }, [401, 403, 403, 200]],
    ['variable?name=PATH', {}, [401, 403, 403, 200]],
    ['never-deployed/about', {}, [401, 404, 403, 404]],
  ]
  for (const [path, options, expected] of cases) {
    const statuses = []
    for (const as of [null, 'reader', 'guest', 'admin']) statuses.push((await admin.ask(path, { as, ...options })).status)
    assert.deepEqual(statuses, expected, path)
  }
  const forged = await fetch(`${admin.nodeRed.url}${path}`, { method: 'POST', headers: { authorization: 'Bearer forged', 'content-type': 'application/json' }, body: '{}' })
  assert.equal(forged.status, 401)
})

test('anything but what a dialog sends is refused clearly', async () => {
  const { settings, secrets } = fresh()
  const bodies = [
    '{}', '[]', '{"id":1}', JSON.stringify({ settings, secrets }), JSON.stringify({ id: 'a', settings: [], secrets }),
    JSON.stringify({ id: 'a', settings: null, secrets }), JSON.stringify({ id: 'a', settings, secrets: 'x' }),
    JSON.stringify({ id: 'a', settings: { ...settings, grpcAddress: ['grpc://x'] }, secrets }),
    JSON.stringify({ id: 'a', settings: { ...settings, timeout: 5 }, secrets }),
    JSON.stringify({ id: 'a', settings: { ...settings, allowInsecure: 'yes' }, secrets }),
    JSON.stringify({ id: 'a', settings: { ...settings, unknown: '' }, secrets }),
    JSON.stringify({ id: 'a', settings, secrets: { secret: { toString: 1 } } }),
    '{"id":"a","settings":{"__proto__":{"kind":"access-key"}},"secrets":{}}',
    '{"id":"a","settings":{"constructor":"x"},"secrets":{}}',
  ]
  for (const body of bodies) {
    const answer = await admin.ask('test', { body })
    assert.deepEqual([answer.status, answer.problem?.key], [400, 'ttn.problem.test-request'], body)
  }
  assert.equal((await admin.ask('test', { body: '{"id":' })).status, 400, 'no JSON')
  for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
    assert.equal((await admin.ask('test', { body: JSON.stringify(fresh()), type })).status, 415)
  }
  const large = await admin.test(fresh({ ca: 'x'.repeat(300_000) }))
  assert.deepEqual([large.status, large.problem.key], [413, 'ttn.problem.test-size'])
  assert.deepEqual((await admin.ask('variable?name=')).status, 400)
  assert.deepEqual((await admin.ask('variable?name=a&name=b')).status, 400)
})

/** A dialog for the sandbox's The Things Stack. */
const ofStack = (secret, edited = {}) => admin.dialog({ ...stackNetwork(admin.sandbox), id: 'never-deployed' }, edited, { secret })

test('The Things Stack: what it takes the key for, over both transports, with and without an application', async () => {
  const { stack } = admin.sandbox
  for (const appId of ['app1', '']) {
    const answer = rows(await admin.test(ofStack(stack.key('app1_expires_2030'), { appId })))
    assert.deepEqual(answer.map(({ transport, good, remark }) => [transport, good, remark]), [['grpc', true, undefined], ['http', true, undefined]])
    for (const { info } of answer) {
      assert.deepEqual([info.kind, info.entity, info.expiresAt.slice(0, 4)], ['api-key', { kind: 'application', id: 'app1' }, '2030'])
      assert.ok(info.rights.includes('RIGHT_APPLICATION_DEVICES_READ'))
    }
  }
  const user = rows(await admin.test(ofStack(stack.key('oauth_access'), { kind: 'bearer-token' })))
  for (const { good: taken, info } of user) assert.deepEqual([taken, info.kind, info.entity], [true, 'oauth-access-token', { kind: 'user', id: 'alice' }])
})

test('The Things Stack: a right that is missing, an expired key, one of nobody', async () => {
  const { stack } = admin.sandbox
  for (const [name, appId, good, remark, code] of [
    ['app1_info_only', 'app1', true, 'right-missing', 'AUTH_PERMISSION_DENIED'],
    ['app2_all', 'app1', true, 'right-missing', 'AUTH_PERMISSION_DENIED'],
    ['app1_expired', 'app1', false, undefined, 'AUTH_KEY_EXPIRED'],
    ['unknown_id', 'app1', false, undefined, 'AUTH_INVALID_KEY'],
  ]) {
    for (const row of rows(await admin.test(ofStack(stack.key(name), { appId })))) {
      assert.deepEqual([row.good, row.remark, row.code], [good, remark, code], name)
      assert.equal(row.appId, appId)
    }
  }
})

test('The Things Stack: a server that sees no credential says so by answering nothing', async (t) => {
  const httpAddress = await answering(t, (req, res) => res.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
  const [row] = rows(await admin.test(ofStack(admin.sandbox.stack.apiKey, { grpcAddress: '', httpAddress })))
  assert.deepEqual([row.good, row.remark], [false, 'not-seen'])
})

test('The Things Stack: a credential of V2, no address, a refresh token, which a test would use up', async () => {
  const { sandbox } = admin
  for (const [secret, edited, key] of [
    [sandbox.bearerToken, { kind: 'bearer-token' }, 'secret-of-v2'],
    [sandbox.stack.apiKey, { grpcAddress: '', httpAddress: '' }, 'address-missing'],
    [sandbox.stack.refreshToken, { kind: 'refresh-token' }, 'test-refresh'],
  ]) {
    assert.equal((await admin.test(ofStack(secret, edited))).problem?.key, `ttn.problem.${key}`)
  }
  assert.equal(sandbox.stack.counts.tokens, 0)
})
