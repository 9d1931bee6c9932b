// What one node's call finds out about the network is shown by all its nodes: a node never looks well when it is not.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'

import { Sandbox, TRANSPORTS, flow, folder, helper, load, network, proxy, send, shows, statuses, withSandbox } from './support.mjs'

const require = createRequire(import.meta.url)
const { Network } = require('../../node/nodes/lib/network.js')
const sandbox = withSandbox()

/** The flow of `flow`, and beside its request an idle one over each transport. */
function withIdle(request, config) {
  const all = flow(request, config)
  const first = all.find(({ id }) => id === 'request')
  return [...all, ...TRANSPORTS.map((transport) => ({ ...first, id: transport, name: transport, transport, devId: 'dev-1' }))]
}
const REFUSED = { fill: 'red', shape: 'dot', text: 'ttn.status.invalid-key' }
const UNREACHABLE = { fill: 'red', shape: 'ring', text: 'ttn.status.unavailable' }

/** The same with a node that puts the credentials on messages for others. */
function withHeaders(request, config) {
  const put = { id: 'put', type: 'ttn-auth-headers', z: 'tab', x: 1, y: 1, name: '', network: 'network', target: 'header', hosts: '', withCaller: false, wires: [['out']] }
  return [...withIdle(request, config), put]
}

test('ttn-auth-headers shows what a request has found wrong with the credential', async () => {
  await load(withHeaders({}, network(sandbox())), 'ttn-account-v2.wrong')
  assert.equal((await send()).caught?.error.code, 'AUTH_INVALID_KEY')
  await shows(REFUSED, 'put')
  // It is put on messages all the same, and no better for it.
  assert.ok((await send({ url: sandbox().httpAddress }, 'put')).out)
  await helper.getNode('network').network.headers('header')
  assert.equal(helper.getNode('network').network.state('grpc').problem?.code, 'AUTH_INVALID_KEY')
})

test('requests show what ttn-auth-headers has found wrong with the secret, until there is one', async (t) => {
  const file = join(folder(t), 'key')
  await load(withHeaders({}, network(sandbox(), { source: 'file', file })))
  assert.equal((await send({ url: sandbox().httpAddress }, 'put')).caught?.error.code, 'AUTH_INVALID_ARGUMENT')
  for (const id of ['put', ...TRANSPORTS]) await shows('ttn.status.file', id)
  writeFileSync(file, sandbox().accessKey)
  while (!(await send({ url: sandbox().httpAddress }, 'put')).out);
  await shows('ttn.status.attached', 'put')
  for (const id of TRANSPORTS) await shows({}, id)
})

test('the same of an account server that does not answer for a while', async (t) => {
  const own = await Sandbox.start({ rateLimit: false })
  t.after(() => own.stop())
  own.stopAccountServer()
  await load(withHeaders({}, network(own, { exchange: 'here', accountServer: own.accountServer })), own.accessKey)
  assert.equal((await send({ url: own.httpAddress }, 'put')).caught?.error.code, 'AUTH_EXCHANGE_UNAVAILABLE')
  for (const id of ['put', ...TRANSPORTS]) await shows('ttn.status.exchange-unavailable', id)
  await own.startAccountServer()
  while (!(await send({ url: own.httpAddress }, 'put')).out);
  await shows('ttn.status.attached', 'put')
  for (const id of TRANSPORTS) await shows({}, id)
})

for (const transport of TRANSPORTS) {
  test(`a key that is refused, over ${transport}, is shown by idle nodes over both, until it is taken`, async (t) => {
    const file = join(folder(t), 'key')
    writeFileSync(file, 'ttn-account-v2.wrong')
    await load(withIdle({ transport }, network(sandbox(), { source: 'file', file })))
    assert.equal((await send()).caught?.error.code, 'AUTH_INVALID_KEY')
    for (const id of ['request', ...TRANSPORTS]) await shows(REFUSED, id)
    writeFileSync(`${file}.new`, sandbox().accessKey)
    renameSync(`${file}.new`, file)
    assert.ok((await send()).out)
    await shows('ttn.status.ok')
    for (const id of TRANSPORTS) await shows({}, id)
  })

  test(`a host that is gone is shown by all nodes over ${transport}, once a call has seen it, and not by others`, async () => {
    const through = await proxy(sandbox()[`${transport}Address`])
    const { port } = through.server.address()
    const other = TRANSPORTS.find((one) => one !== transport)
    await load(withIdle({ transport }, network(sandbox(), { [`${transport}Address`]: through.address })), sandbox().accessKey)
    for (const id of [...TRANSPORTS, 'request']) {
      assert.ok((await send({}, id)).out)
      await shows('ttn.status.ok', id)
    }
    through.stop()
    assert.equal((await send()).caught?.error.code, 'AUTH_UNAVAILABLE')
    for (const id of ['request', transport]) await shows(UNREACHABLE, id)
    assert.equal(statuses(other).at(-1).text, 'ttn.status.ok')
    const again = await proxy(sandbox()[`${transport}Address`], { port })
    assert.ok((await send()).out)
    // Its own last result again, which was good.
    for (const id of ['request', transport]) await shows('ttn.status.ok', id)
    again.stop()
  })

  test(`what is a call's own stays its node's, over ${transport}`, async () => {
    const weak = sandbox().addAccessKey(sandbox().appId, ['settings'])
    for (const [secret, msg, code] of [
      [sandbox().accessKey, { dev_id: 'no-such' }, 'AUTH_NOT_FOUND'],
      [sandbox().accessKey, { method: 'no-such' }, 'AUTH_INVALID_ARGUMENT'],
      // The key may be good for the network's own application.
      [sandbox().accessKey, { app_id: 'other-app' }, 'AUTH_INVALID_KEY'],
      [weak, {}, 'AUTH_PERMISSION_DENIED'],
    ]) {
      await load(withIdle({ transport }, network(sandbox())), secret)
      const { error } = (await send(msg)).caught
      assert.equal(error.code, code)
      await shows(code === 'AUTH_INVALID_ARGUMENT' ? 'ttn.problem-short.call' : `ttn.status.${error.cause.kind}`)
      for (const id of TRANSPORTS) {
        assert.deepEqual(statuses(id), [{}], code)
        assert.equal(helper.getNode('network').network.state(id).problem, undefined, code)
      }
      await helper.unload()
    }
  })
}

