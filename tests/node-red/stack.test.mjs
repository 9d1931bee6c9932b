// ttn-request with a network of The Things Stack: its calls, pages, fields and errors, over both transports.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'

import { TRANSPORTS, flow, folder, helper, load, logged, network, nodeRed, nodes, send, shows, stackNetwork, withSandbox } from './support.mjs'

const require = createRequire(import.meta.url)
const { Network } = require('../../node/nodes/lib/network.js')
const core = (name) => createRequire(require.resolve(nodeRed))(`@node-red/nodes/core/${name}.js`)
const sandbox = withSandbox()

/** A ttn-request node that makes one of The Things Stack's calls. */
const request = (more) => ({ call: 'endDevices.get', devId: 'dev1', fieldMask: 'name', pages: '', ...more })
const loadStack = (more, secret = sandbox().stack.apiKey, settings) => load(flow(request(more), stackNetwork(sandbox(), settings)), secret)

for (const transport of TRANSPORTS) {
  test(`reads a device over ${transport}`, async () => {
    await loadStack({ transport })
    const { out, caught } = await send()
    assert.equal(out?.payload.name, 'Dev dev1', JSON.stringify(caught?.error))
    assert.equal(out.payload.ids.dev_eui, '70B3D57ED000AB01')
    const { grpcAddress, httpAddress } = sandbox().stack
    if (transport === 'grpc') assert.deepEqual([out.grpcCode, out.responseUrl], [0, `${grpcAddress}/ttn.lorawan.v3.EndDeviceRegistry/Get`])
    else assert.deepEqual([out.statusCode, out.responseUrl], [200, `${httpAddress}/api/v3/applications/app1/devices/dev1`])
    await shows({ fill: 'green', shape: 'dot', text: 'ttn.status.ok' })
  })

  test(`creates, changes, lists and deletes a device over ${transport}`, async () => {
    await loadStack({ transport, devId: '' })
    const dev_id = `made-${transport}`
    const made = await send({ method: 'endDevices.create', dev_id, payload: { name: 'made here' } })
    assert.equal(made.out?.payload.ids.device_id, dev_id, made.caught?.error.message)
    // The ids in what is sent count if nothing else names one; the whole request may be sent as well.
    const payload = { end_device: { ids: { device_id: dev_id }, name: 'changed', description: 'not named' }, field_mask: { paths: ['name'] } }
    assert.equal((await send({ method: 'endDevices.update', payload })).out?.payload.name, 'changed')
    const read = (await send({ dev_id, field_mask: ['name', 'description'] })).out.payload
    assert.deepEqual([read.name, read.description], ['changed', undefined])
    const all = (await send({ method: 'endDevices.list' })).out.payload
    assert.deepEqual(all.map(({ ids }) => ids.device_id).sort(), ['dev1', 'dev2', 'dev3', dev_id].sort())
    assert.deepEqual((await send({ method: 'endDevices.delete', dev_id })).out?.payload, {})
    assert.equal((await send({ dev_id })).caught.error.code, 'AUTH_NOT_FOUND')
  })

  test(`applications over ${transport}: of a user, made, changed, deleted`, async () => {
    await loadStack({ transport, call: 'applications.list', devId: '', appId: '' }, sandbox().stack.userApiKey, { appId: '' })
    const ids = async (msg) => (await send(msg)).out.payload.map((application) => application.ids.application_id)
    assert.ok((await ids({})).includes('app1'))
    assert.ok((await ids({ user_id: 'alice' })).includes('app1'))
    const app_id = `app-of-${transport}`
    assert.match((await send({ method: 'applications.create', app_id, payload: {} })).caught.error.message, /id-missing/)
    const made = await send({ method: 'applications.create', app_id, user_id: 'alice', payload: { name: 'mine' } })
    assert.equal(made.out?.payload.name, 'mine', made.caught?.error.message)
    assert.equal((await send({ method: 'applications.update', app_id, payload: { name: 'ours' }, field_mask: 'name' })).out?.payload.name, 'ours')
    assert.equal((await send({ method: 'applications.get', app_id })).out?.payload.name, 'ours')
    assert.ok((await send({ method: 'applications.delete', app_id })).out)
  })

  test(`what the credential is over ${transport}: rights and expiry; nothing of the secret`, async () => {
    const key = sandbox().stack.key('app1_expires_2030')
    await loadStack({ transport, call: 'authInfo' }, key)
    const { out } = await send()
    assert.deepEqual([out.payload.kind, out.payload.entity], ['api-key', { kind: 'application', id: 'app1' }])
    assert.ok(out.payload.rights.length > 0 && new Date(out.payload.expiresAt).getUTCFullYear() === 2030)
    assert.ok(!JSON.stringify(out).includes(key.split('.')[2]))
    for (const text of logged()) assert.ok(!text.includes(key))
  })

  test(`any route or method over ${transport}`, async () => {
    if (transport === 'http') {
      await loadStack({ call: 'http', path: '/api/v3/applications/{app_id}/devices/{dev_id}' })
      assert.equal((await send({ query: { field_mask: 'name' } })).out?.payload.name, 'Dev dev1')
    } else {
      await loadStack({ call: 'grpc', rpc: '/ttn.lorawan.v3.EntityAccess/AuthInfo' })
      assert.ok((await send({ payload: Buffer.alloc(0) })).out?.payload.includes('app1'))
    }
  })

  test(`pages over ${transport}: one message each, which a join node makes one array of`, async () => {
    const join = { id: 'join', type: 'join', z: 'tab', x: 1, y: 1, mode: 'auto', wires: [['joined']] }
    const parts = flow(request({ transport, call: 'endDevices.list', devId: '', pages: 'each' }), stackNetwork(sandbox()))
    const wired = parts.map((node) => (node.id === 'request' ? { ...node, wires: [['out', 'join']] } : node))
    await helper.load([nodes, core('sequence/17-split')], [...wired, join, { id: 'joined', type: 'helper', z: 'tab', x: 1, y: 1, wires: [] }], {
      network: { secret: sandbox().stack.apiKey },
    })
    const came = []
    helper.getNode('out').on('input', (msg) => came.push(msg))
    for (const [limit, sizes] of [[2, [2, 1]], [1, [1, 1, 1]], [3, [3]], [100, [3]]]) {
      came.length = 0
      const joined = new Promise((resolve) => helper.getNode('joined').once('input', resolve))
      helper.getNode('request').receive({ query: { limit }, topic: 'kept' })
      const { payload } = await joined
      assert.deepEqual(payload.map(({ ids }) => ids.device_id), ['dev1', 'dev2', 'dev3'])
      assert.deepEqual(came.map((msg) => msg.payload.length), sizes)
      assert.deepEqual(came.map((msg) => [msg.topic, msg.parts.index, msg.parts.count]), sizes.map((_, index) => ['kept', index, index === sizes.length - 1 ? sizes.length : undefined]))
      assert.equal(new Set(came.map((msg) => msg.parts.id)).size, 1)
    }
  })
}

