// What a network's clients are made of: entered or discovered addresses, certificates of a core tls-config; and that there is one.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'

import { CREDENTIALS, TRANSPORTS, Sandbox, flow, folder, helper, load, network, nodeRed, nodes, proxy, secretOf, send, shows, statuses, withSandbox } from './support.mjs'

const require = createRequire(import.meta.url)
const { Clients } = require('../../node/nodes/lib/clients.js')
const tlsConfig = createRequire(require.resolve(nodeRed))('@node-red/nodes/core/network/05-tls.js')
const sandbox = withSandbox()

/** A network that has no addresses but that of a discovery service. */
const discovered = (more) => network(sandbox(), { grpcAddress: '', httpAddress: '', discovery: sandbox().discovery, ...more })

/** What `call` rejects with. */
const failure = (promise) => promise.then(assert.fail, (error) => error)

test('one client for callers at the same time, another one after a failure', async () => {
  const made = []
  const clients = new Clients(() => new Promise((resolve, reject) => made.push({ resolve, reject })), () => false)
  const first = [clients.get('grpc'), clients.get('grpc'), clients.use('grpc', (client) => client)]
  clients.get('http').catch(() => {})
  assert.equal(made.length, 2)
  made[0].reject(new Error('no'))
  for (const { reason } of await Promise.allSettled(first)) assert.equal(reason?.message, 'no')
  const again = [clients.get('grpc'), clients.get('grpc')]
  assert.equal(made.length, 3)
  const client = { close() {} }
  made[2].resolve(client)
  assert.deepEqual(await Promise.all(again), [client, client])
  assert.equal(await clients.get('grpc'), client)
})

test('a client that is made while all are closed is closed as well; nobody gets one any more', async () => {
  const closed = []
  let made
  const clients = new Clients(() => new Promise((resolve) => (made = resolve)), () => false)
  const waiting = clients.get('grpc')
  clients.close()
  made({ close: () => closed.push('late') })
  assert.equal((await failure(waiting)).key, 'closed')
  assert.deepEqual(closed, ['late'])
  assert.equal((await failure(clients.get('grpc'))).key, 'closed')
  assert.equal((await failure(clients.use('http', assert.fail))).key, 'closed')
})

test('a client that is replaced is closed when the last of its calls has ended', async () => {
  const closed = []
  let count = 0
  const clients = new Clients(() => ({ number: (count += 1), close() { closed.push(this.number) } }), (_, { message }) => message === 'moved')
  let end
  const long = clients.use('grpc', () => new Promise((resolve) => (end = resolve)))
  await failure(clients.use('grpc', () => Promise.reject(new Error('other'))))
  assert.equal((await clients.get('grpc')).number, 1)
  await failure(clients.use('grpc', () => Promise.reject(new Error('moved'))))
  assert.equal((await clients.get('grpc')).number, 2)
  assert.deepEqual(closed, [])
  end()
  await long
  assert.deepEqual(closed, [1])
  clients.close()
  await failure(clients.get('grpc'))
  assert.deepEqual(closed, [1, 2])
})