test('an application that discovery does not know is shown by all nodes', async () => {
  const discovered = network(sandbox(), { grpcAddress: '', discovery: sandbox().discovery, appId: 'no-such-app' })
  await load(withIdle({}, discovered), sandbox().accessKey)
  assert.equal((await send()).caught?.error.code, 'AUTH_NOT_FOUND')
  for (const id of ['request', 'grpc']) await shows('ttn.status.not-found', id)
  assert.deepEqual(statuses('http'), [{}])
})

test('an account server that is down is shown by all nodes, and back again', async (t) => {
  const own = await Sandbox.start({ rateLimit: false })
  t.after(() => own.stop())
  own.stopAccountServer()
  await load(withIdle({}, network(own)), own.accessKey)
  assert.equal((await send()).caught?.error.code, 'AUTH_EXCHANGE_UNAVAILABLE')
  for (const id of ['request', ...TRANSPORTS]) await shows({ fill: 'red', shape: 'ring', text: 'ttn.status.exchange-unavailable' }, id)
  await own.startAccountServer()
  assert.ok((await send()).out)
  for (const id of TRANSPORTS) await shows({}, id)
})

test('a variable that is set later is noticed by all', async (t) => {
  const NAME = 'TTN_TEST_LATER'
  await load(withIdle({}, network(sandbox(), { source: 'environment', variable: NAME })))
  for (const id of ['request', ...TRANSPORTS]) assert.equal(statuses(id).at(-1).text, 'ttn.problem.variable')
  process.env[NAME] = sandbox().accessKey
  t.after(() => delete process.env[NAME])
  assert.ok((await send()).out)
  await shows('ttn.status.ok')
  for (const id of TRANSPORTS) await shows({}, id)
})

test('connecting until there is an answer, requesting from then on', async (t) => {
  const waiting = []
  const server = createServer((_, response) => {
    waiting.push(() => response.setHeader('content-type', 'application/json').end('{"dev_id":"dev-1"}'))
    server.emit('waiting')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close() && server.closeAllConnections())
  const httpAddress = `http://127.0.0.1:${server.address().port}`
  await load(withIdle({ transport: 'http' }, network(sandbox(), { httpAddress })), sandbox().accessKey)
  for (let sent = 0; sent < 2; sent += 1) helper.getNode('request').receive({})
  while (waiting.length < 2) await once(server, 'waiting')
  await shows({ fill: 'yellow', shape: 'ring', text: 'ttn.status.connecting' })
  waiting[0]()
  await shows({ fill: 'blue', shape: 'dot', text: 'ttn.status.requesting' })
  waiting[1]()
  await shows({ fill: 'green', shape: 'dot', text: 'ttn.status.ok' })
  assert.deepEqual(statuses('http'), [{}], 'that is what others do, not what is wrong')
})

test('whoever has left is not told any more, nor anybody once the network is closed', async () => {
  await load(flow({}, network(sandbox())), 'ttn-account-v2.wrong')
  const held = helper.getNode('network').network
  const told = { left: 0, stayed: 0 }
  const [leaves, stays] = [() => (told.left += 1), () => (told.stayed += 1)]
  for (const user of [leaves, stays]) held.join(user)
  assert.ok((await send()).caught)
  assert.ok(told.left > 0 && told.left === told.stayed)
  const before = told.left
  held.leave(leaves)
  assert.ok((await send()).caught)
  assert.ok(told.left === before && told.stayed > before)
  const last = told.stayed
  let answer
  const running = held.use('grpc', () => new Promise((resolve) => (answer = resolve)))
  await held.client('grpc')
  await helper.unload()
  answer()
  await running
  held.check('grpc')
  await assert.rejects(held.use('grpc', assert.fail), { key: 'closed' })
  assert.equal(told.stayed, last)
})

test('a node that is deployed anew is told in the place of the old one', async () => {
  await load(withIdle({}, network(sandbox())), 'ttn-account-v2.wrong')
  const old = helper.getNode('http')
  const changed = withIdle({}, network(sandbox())).map((node) => (node.id === 'http' ? { ...node, name: 'changed' } : node))
  await helper.setFlows(changed, 'nodes', { network: { secret: 'ttn-account-v2.wrong' } })
  assert.notEqual(helper.getNode('http'), old)
  assert.ok((await send()).caught)
  await shows(REFUSED, 'http')
  assert.deepEqual(old.status.getCalls().filter(({ thisValue }) => thisValue === old).map(({ args }) => args[0]), [{}])
})

/** A network outside of Node-RED, its clock `before` the token's end. */
function until(end, settings, secret, before = 2 * 86_400_000) {
  const timers = new Set()
  const setTimeout = (call) => {
    const timer = { call, unref: () => timer }
    timers.add(timer)
    return timer
  }
  const clock = { now: () => end - before, setTimeout, clearTimeout: (timer) => timers.delete(timer) }
  const made = new Network(network(sandbox(), settings), { secret }, { variable: (name) => process.env[name], path: (path) => path }, clock)
  made.check('grpc')
  return { made, timers, left: () => made.state('grpc').left }
}
const expiresAt = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).exp * 1000