test('pages in the order of their messages: those of the first before those of the second', async () => {
  await loadStack({ call: 'endDevices.list', devId: '', pages: 'each', order: 'kept' })
  const came = []
  const all = new Promise((resolve) => helper.getNode('out').on('input', (msg) => came.push(msg.number) === 6 && resolve()))
  for (const number of [1, 2]) helper.getNode('request').receive({ number, query: { limit: 1 } })
  await all
  assert.deepEqual(came, [1, 1, 1, 2, 2, 2])
})

test('an empty list is one message, in pages as well', async () => {
  for (const pages of ['', 'each']) {
    await loadStack({ call: 'endDevices.list', devId: '', appId: 'app2', pages }, sandbox().stack.key('app2_all'))
    const { out, caught } = await send()
    assert.ok(Array.isArray(out?.payload), caught?.error.message)
    await helper.unload()
  }
})

test('what cannot be asked is said before anything is sent', async () => {
  await loadStack({ devId: '' })
  const calls = () => sandbox().stack.counts.calls - sandbox().stack.counts.authInfos
  const before = calls()
  for (const [msg, problem] of [
    [{ method: 'getDevice' }, 'call-of-v2'],
    [{ method: 'endDevices.list', query: { limit: 5000 } }, 'page-size'],
    [{ method: 'endDevices.list', query: 'limit=1' }, 'query'],
    [{ method: 'toString' }, 'call'],
    [{ method: 'endDevices.get' }, 'id-missing'],
    [{ method: 'endDevices.create', dev_id: 'x', payload: 'text' }, 'payload-object'],
    [{ dev_id: 'dev1', field_mask: [7] }, 'field-mask'],
  ]) {
    const { caught } = await send(msg)
    assert.match(caught?.error.message ?? 'no error', new RegExp(`ttn\\.problem\\.${problem} `), JSON.stringify(msg))
  }
  await helper.unload()
  await loadStack({ fieldMask: '' })
  assert.match((await send({ method: 'endDevices.update', payload: { name: 'x' } })).caught.error.message, /field-mask-missing/)
  assert.equal(calls(), before)
})

