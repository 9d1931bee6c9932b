// Ten thousand messages at once through a ttn-request node, in the real editor: each is answered once, in order if that is
// kept, the node's status shows how it goes on, and meanwhile the editor is as usable as ever.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer, connect } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { after, test } from 'node:test'

import { withEditor } from './editor.mjs'
import { button, network, request, tab, withSecret } from './flows.mjs'

const MANY = 10_000
/** After so many answers everything else has its turn: the calls that run at once, and as many again. */
const MOST_IN_A_TURN = 32
const MODES = { kept: { transport: 'grpc', order: 'kept' }, free: { transport: 'http', order: '' } }

/** A way to a server that can be closed for a while: what is sent then waits. */
class Gate {
  #server
  #waiting = []
  #sockets = new Set()
  closed = false

  async start(target) {
    const { hostname, port, protocol } = new URL(target)
    this.#server = createServer((socket) => {
      const upstream = connect(port, hostname)
      for (const one of [socket, upstream]) {
        this.#sockets.add(one)
        one.on('error', () => {}).on('close', () => [socket, upstream].forEach((either) => either.destroy()))
      }
      upstream.pipe(socket)
      socket.on('data', (chunk) => (this.closed ? this.#waiting.push(() => upstream.write(chunk)) : upstream.write(chunk)))
    })
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `${protocol}//127.0.0.1:${this.#server.address().port}`
  }

