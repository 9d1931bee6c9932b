// An access key that is exchanged here: one token for a network, that outlives an outage, and with a file a restart.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'

import { Sandbox, TRANSPORTS, flow, folder, helper, load, network, send, shows, statuses, withSandbox } from './support.mjs'

const sandbox = withSandbox()

/** A network that exchanges its key here. */
const here = (more = {}, at = sandbox()) => network(at, { exchange: 'here', accountServer: at.accountServer, ...more })

/** How many exchanges the account server was asked for during `use`. */
async function exchanges(use, at = sandbox()) {
  const before = at.exchanges
  await use()
  return at.exchanges - before
}

/** A request node for each transport, both into the same helper node. */
function both(settings) {
  const nodes = flow({}, settings)
  const request = nodes.find(({ id }) => id === 'request')
  return [...nodes, { ...request, id: 'over-http', transport: 'http' }]
}

test('one exchange for both transports and any number of messages at once', async () => {
  await load(both(here()), sandbox().accessKey)
  const count = await exchanges(async () => {
    let answers = 0
    const all = new Promise((resolve) => helper.getNode('out').on('input', () => (answers += 1) === 40 && resolve()))
    for (let i = 0; i < 20; i += 1) for (const id of ['request', 'over-http']) helper.getNode(id).receive({})
    await all
  })
  assert.equal(count, 1)
})

test('while the account server is down, calls go on with the token, also from a file and over a new connection', async (t) => {
  const own = await Sandbox.start({ rateLimit: false })
  t.after(() => own.stop())
  const file = join(folder(t), 'key')
  writeFileSync(file, own.accessKey)
  await load(both(here({ source: 'file', file }, own)))
  assert.ok((await send()).out)
  own.stopAccountServer()
  for (const id of ['request', 'over-http']) assert.ok((await send({}, id)).out, id)
  assert.equal(own.exchanges, 1)
})

for (const transport of TRANSPORTS) {
  test(`an account server that is down is said to be, over ${transport}, and back by itself`, async (t) => {
    const own = await Sandbox.start({ rateLimit: false })
    t.after(() => own.stop())
    own.stopAccountServer()
    await load(flow({ transport }, here({}, own)), own.accessKey)
    assert.deepEqual(statuses().at(-1), {}, 'nothing is asked before it is needed')
    const { error } = (await send()).caught
    assert.deepEqual([error.code, error.cause.transient], ['AUTH_EXCHANGE_UNAVAILABLE', true])
    await shows({ fill: 'red', shape: 'ring', text: 'ttn.status.exchange-unavailable' })
    assert.ok(!JSON.stringify(error).includes(own.accessKey))
    await own.startAccountServer()
    // What failed is not asked for again at once; each message meanwhile hears why.
    for (;;) {
      const { out, caught } = await send()
      if (out) break
      assert.equal(caught.error.code, 'AUTH_EXCHANGE_UNAVAILABLE')
    }
    await shows('ttn.status.ok')
  })
}

test('a key that the account server refuses', async () => {
  await load(flow({}, here()), 'ttn-account-v2.wrong')
  assert.equal((await send()).caught?.error.code, 'AUTH_INVALID_KEY')
  await shows({ fill: 'red', shape: 'dot', text: 'ttn.status.invalid-key' })
})

test('an account server that asks for a client gets it', async (t) => {
  const own = await Sandbox.start({ rateLimit: false, clientId: 'node-red', clientSecret: 's3cret: ü' })
  t.after(() => own.stop())
  const settings = here({ clientId: 'node-red' }, own)
  await load(flow({}, settings), { secret: own.accessKey, clientSecret: 's3cret: ü' })
  assert.ok((await send()).out)
  await helper.unload()
  await load(flow({}, settings), { secret: own.accessKey, clientSecret: 'hunter2' })
  const { error } = (await send()).caught
  assert.match(error.message, /invalid_client/)
  assert.ok(!JSON.stringify(error).includes('hunter2'))
})

test('with a file, the token outlives a restart and an outage; it is in the file, and cannot be read there', async (t) => {
  const own = await Sandbox.start({ rateLimit: false })
  t.after(() => own.stop())
  const [storeFile, storeKey] = [join(folder(t), 'tokens'), randomBytes(32).toString('base64')]
  const settings = here({ storeFile }, own)
  for (let start = 1; start <= 3; start += 1) {
    await load(both(settings), { secret: own.accessKey, storeKey })
    for (const id of ['request', 'over-http']) assert.ok((await send({}, id)).out, `start ${start}, ${id}`)
    await helper.unload()
    // The third has nothing but the file.
    if (start === 2) own.stopAccountServer()
  }
  assert.equal(own.exchanges, 1)
  const text = readFileSync(storeFile, 'latin1')
  for (const secret of [own.accessKey, own.accessKey.split('.')[1], storeKey, own.appId, 'eyJ']) assert.ok(!text.includes(secret), secret)
  if (process.platform !== 'win32') assert.equal(statSync(storeFile).mode & 0o777, 0o600)
})

test('only access keys are exchanged', async () => {
  await load(flow({}, here({ kind: 'bearer-token' })), sandbox().bearerToken)
  assert.equal(await exchanges(async () => assert.ok((await send()).out)), 0)
})