test('a flow of V2 that names a call of The Things Stack', async () => {
  await load(flow({ call: 'endDevices.get' }, network(sandbox())), sandbox().accessKey)
  assert.match((await send()).caught.error.message, /call-of-stack/)
})

test('a key without the right, an expired one, an unknown one: each by its name, and shown by all', async () => {
  const { stack } = sandbox()
  for (const [name, code, status] of [
    ['app2_all', 'AUTH_PERMISSION_DENIED', 'ttn.status.permission-denied'],
    ['app1_expired', 'AUTH_KEY_EXPIRED', 'ttn.status.key-expired'],
    ['unknown_id', 'AUTH_INVALID_KEY', 'ttn.status.api-key-refused'],
  ]) {
    for (const transport of TRANSPORTS) {
      await loadStack({ transport }, stack.key(name))
      const { caught } = await send()
      assert.equal(caught?.error.code, code, `${name} ${transport}`)
      await shows(status)
      await helper.unload()
    }
  }
})

test('a credential of the other network is refused before it is sent anywhere', async () => {
  const { stack, bearerToken, accessKey, grpcAddress } = sandbox()
  for (const [settings, secret, problem, more] of [
    [stackNetwork(sandbox(), { kind: 'bearer-token' }), bearerToken, 'secret-of-v2'],
    [network(sandbox(), { kind: 'bearer-token' }), stack.key('oauth_access'), 'secret-of-stack', { call: 'getDevice' }],
    [stackNetwork(sandbox(), { network: 'v4' }), stack.apiKey, 'network-unknown'],
    [stackNetwork(sandbox(), { cluster: 'mars1' }), stack.apiKey, 'cluster-unknown'],
  ]) {
    await load(flow(request(more), settings), secret)
    assert.match((await send()).caught?.error.message ?? 'no error', new RegExp(problem))
    await helper.unload()
  }
  await loadStack({}, accessKey)
  assert.equal((await send()).caught?.error.code, 'AUTH_INVALID_CREDENTIALS')
  assert.ok(grpcAddress)
})

test('an OAuth access token, a session token, a key in a variable', async (t) => {
  for (const name of ['oauth_access', 'session_token']) {
    await loadStack({}, sandbox().stack.key(name), { kind: 'bearer-token' })
    assert.equal((await send()).out?.payload.name, 'Dev dev1', name)
    await helper.unload()
  }
  process.env.TTN_TEST_STACK_KEY = sandbox().stack.apiKey
  t.after(() => delete process.env.TTN_TEST_STACK_KEY)
  await loadStack({}, undefined, { source: 'environment', variable: 'TTN_TEST_STACK_KEY' })
  assert.equal((await send()).out?.payload.name, 'Dev dev1')
})