for (const transport of TRANSPORTS) {
  for (const kind of CREDENTIALS) {
    test(`${kind}, an address from discovery, over ${transport}`, async () => {
      await load(flow({ transport }, discovered({ kind })), secretOf(sandbox(), kind))
      const { out } = await send()
      assert.equal(out?.payload.dev_id, 'dev-1')
      const address = transport === 'grpc' ? sandbox().grpcsAddress : sandbox().httpsAddress
      assert.ok(out.responseUrl.startsWith(`${address}/`), out.responseUrl)
    })
  }

  test(`an address that is entered wins over discovery, over ${transport} alone`, async (t) => {
    const silent = await proxy(sandbox().discovery, { hold: true })
    t.after(() => silent.stop())
    const settings = discovered({ discovery: silent.address, [`${transport}Address`]: sandbox()[`${transport}Address`], timeout: '100' })
    await load(flow({ transport }, settings), sandbox().accessKey)
    assert.ok((await send()).out)
    assert.equal(silent.open.size, 0)
    await failure(helper.getNode('network').network.client(TRANSPORTS.find((other) => other !== transport)))
    assert.equal(silent.open.size, 1)
  })

  test(`discovery that fails is the error of that call, and asked again for the next, over ${transport}`, async () => {
    const down = await proxy(sandbox().discovery)
    const { port } = down.server.address()
    down.stop()
    await load(flow({ transport }, discovered({ discovery: down.address })), sandbox().accessKey)
    assert.deepEqual(statuses(), [{}], 'nothing is asked before it is needed')
    const { error, grpcCode } = (await send()).caught
    assert.deepEqual([error.code, error.cause.transient, grpcCode], ['AUTH_UNAVAILABLE', true, undefined])
    assert.match(error.message, /discovery service/)
    await shows({ fill: 'red', shape: 'ring', text: 'ttn.status.unavailable' })
    const up = await proxy(sandbox().discovery, { port })
    assert.ok((await send()).out)
    await shows('ttn.status.ok')
    up.stop()
  })

  test(`discovery is asked once for all nodes and first messages, over ${transport}`, async (t) => {
    const through = await proxy(sandbox().discovery)
    t.after(() => through.stop())
    let opened = 0
    through.server.on('opened', () => (opened += 1))
    const all = flow({ transport }, discovered({ discovery: through.address }))
    await load([...all, { ...all.find(({ id }) => id === 'request'), id: 'second' }], sandbox().accessKey)
    let answers = 0
    const done = new Promise((resolve) => helper.getNode('out').on('input', () => (answers += 1) === 40 && resolve()))
    for (let i = 0; i < 20; i += 1) for (const id of ['request', 'second']) helper.getNode(id).receive({})
    await done
    assert.equal(opened, 1)
  })

  test(`discovery that never answers is given up in time, and at once on close, over ${transport}`, async (t) => {
    const silent = await proxy(sandbox().discovery, { hold: true })
    t.after(() => silent.stop())
    await load(flow({ transport }, discovered({ discovery: silent.address, timeout: '100' })), sandbox().accessKey)
    const { error } = (await send()).caught
    assert.equal(error.code, 'AUTH_TIMEOUT')
    assert.match(error.message, /discovery service/)
    await helper.unload()

    await load(flow({ transport }, discovered({ discovery: silent.address, timeout: '600000' })), sandbox().accessKey)
    const opened = once(silent.server, 'opened')
    const { network: held } = helper.getNode('network')
    const waiting = failure(held.client(transport))
    const [socket] = await opened
    const ended = new Promise((resolve) => socket.once('close', resolve))
    await helper.unload()
    assert.equal((await waiting).key, 'closed')
    await ended
  })

  test(`a Handler that has moved is found again, over ${transport}`, async (t) => {
    const old = await Sandbox.start({ rateLimit: false })
    const file = join(folder(t), 'key')
    writeFileSync(file, old.accessKey)
    const first = await proxy(old.discovery)
    const { port } = first.server.address()
    await load(flow({ transport }, discovered({ discovery: first.address, source: 'file', file })))
    assert.ok((await send()).out)
    first.stop()
    await old.stop()
    writeFileSync(file, sandbox().accessKey)
    const next = await proxy(sandbox().discovery, { port })
    assert.equal((await send()).caught?.error.code, 'AUTH_UNAVAILABLE')
    assert.ok((await send()).out)
    next.stop()
  })
}

test("the address of a discovery service is understood as a gRPC address is", async () => {
  const { host } = new URL(sandbox().discovery.replace('grpc', 'http'))
  for (const discovery of [`HTTP://${host}`, ` grpc://${host}`]) {
    await load(flow({}, discovered({ discovery })), sandbox().accessKey)
    assert.ok((await send()).out, discovery)
    await helper.unload()
  }
  // Without a scheme it is TLS, which is not spoken there.
  await load(flow({}, discovered({ discovery: host })), sandbox().accessKey)
  assert.match((await send()).caught?.error.code, /^AUTH_(TLS|UNAVAILABLE|PROTOCOL)$/)
})

test('an application that no Handler serves', async () => {
  await load(flow({}, discovered({ appId: 'no-such-app' })), sandbox().accessKey)
  const { error } = (await send()).caught
  assert.equal(error.code, 'AUTH_NOT_FOUND')
  assert.match(error.message, /discovery service: .*no-such-app/)
})

for (const [what, settings, code, text] of [
  ['no application', { appId: '' }, 'AUTH_INVALID_ARGUMENT', 'ttn.problem-short.discovery-app-id'],
  ['an unset variable as application', { appId: '${TTN_NOT_SET}' }, 'AUTH_INVALID_ARGUMENT', 'ttn.problem.variable'],
  ['an unset variable as discovery address', { discovery: '${TTN_NOT_SET}' }, 'AUTH_INVALID_ARGUMENT', 'ttn.problem.variable'],
  ['plaintext to another machine', { discovery: 'grpc://192.0.2.1:1900' }, 'AUTH_INSECURE_TRANSPORT', 'ttn.status.insecure-transport'],
  ['an address that is none', { discovery: 'ftp://discovery.example' }, 'AUTH_INVALID_ARGUMENT', 'ttn.status.invalid-argument'],
  ['a password in the address', { discovery: 'grpcs://me:hunter2@discovery.example' }, 'AUTH_INVALID_ARGUMENT', 'ttn.status.invalid-argument'],
]) {
  for (const transport of TRANSPORTS) {
    test(`discovery with ${what}, over ${transport}: said at once, and for each message`, async () => {
      await load(flow({ transport, appId: 'test-app' }, discovered(settings)), sandbox().accessKey)
      assert.deepEqual(statuses().map((status) => status.text), [text])
      const { error } = (await send()).caught
      assert.equal(error.code, code)
      assert.ok(!JSON.stringify(error).includes('hunter2'))
    })
  }
}

