// ttn-events: the events of The Things Stack as messages, its status, and that it ends when it should.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { test } from 'node:test'

import { TRANSPORTS, helper, nodes, network, shows, stackNetwork, statuses, withSandbox } from './support.mjs'

const { Events } = createRequire(import.meta.url)('../../node/nodes/lib/events.js')
const sandbox = withSandbox()
const at = { z: 'tab', x: 1, y: 1 }
const RED = { _: (key, values) => `${key} ${JSON.stringify(values)}` }

const flow = (more, config = stackNetwork(sandbox())) => [
  { id: 'tab', type: 'tab', label: 'test' },
  config,
  { id: 'events', type: 'ttn-events', ...at, name: '', network: 'network', transport: 'grpc', appId: '', devId: '', names: '', wires: [['out']], ...more },
  { id: 'out', type: 'helper', ...at, wires: [] },
  { id: 'any-error', type: 'catch', ...at, scope: null, uncaught: false, wires: [['caught']] },
  { id: 'caught', type: 'helper', ...at, wires: [] },
]
const load = (more, secret = sandbox().stack.apiKey, config) => helper.load(nodes, flow(more, config), { network: { secret } })
const connected = () => shows({ fill: 'green', shape: 'dot', text: 'ttn.status.connected' }, 'events')
const heard = async (id = 'out') => (await once(helper.getNode(id), 'input'))[0]
/** Waits until so many streams are open at the server. */
async function streams(count) {
  while (sandbox().stack.openStreams !== count) await new Promise(setImmediate)
}
const uplink = (more) => ({
  name: 'as.up.data.forward',
  identifiers: [{ device_ids: { device_id: 'dev1', application_ids: { application_id: 'app1' } } }],
  ...more,
})

for (const transport of TRANSPORTS) {
  test(`one message an event over ${transport}, which says what it is about`, async () => {
    await load({ transport })
    await connected()
    const message = heard()
    assert.equal(sandbox().stack.emit('app1', uplink()), 1)
    const { topic, payload, app_id, dev_id } = await message
    assert.deepEqual([topic, app_id, dev_id, payload.name], ['as.up.data.forward', 'app1', 'dev1', 'as.up.data.forward'])
    assert.ok(Date.parse(payload.time) > 0)
  })

  test(`a stream that breaks over ${transport} is opened again, and the status says so`, async () => {
    await load({ transport })
    await connected()
    const reopened = once(helper.getNode('events'), 'call:status')
    sandbox().stack.breakStreams()
    await reopened
    await connected()
    assert.ok(statuses('events').some(({ text }) => text === 'ttn.status.reconnecting'))
    const message = heard()
    sandbox().stack.emit('app1', uplink({ name: 'after.it' }))
    assert.equal((await message).topic, 'after.it')
  })

  test(`a key without a right over ${transport}: the status says on what, and one error goes to catch`, async () => {
    const caught = new Promise((resolve) => {
      helper.load(nodes, flow({ transport }), { network: { secret: sandbox().stack.key('app2_all') } }).then(() => heard('caught').then(resolve))
    })
    const { error } = await caught
    assert.equal(error.code, 'AUTH_PERMISSION_DENIED')
    await shows({ fill: 'red', shape: 'dot', text: 'ttn.status.events-right' }, 'events')
  })

  test(`a redeploy ends the stream over ${transport}, and opens one`, async () => {
    await load({ transport })
    await connected()
    await streams(1)
    await helper.unload()
    await streams(0)
    await load({ transport })
    await connected()
    await streams(1)
  })
}

test('only the events that are named, of the applications that are named', async () => {
  await load({ appId: 'app1', names: 'as.up.data.forward, as.join' })
  await connected()
  const message = heard()
  assert.equal(sandbox().stack.emit('app1', { name: 'ns.up.data' }), 0)
  assert.equal(sandbox().stack.emit('app2', uplink()), 0)
  sandbox().stack.emit('app1', uplink({ name: 'as.join' }))
  assert.equal((await message).topic, 'as.join')
})

test('V2, no application, devices of several: said, and nothing is opened', async () => {
  const before = sandbox().stack.counts.streams
  for (const [more, problem, secret, config] of [
    [{}, 'events-of-v2', sandbox().accessKey, network(sandbox())],
    [{}, 'id-missing', undefined, stackNetwork(sandbox(), { appId: '' })],
    [{ appId: 'app1,app2', devId: 'dev1' }, 'events-devices'],
    [{ appId: '${TTN_TEST_NOT_SET}' }, 'variable'],
  ]) {
    await load(more, secret, config)
    const shown = problem === 'variable' ? 'ttn.problem.variable' : `ttn.problem-short.${problem}`
    await shows({ fill: 'red', shape: 'ring', text: shown }, 'events')
    await helper.unload()
  }
  await helper.load(nodes, flow({ network: '' }), {})
  await shows({ fill: 'grey', shape: 'ring', text: 'ttn.status.not-configured' }, 'events')
  assert.equal(sandbox().stack.counts.streams, before)
})

/** Events on a network that is told what to do. */
function made(listen, again) {
  const [sent, failed] = [[], []]
  const fake = { isStack: true, appId: 'app1', join() {}, leave() {}, check() {}, answered() {}, state: () => ({}), use: async (transport, call) => call({ events: listen }) }
  const events = new Events(RED, {}, () => fake, { event: (message) => sent.push(message), failed: (error) => failed.push(error), show() {} }, again)
  return { events, sent, failed }
}

test('what a flow has not had its turn with is not read: of a flood, nothing gathers', async () => {
  let read = 0
  const { events, sent } = made(async function* () {
    for (;;) yield { name: String((read += 1)) }
  })
  for (let turn = 0; turn < 50; turn += 1) {
    await new Promise(setImmediate)
    assert.ok(read - sent.length <= 1 && read <= turn + 3, `${read} read, ${sent.length} sent, in turn ${turn}`)
  }
  events.close()
  const last = sent.length
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
  assert.ok(sent.length - last <= 1)
})

test('after an error it is tried again, and the same error is said once', async () => {
  let tries = 0
  const { events, failed } = made(async function* () {
    tries += 1
    throw Object.assign(new Error('no'), { code: 'AUTH_PERMISSION_DENIED', kind: 'permission-denied' })
  }, 1)
  while (tries < 4) await new Promise((resolve) => setTimeout(resolve, 1))
  events.close()
  assert.equal(failed.length, 1)
})