test('a refresh token is traded, and the next one kept: after a restart the first one still leads to it', async (t) => {
  const { stack } = sandbox()
  const key = Buffer.alloc(32, 7).toString('base64')
  const settings = { kind: 'refresh-token', clientId: stack.clientId, storeFile: `${folder(t)}/tokens` }
  const secrets = { secret: stack.refreshToken, clientSecret: stack.clientSecret, storeKey: key }
  for (let start = 0; start < 2; start += 1) {
    await load(flow(request(), stackNetwork(sandbox(), settings)), secrets)
    const { out, caught } = await send()
    assert.equal(out?.payload.name, 'Dev dev1', caught?.error.message)
    await helper.unload()
  }
  await load(flow(request(), stackNetwork(sandbox(), { ...settings, storeFile: '' })), { ...secrets, storeKey: '' })
  assert.match((await send()).caught.error.message, /store-needed/)
})

test('when a key ends is asked once, and shown', async () => {
  const { stack } = sandbox()
  const expiresAt = Date.now() + 3 * 86_400_000 + 3_600_000
  const key = stack.addApiKey({ application: 'app1', rights: ['RIGHT_APPLICATION_ALL'], expiresAt })
  const before = stack.counts.authInfos
  await loadStack({}, key)
  await shows({ fill: 'yellow', shape: 'dot', text: 'ttn.status.key-expires' })
  for (let i = 0; i < 5; i += 1) assert.ok((await send()).out)
  await shows({ fill: 'yellow', shape: 'dot', text: 'ttn.status.ok-key-expires' })
  assert.equal(stack.counts.authInfos, before + 1)
})

test('ttn-auth-headers puts it on headers and on metadata as Bearer, and takes another one off', async () => {
  const { apiKey, httpAddress } = sandbox().stack
  const headers = { id: 'request', type: 'ttn-auth-headers', z: 'tab', x: 1, y: 1, network: 'network', hosts: '', withCaller: false, wires: [['out']] }
  const put = (target) => flow({}, stackNetwork(sandbox())).map((node) => (node.id === 'request' ? { ...headers, target } : node))
  await load(put('header'), apiKey)
  assert.equal((await send({ url: `${httpAddress}/api/v3/auth_info` })).out?.headers.authorization, `Bearer ${apiKey}`)
  await helper.unload()
  await load(put('metadata'), apiKey)
  assert.deepEqual((await send({ metadata: { authorization: 'Bearer old', token: 'old', other: 'kept' } })).out?.metadata, { authorization: `Bearer ${apiKey}`, other: 'kept' })
  const { caught } = await send({ url: 'elsewhere:1', metadata: { authorization: 'Bearer old' } })
  assert.equal(caught?.metadata?.authorization, undefined)
})

test('addresses: the public clusters, and which of them has the applications', async () => {
  const made = (settings) => new Network({ network: 'the-things-stack', kind: 'api-key', ...settings }, { secret: sandbox().stack.apiKey }, {})
  const addresses = async (settings, options) => Promise.all(TRANSPORTS.map(async (transport) => (await made(settings).client(transport, options)).address))
  assert.deepEqual(await addresses({ cluster: 'nam1' }), ['grpcs://nam1.cloud.thethings.network:8884', 'https://nam1.cloud.thethings.network:443'])
  assert.deepEqual(await addresses({ cluster: 'nam1' }, { identity: true }), ['grpcs://eu1.cloud.thethings.network:8884', 'https://eu1.cloud.thethings.network:443'])
  const own = { cluster: 'own', grpcAddress: 'stack.example', httpAddress: 'stack.example' }
  assert.deepEqual(await addresses(own, { identity: true }), ['grpcs://stack.example:8884', 'https://stack.example:443'])
})