/** A tls-config node as the core's dialog makes it, and what is pasted into it. */
const tls = (more = {}) => ({
  id: 'tls', type: 'tls-config', name: '', cert: '', key: '', ca: '', certname: '', keyname: '', caname: '', certType: 'files',
  servername: '', verifyservercert: true, alpnprotocol: '', ...more,
})
const overTls = (more) => network(sandbox(), { grpcAddress: sandbox().grpcsAddress, httpAddress: sandbox().httpsAddress, tls: 'tls', ...more })

/** Loads a flow whose network uses a tls-config. */
async function loadWith(config, data = {}, { request = {}, settings = {} } = {}) {
  await helper.load([nodes, tlsConfig], flow(request, [config, overTls(settings)].filter(Boolean)), { network: { secret: sandbox().accessKey }, tls: data })
}

for (const transport of TRANSPORTS) {
  test(`a tls-config node's certificate is trusted, over ${transport}: a file, and pasted text`, async (t) => {
    const file = join(folder(t), 'ca.pem')
    writeFileSync(file, sandbox().ca)
    for (const [config, data] of [[tls({ ca: file }), {}], [tls({ caname: 'ca.pem' }), { cadata: sandbox().ca }]]) {
      // What is pasted into the network does not count beside it.
      await loadWith(config, data, { request: { transport }, settings: { ca: 'no PEM' } })
      assert.equal((await send()).out?.payload.dev_id, 'dev-1')
      await helper.unload()
    }
  })

  test(`a tls-config node without a certificate trusts whom the platform trusts, over ${transport}`, async () => {
    await loadWith(tls(), {}, { request: { transport }, settings: { ca: sandbox().ca } })
    assert.equal((await send()).caught?.error.code, 'AUTH_TLS')
    await shows({ fill: 'red', shape: 'ring', text: 'ttn.status.tls' })
  })
}

test('a tls-config node counts for a discovery service too', async () => {
  // A certificate that is given where none is needed is looked at.
  await loadWith(tls({ caname: 'x' }), { cadata: 'no PEM' }, { settings: { grpcAddress: '', discovery: sandbox().discovery } })
  assert.equal((await send()).caught?.error.code, 'AUTH_INVALID_ARGUMENT')
})

for (const [what, problem, config, data] of [
  ['that is not there', 'tls-missing', undefined],
  ['that is disabled', 'tls-missing', { d: true }],
  ['with a file that is not there', 'tls-invalid', { ca: '/no/such/file' }],
  ['with a certificate without its key', 'tls-invalid', { certname: 'x' }, { certdata: 'x' }],
  ['that verifies nothing', 'tls-unverified', { verifyservercert: false }],
  ['with a client certificate', 'tls-client', { certname: 'x', keyname: 'y' }, { certdata: 'x', keydata: 'y' }],
  ['with a server name', 'tls-server-name', { servername: 'handler.example' }],
  ['with an ALPN protocol', 'tls-alpn', { alpnprotocol: 'h2' }],
]) {
  test(`a tls-config node ${what} is refused, at once and for each message`, async () => {
    await loadWith(config === undefined ? undefined : tls(config), data)
    assert.deepEqual(statuses().map(({ text }) => text), [`ttn.problem-short.${problem}`])
    const { error } = (await send()).caught
    assert.equal(error.code, 'AUTH_INVALID_ARGUMENT')
    assert.match(error.message, new RegExp(`ttn\\.problem\\.${problem} \\(ttn\\.hint\\.${problem}\\)`))
  })
}

// Node-RED 5 has two more ways to give certificates.
if (nodeRed === 'node-red-5') {
  test('a tls-config node with its certificate in an environment variable is trusted, with a PKCS #12 file refused', async (t) => {
    process.env.TTN_TEST_CA = sandbox().ca
    t.after(() => delete process.env.TTN_TEST_CA)
    await loadWith(tls({ certType: 'env', caEnv: 'TTN_TEST_CA' }))
    assert.equal((await send()).out?.payload.dev_id, 'dev-1')
    await helper.unload()
    await loadWith(tls({ certType: 'pfx', p12name: 'x' }), { p12data: 'AAAA' })
    assert.match((await send()).caught?.error.message, /ttn\.problem\.tls-client/)
  })
}

test("another kind of node where a tls-config belongs is refused", async () => {
  await loadWith({ ...network(sandbox()), id: 'tls' })
  assert.match((await send()).caught?.error.message, /ttn\.problem\.tls-missing/)
})

test('a deployment of modified nodes that changes the tls-config alone is one of its users as well', async () => {
  await loadWith(tls({ caname: 'before' }), {})
  assert.equal((await send()).caught?.error.code, 'AUTH_TLS')
  const before = helper.getNode('network')
  const credentials = { network: { secret: sandbox().accessKey }, tls: { cadata: sandbox().ca } }
  await helper.setFlows(flow({}, [tls({ caname: 'after' }), overTls()]), 'nodes', credentials)
  assert.notEqual(helper.getNode('network'), before)
  assert.equal((await send()).out?.payload.dev_id, 'dev-1')
  await shows('ttn.status.ok')
})
