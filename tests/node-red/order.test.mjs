// In which order answers leave a ttn-request node, how many calls it makes at once, and what a deployment makes of the rest.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test } from 'node:test'

import { Held, REQUESTS } from './held.mjs'
import { TRANSPORTS, flow, helper, load, network, send, statuses, withSandbox } from './support.mjs'

const sandbox = withSandbox()

/** What came out of the request node or ended at the catch node, in order. */
class Seen extends EventEmitter {
  all = []

  constructor() {
    super()
    for (const name of ['out', 'caught']) {
      helper.getNode(name).on('input', (msg) => {
        this.all.push([msg.number, name === 'out' ? name : msg.error.code])
        this.emit('one')
      })
    }
  }

  async until(count) {
    while (this.all.length < count) await once(this, 'one')
    return this.all
  }
}

/** A request node that calls the server, `count` messages that have come to it, and what comes of them. */
async function start(t, transport, settings, count) {
  const held = await Held.start(t)
  const { request, msg } = REQUESTS[transport]
  const nodes = (more) => flow({ ...request, timeout: '600000', ...settings, ...more }, network(sandbox(), held.addresses))
  await load(nodes(), sandbox().accessKey)
  const seen = new Seen()
  const receive = (number) => helper.getNode('request').receive(msg(number))
  for (let number = 0; number < count; number += 1) receive(number)
  return { held, seen, nodes, receive }
}

const upTo = (count) => Array.from({ length: count }, (_, number) => number)

for (const transport of TRANSPORTS) {
  test(`${transport}, order kept: answers and errors leave in the order of their messages`, async (t) => {
    const { held, seen } = await start(t, transport, { order: 'kept' }, 8)
    await held.calls(8)
    for (const number of [7, 6, 5, 4, 3, 2, 1, 0]) held.answer(number, number !== 2 && number !== 7)
    assert.deepEqual(await seen.until(8), upTo(8).map((number) => [number, number === 2 || number === 7 ? 'AUTH_NOT_FOUND' : 'out']))
  })

  test(`${transport}, order kept: a message that cannot be sent waits for its turn as well`, async (t) => {
    const { held, seen, receive } = await start(t, transport, { order: 'kept' }, 1)
    helper.getNode('request').receive({ number: 1, timeout: 'never' })
    receive(2)
    await held.calls(2)
    held.answer(2)
    held.answer(0)
    assert.deepEqual(await seen.until(3), [[0, 'out'], [1, 'AUTH_INVALID_ARGUMENT'], [2, 'out']])
  })

  for (const settings of [{}, { order: '' }]) {
    test(`${transport}, ${'order' in settings ? 'as they come' : 'a flow that is older than the setting'}: no answer waits for another`, async (t) => {
      const { held, seen } = await start(t, transport, settings, 5)
      await held.calls(5)
      for (const [count, number] of [3, 1, 4, 2, 0].entries()) {
        held.answer(number)
        await seen.until(count + 1)
      }
      assert.deepEqual(seen.all.map(([number]) => number), [3, 1, 4, 2, 0])
    })
  }

  test(`${transport}: one at once with order kept is strictly one after the other`, async (t) => {
    const { held, seen } = await start(t, transport, { order: 'kept', atOnce: '1' }, 6)
    for (const number of upTo(6)) {
      await held.calls(number + 1)
      held.answer(number, number !== 3)
    }
    await seen.until(6)
    assert.deepEqual([held.came, held.most, seen.all.map(([number]) => number)], [upTo(6), 1, upTo(6)])
  })

  test(`${transport}: as many calls at once as are set, 16 if none are`, async (t) => {
    process.env.TTN_AT_ONCE = '3'
    t.after(() => delete process.env.TTN_AT_ONCE)
    for (const [atOnce, most] of [[undefined, 16], ['', 16], ['2', 2], [2, 2], ['${TTN_AT_ONCE}', 3], ['40', 40]]) {
      const { held, seen } = await start(t, transport, { atOnce }, 50)
      for (const count of upTo(50)) {
        await held.calls(Math.min(count + most, 50))
        held.answer(held.came[count])
      }
      await seen.until(50)
      assert.equal(held.most, most, `${atOnce}`)
      await helper.unload()
    }
  })

  test(`${transport}: the most at once, without a warning of Node.js`, async (t) => {
    const warned = []
    const warn = (warning) => warned.push(warning)
    process.on('warning', warn)
    t.after(() => process.off('warning', warn))
    await load(flow({ transport, atOnce: '256', order: 'kept' }, network(sandbox())), sandbox().accessKey)
    const seen = new Seen()
    for (const number of upTo(600)) helper.getNode('request').receive({ number })
    assert.deepEqual(await seen.until(600), upTo(600).map((number) => [number, 'out']))
    assert.deepEqual(warned, [])
  })

  for (const order of ['', 'kept']) {
    test(`${transport}, order "${order}": a deployment of the node gives each message that has not left to the catch node`, async (t) => {
      const { held, seen, nodes } = await start(t, transport, { order, atOnce: '4' }, 200)
      await held.calls(4)
      const request = helper.getNode('request')
      await helper.setFlows(nodes({ name: 'changed' }), 'nodes', { network: { secret: sandbox().accessKey } })
      assert.deepEqual(await seen.until(200), upTo(200).map((number) => [number, 'AUTH_CANCELLED']))
      assert.equal(request.warn.getCalls().filter(({ thisValue }) => thisValue === request).length, 1)
      for (const number of upTo(4)) held.answer(number)
      helper.getNode('request').receive({ number: 200, timeout: 'never' })
      assert.deepEqual((await seen.until(201))[200], [200, 'AUTH_INVALID_ARGUMENT'], 'what was answered later is not heard')
      assert.equal(held.came.length, 4)
    })
  }
}

test('a message that comes while the node is closed is an error as well', async (t) => {
  const { held, seen, receive } = await start(t, 'grpc', { atOnce: '1' }, 300)
  await held.calls(1)
  const closed = helper.getNode('request').close()
  receive(300)
  await closed
  assert.deepEqual(await seen.until(301), upTo(301).map((number) => [number, 'AUTH_CANCELLED']))
})

for (const [settings, problem] of [
  [{ atOnce: '0' }, 'at-once'],
  [{ atOnce: '-1' }, 'at-once'],
  [{ atOnce: '2.5' }, 'at-once'],
  [{ atOnce: '257' }, 'at-once'],
  [{ atOnce: 'many' }, 'at-once'],
  [{ atOnce: true }, 'at-once'],
  [{ atOnce: '${TTN_NOT_SET}' }, 'variable'],
  [{ order: 'sideways' }, 'order'],
  [{ order: '${TTN_NOT_SET}' }, 'variable'],
]) {
  test(`${JSON.stringify(settings)} is wrong: said at once, and by every message`, async () => {
    await load(flow(settings, network(sandbox())), sandbox().accessKey)
    const text = problem === 'variable' ? 'ttn.problem.variable' : `ttn.problem-short.${problem}`
    assert.deepEqual(statuses(), [{ fill: 'red', shape: 'ring', text }])
    for (let count = 0; count < 3; count += 1) {
      const { caught } = await send()
      assert.equal(caught?.error.code, 'AUTH_INVALID_ARGUMENT')
      assert.match(caught.error.message, new RegExp(`ttn\\.problem\\.${problem} `))
    }
  })
}