test('what is left of a token is told, wherever it comes from; of a key nothing, and nothing of a token that is renewed', async (t) => {
  const token = sandbox().mintToken({ expiresIn: 3600 })
  const end = expiresAt(token)
  const file = join(folder(t), 'token')
  writeFileSync(file, token)
  process.env.TTN_TEST_TOKEN = token
  t.after(() => delete process.env.TTN_TEST_TOKEN)
  const kind = 'bearer-token'
  for (const [settings, secret] of [[{ kind }, token], [{ kind, source: 'file', file }], [{ kind, source: 'environment', variable: 'TTN_TEST_TOKEN' }]]) {
    const { made, timers, left } = until(end, settings, secret)
    assert.deepEqual([left(), timers.size], [{ unit: 'd', count: 2 }, 1])
    made.close()
    assert.equal(timers.size, 0)
  }
  for (const settings of [{}, { exchange: 'here', accountServer: sandbox().accountServer }]) {
    const { made, timers, left } = until(end, settings, sandbox().accessKey)
    await made.use('grpc', (client) => client.getDevice({ app_id: 'test-app', dev_id: 'dev-1' }))
    assert.deepEqual([left(), timers.size], [undefined, 0])
    made.close()
  }
})

test('of a file it is the token in it now; a file without one is no reason to fail', async (t) => {
  const file = join(folder(t), 'token')
  const token = sandbox().mintToken({ expiresIn: 3600 })
  writeFileSync(file, token)
  const { made, left } = until(expiresAt(token), { kind: 'bearer-token', source: 'file', file })
  assert.deepEqual(left(), { unit: 'd', count: 2 })
  sandbox().revoke(token)
  writeFileSync(file, sandbox().mintToken({ expiresIn: 3600 + 86_400 }))
  // What is refused is read again at once.
  await made.use('grpc', (client) => client.getDevice({ app_id: 'test-app', dev_id: 'dev-1' }))
  assert.equal(left().count, 3)
  made.close()
  const missing = until(0, { kind: 'bearer-token', source: 'file', file: '/no/such/file' })
  assert.equal(missing.left(), undefined)
  missing.made.close()
})

test("a token that has expired by a wrong clock here, and is taken by the server, is not shown as expired by anybody", async () => {
  const token = sandbox().mintToken({ expiresIn: 3600 })
  const { made, left } = until(expiresAt(token), { kind: 'bearer-token' }, token, -1000)
  const call = () => made.use('grpc', (client) => client.getDevice({ app_id: 'test-app', dev_id: 'dev-1' }))
  await call()
  const seen = []
  made.join(() => seen.push(left()))
  assert.deepEqual(left(), { expired: true })
  await call()
  assert.deepEqual(seen, [undefined])
  made.close()
})

test('a bearer token that ends soon, or has, is shown before the first message', async () => {
  for (const [expiresIn, status] of [
    [3 * 86_400 + 600, { fill: 'yellow', shape: 'dot', text: 'ttn.status.expires' }],
    [-60, { fill: 'red', shape: 'dot', text: 'ttn.status.token-expired' }],
    [8 * 86_400, {}],
  ]) {
    await load(flow({}, network(sandbox(), { kind: 'bearer-token' })), sandbox().mintToken({ expiresIn }))
    assert.deepEqual(statuses(), [status])
    await helper.unload()
  }
})
