// A deployment takes the new credential, and leaves nothing of the old behind.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'

import { TRANSPORTS, flow, helper, load, network, proxy, send, withSandbox } from './support.mjs'

const sandbox = withSandbox()

/** When a socket is closed, in whatever way: `once` would take its error for one of the test. */
const ended = (socket) => new Promise((resolve) => socket.once('close', resolve))

for (const type of ['full', 'nodes']) {
  for (const transport of TRANSPORTS) {
    test(`${type} deployment, ${transport}: the new key is used, the old client and its connection are closed`, async (t) => {
      const through = await proxy(sandbox()[`${transport}Address`])
      t.after(() => through.stop())
      const settings = network(sandbox(), { [`${transport}Address`]: through.address })
      await load(flow({ transport }, settings), sandbox().accessKey)
      assert.ok((await send()).out)
      const old = await helper.getNode('network').network.client(transport)
      const [connection] = through.open
      const closed = ended(connection)

      // "nodes" restarts what changed: here the network, and with it its users.
      const changed = flow({ transport }, { ...settings, name: 'changed' })
      await helper.setFlows(changed, type, { network: { secret: 'ttn-account-v2.wrong' } })
      await closed
      await assert.rejects(old.getDevice({ app_id: 'test-app', dev_id: 'dev-1' }), { code: 'AUTH_CANCELLED' })
      assert.equal((await send()).caught?.error.code, 'AUTH_INVALID_KEY')

      await helper.setFlows(flow({ transport }, { ...settings, name: 'again' }), type, { network: { secret: sandbox().accessKey } })
      assert.ok((await send()).out)
      assert.equal(through.open.size, 1)
    })

    test(`${type} deployment, ${transport}: what is in flight is aborted, and what waits fails as well`, async (t) => {
      const silent = await proxy(sandbox()[`${transport}Address`], { hold: true })
      t.after(() => silent.stop())
      const settings = network(sandbox(), { [`${transport}Address`]: silent.address })
      await load(flow({ transport, timeout: '600000' }, settings), sandbox().accessKey)
      const opened = once(silent.server, 'opened')
      const request = helper.getNode('request')
      for (let i = 0; i < 20; i += 1) request.receive({ i })
      const [connection] = await opened
      const closed = ended(connection)
      const errors = request.error
      await helper.setFlows(flow({ transport, timeout: '500000' }, { ...settings, name: 'changed' }), type, { network: { secret: sandbox().accessKey } })
      await closed
      const codes = errors.getCalls().filter(({ thisValue }) => thisValue === request).map(({ args }) => args[0].code)
      assert.deepEqual(codes, Array(20).fill('AUTH_CANCELLED'))
      const warned = request.warn.getCalls().filter(({ thisValue }) => thisValue === request)
      assert.deepEqual(warned.map(({ args }) => args), [['ttn.problem.dropped']])
    })
  }
}

test('a deployment of the request node alone keeps the shared client', async () => {
  const settings = network(sandbox())
  await load(flow({}, settings), sandbox().accessKey)
  assert.ok((await send()).out)
  const before = await helper.getNode('network').network.client('grpc')
  await helper.setFlows(flow({ name: 'changed' }, settings), 'nodes', { network: { secret: sandbox().accessKey } })
  assert.ok((await send()).out)
  assert.equal(await helper.getNode('network').network.client('grpc'), before)
})

test('a deployment of the request node alone aborts its own calls, not those of others', async (t) => {
  const silent = await proxy(sandbox().grpcAddress, { hold: true })
  t.after(() => silent.stop())
  const nodes = (name) => {
    const both = flow({ timeout: '600000', name }, network(sandbox(), { grpcAddress: silent.address }))
    return [...both, { ...both.find(({ id }) => id === 'request'), name: '', id: 'second' }]
  }
  await load(nodes('before'), sandbox().accessKey)
  const opened = once(silent.server, 'opened')
  const [request, second] = [helper.getNode('request'), helper.getNode('second')]
  for (const node of [request, second]) node.receive({})
  await opened
  await helper.setFlows(nodes('after'), 'nodes', { network: { secret: sandbox().accessKey } })
  const codes = (node) => node.error.getCalls().filter(({ thisValue }) => thisValue === node).map(({ args }) => args[0].code)
  assert.deepEqual([codes(request), codes(second)], [['AUTH_CANCELLED'], []])
  assert.equal(helper.getNode('second'), second)
})

test('all request nodes of a network share one connection for each transport', async (t) => {
  const grpc = await proxy(sandbox().grpcAddress)
  const http = await proxy(sandbox().httpAddress)
  t.after(() => [grpc, http].forEach((through) => through.stop()))
  const both = flow({}, network(sandbox(), { grpcAddress: grpc.address, httpAddress: http.address }))
  both.push({ ...both.find(({ id }) => id === 'request'), id: 'second' })
  await load(both, sandbox().accessKey)
  assert.ok((await send()).out)
  const answered = once(helper.getNode('out'), 'input')
  helper.getNode('second').receive({})
  await answered
  assert.equal(grpc.open.size, 1)
  assert.equal(http.open.size, 0, 'a transport that nobody uses is not connected')
})