  open() {
    this.closed = false
    for (const send of this.#waiting.splice(0)) send()
  }

  stop() {
    for (const socket of this.#sockets) socket.destroy()
    this.#server?.close()
  }
}

/** What came of the messages of one node, and the gate that lets no more than so many be answered. */
class Run extends EventEmitter {
  answered = []
  errors = []
  /** The most that were answered within one turn of the event loop. */
  most = 0
  #until = Infinity
  #turn = 0

  constructor(id, gate) {
    super()
    this.gate = gate
    const { RED } = editor.nodeRed
    RED.hooks.add(`onComplete.${id}`, ({ node, msg, error }) => {
      if (node.id === id) this.#ended(msg.number, error)
    })
  }

  #ended(number, error) {
    if (error) this.errors.push(error.message)
    this.answered.push(number)
    if (this.#turn === 0) setImmediate(() => (this.#turn = 0))
    this.most = Math.max(this.most, (this.#turn += 1))
    if (this.answered.length >= this.#until) this.gate.closed = true
    if (this.answered.length === MANY) this.emit('all')
  }

  /** Lets so many be answered, and a few more, which are on their way. */
  until(count) {
    this.#until = count
    if (this.answered.length < count) this.gate.open()
  }

  async all() {
    if (this.answered.length < MANY) await once(this, 'all')
  }
}

const gates = { grpc: new Gate(), http: new Gate() }
const editor = withEditor(async (sandbox) => [
  { ...tab(), label: 'many' },
  { ...network(sandbox, { timeout: '600000', ...withSecret(sandbox.accessKey) }), grpcAddress: await gates.grpc.start(sandbox.grpcAddress), httpAddress: await gates.http.start(sandbox.httpAddress) },
  ...Object.entries(MODES).flatMap(([id, settings], row) => [
    button(`${id}-burst`, { id: `${id}-press`, repeat: '', crontab: '', x: 120, y: 80 + 80 * row }),
    {
      id: `${id}-burst`, type: 'function', z: 'tab', x: 300, y: 80 + 80 * row, name: 'burst', outputs: 1, wires: [[id]],
      func: `return [Array.from({ length: ${MANY} }, (_, number) => ({ number }))]`,
    },
    request({ id, x: 520, y: 80 + 80 * row, ...settings, wires: [[]] }),
  ]),
  { id: 'other', type: 'change', z: 'tab', x: 300, y: 300, name: 'before', rules: [{ t: 'set', p: 'a', pt: 'msg', to: 'b', tot: 'str' }], wires: [[]] },
])
after(() => Object.values(gates).forEach((gate) => gate.stop()))

/** How many wait, as the node's status shows it in the browser, when it is less than so many. */
async function waiting(id, below = Infinity) {
  const number = await editor.page.waitForFunction(([node, most]) => {
    const text = document.querySelector(`#${node} .red-ui-flow-node-status-label`)?.textContent
    const [, count] = /^\d+ requesting, (\d+) waiting$/.exec(text) ?? []
    return count !== undefined && Number(count) < most && { count: Number(count) }
  }, [id, below])
  return (await number.jsonValue()).count
}

/** Opens a node's dialog, changes its name, deploys it, and reads the flows, as a person and a program would. */
async function change(name) {
  const { page } = editor
  await page.evaluate(() => RED.actions.invoke('core:set-deploy-type-to-modified-nodes'))
  await page.dblclick('#other .red-ui-flow-node')
  await page.fill('#node-input-name', name)
  await page.click('#node-dialog-ok')
  await page.waitForSelector('.red-ui-tray', { state: 'detached' })
  await editor.deploy()
  const flows = await page.evaluate(async () => (await fetch('flows', { headers: { accept: 'application/json' } })).json())
  assert.equal(flows.find(({ id }) => id === 'other').name, name)
}

for (const [id, { transport, order }] of Object.entries(MODES)) {
  test(`${MANY} messages over ${transport}, order ${order || 'as they come'}`, async (t) => {
    const run = new Run(id, gates[transport])
    const delay = monitorEventLoopDelay({ resolution: 1 })
    const started = performance.now()
    delay.enable()
    run.until(0.3 * MANY)
    await editor.press(`#${id}`)
    const first = await waiting(id)
    run.until(0.6 * MANY)
    const second = await waiting(id, first)
    assert.ok(second < first && first < MANY)
    // The last ones are not answered before all this is done; until then it goes on at full speed.
    run.until(0.9 * MANY)
    const at = run.answered.length
    await change(`changed ${id}`)
    t.diagnostic(`dialog, deployment and GET /flows while answers ${at} to ${run.answered.length} came`)
    assert.ok(run.answered.length < MANY, 'it was done before the last answer')
    run.until(Infinity)
    await run.all()
    delay.disable()
    const seconds = (performance.now() - started) / 1000
    t.diagnostic(`${seconds.toFixed(1)} s, ${Math.round(MANY / seconds)}/s, longest delay ${Math.round(delay.max / 1e6)} ms, most in a turn ${run.most}`)
    await editor.status(`#${id}`, /^ok \d+ ms$/)
    const numbers = Array.from({ length: MANY }, (_, number) => number)
    assert.deepEqual(run.errors, [])
    assert.ok(run.most <= MOST_IN_A_TURN, `${run.most} answers in one turn of the event loop`)
    assert.deepEqual(order === 'kept' ? run.answered : run.answered.toSorted((a, b) => a - b), numbers)
  })
}

test('the dialog marks what cannot be, and says what several at once can do to the order', async () => {
  const { page } = editor
  const open = () => page.dblclick('#free .red-ui-flow-node')
  const [atOnce, order, note] = ['#node-input-atOnce', '#node-input-order', '.ttn-row[data-for=kept]']
  await open()
  assert.deepEqual([await page.inputValue(atOnce), await page.inputValue(order)], ['', ''])
  for (const [text, wrong] of [['0', 1], ['257', 1], ['2.5', 1], ['many', 1], ['256', 0], ['1', 0], ['', 0], ['${TTN_NOT_SET}', 0]]) {
    await page.fill(atOnce, text)
    // The editor checks it when a key goes up.
    await page.press(atOnce, 'End')
    assert.equal(await page.locator(`${atOnce}.input-error`).count(), wrong, text)
  }
  assert.equal(await page.isVisible(note), false)
  await page.selectOption(order, 'kept')
  assert.equal(await page.isVisible(note), true)
  await page.fill(atOnce, '1')
  assert.equal(await page.isVisible(note), false)
  await page.fill(atOnce, '${TTN_NOT_SET}')
  await page.click('#node-dialog-ok')
  await page.waitForSelector('.red-ui-tray', { state: 'detached' })
  await editor.deploy()
  await editor.status('#free', /^variable TTN_NOT_SET not set$/)
  await open()
  assert.deepEqual([await page.inputValue(atOnce), await page.inputValue(order)], ['${TTN_NOT_SET}', 'kept'])
  await page.click('#node-dialog-cancel')
})