const wrong = [
  ['no application', { appId: '' }, {}, 'AUTH_INVALID_ARGUMENT', 'ttn.problem-short.app-id-needed'],
  ['an unset variable as application', { appId: '${TTN_NOT_SET}' }, {}, 'AUTH_INVALID_ARGUMENT', 'ttn.problem.variable'],
  ['plaintext to another machine', { accountServer: 'http://192.0.2.1' }, {}, 'AUTH_INSECURE_TRANSPORT', 'ttn.status.insecure-transport'],
  ['the same, with plaintext allowed for the network', { accountServer: 'http://192.0.2.1', allowInsecure: true }, {}, 'AUTH_INSECURE_TRANSPORT', 'ttn.status.insecure-transport'],
  ['a password in the address', { accountServer: 'https://me:hunter2@account.example' }, {}, 'AUTH_INVALID_ARGUMENT', 'ttn.problem-short.account-user'],
  ['an address that is none', { accountServer: 'ftp://account.example' }, {}, 'AUTH_INVALID_ARGUMENT', 'ttn.status.invalid-argument'],
  ['a key of an unknown issuer without an address', { accountServer: '' }, { secret: 'my-issuer.hunter2' }, 'AUTH_INVALID_ARGUMENT', 'ttn.status.invalid-argument'],
  ['a client without a secret', { clientId: 'me' }, {}, 'AUTH_INVALID_ARGUMENT', 'ttn.problem-short.client-both'],
  ['a secret without a client', {}, { clientSecret: 'hunter2' }, 'AUTH_INVALID_ARGUMENT', 'ttn.problem-short.client-both'],
  ['an unset variable as client secret', { clientId: 'me' }, { clientSecret: '${TTN_NOT_SET}' }, 'AUTH_INVALID_ARGUMENT', 'ttn.problem.variable'],
  ['a file without a key', { storeFile: '/tmp/never' }, {}, 'AUTH_INVALID_ARGUMENT', 'ttn.problem-short.store-both'],
  ['a key without a file', {}, { storeKey: 'hunter2' }, 'AUTH_INVALID_ARGUMENT', 'ttn.problem-short.store-both'],
  ['a key that is none', { storeFile: '/tmp/never' }, { storeKey: 'hunter2' }, 'AUTH_INVALID_ARGUMENT', 'ttn.status.invalid-argument'],
  ['a certificate that is none', { accountCa: 'no PEM' }, {}, 'AUTH_INVALID_ARGUMENT', 'ttn.status.invalid-argument'],
  ['a variable that is not set', { source: 'environment', variable: 'TTN_NOT_SET' }, {}, 'AUTH_MISSING_CREDENTIALS', 'ttn.problem.variable'],
  ['a rate limit that is none', { rateLimit: '0' }, {}, 'AUTH_INVALID_ARGUMENT', 'ttn.problem-short.rate-limit'],
  ['a rate limit that is not whole', { rateLimit: '2.5' }, {}, 'AUTH_INVALID_ARGUMENT', 'ttn.problem-short.rate-limit'],
]
for (const [what, settings, secrets, code, text] of wrong) {
  test(`${what}: said at once, and for each message`, async () => {
    await load(flow({}, here(settings)), { secret: 'ttn-account-v2.hunter2', ...secrets })
    assert.equal(statuses().at(-1).text, text)
    const { error } = (await send()).caught
    assert.equal(error.code, code)
    assert.ok(!JSON.stringify(error).includes('hunter2'))
  })
}

test('what is not used is not looked at', async () => {
  const unused = { accountServer: 'ftp://x', clientId: 'me', storeFile: '/tmp/never', accountCa: 'no PEM' }
  await load(flow({}, network(sandbox(), { exchange: 'server', ...unused })), sandbox().accessKey)
  assert.ok((await send()).out)
})

test('the account server of public keys is known', async () => {
  await load(flow({}, here({ accountServer: '' })), 'ttn-account-v2.never-sent')
  assert.deepEqual(statuses().at(-1), {})
})

test('a rate limit paces the calls of all nodes together, and loses none', async (t) => {
  const times = []
  const server = createServer((request, response) => {
    times.push(performance.now())
    response.setHeader('content-type', 'application/json').end('{"dev_id":"dev-1"}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close() && server.closeAllConnections())
  const httpAddress = `http://127.0.0.1:${server.address().port}`
  const nodes = flow({ transport: 'http' }, network(sandbox(), { httpAddress, rateLimit: '20' }))
  await load([...nodes, { ...nodes.find(({ id }) => id === 'request'), id: 'second' }], sandbox().accessKey)
  let answers = 0
  const all = new Promise((resolve) => helper.getNode('out').on('input', () => (answers += 1) === 50 && resolve()))
  for (let i = 0; i < 25; i += 1) for (const id of ['request', 'second']) helper.getNode(id).receive({})
  await all
  assert.equal(times.length, 50)
  // A second's worth at once at the most, and then 20 a second.
  assert.ok(times.at(-1) - times[0] >= 1400, `${times.at(-1) - times[0]} ms`)
})

test("a Handler's limit of 5 a second loses no call of a burst", async (t) => {
  const own = await Sandbox.start()
  t.after(() => own.stop())
  await load(flow({}, here({ rateLimit: '5' }, own)), own.accessKey)
  let answers = 0
  const all = new Promise((resolve) => helper.getNode('out').on('input', () => (answers += 1) === 12 && resolve()))
  for (let i = 0; i < 12; i += 1) helper.getNode('request').receive({})
  await all
  assert.equal(statuses().some(({ fill }) => fill === 'red'), false)
})
