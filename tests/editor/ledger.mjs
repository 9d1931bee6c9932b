// What became of each message that nodes of a Node-RED in this process were given. The nodes are not asked: Node-RED's hooks
// tell.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'

/** The number that a message carries. */
const numberOf = (msg) => msg.number ?? Number(msg.req?.headers['x-number'])

export class Ledger extends EventEmitter {
  /** By number: how often a node took it, answered it, and was done with it, and how often others took what came of it. */
  #entries = new Map()
  #numbers = 0
  /** Messages that were put into a node and are not done with. */
  #pending = 0
  /** For each node, the numbers in the order in which it was done with them. */
  #order = new Map()
  /** The type of the deployment that is going on. */
  #deployment

  constructor(RED) {
    super()
    RED.hooks.add('onReceive.ledger', ({ destination: { id, node }, msg }) => {
      const entry = this.#entries.get(numberOf(msg))
      if (!entry) return
      // What is on its way between two nodes is lost with them: Node-RED hands it to a stopped node, where nobody listens.
      if (!node._inputCallback) entry.lost = true
      else if (id === entry.node) entry.taken += 1
      else if (id === 'caught') entry.caught += 1
      else entry.received += 1
    })
    RED.hooks.add('onSend.ledger', (events) => {
      for (const { source, msg } of events) this.#note(source.id, msg, (entry) => (entry.sent += 1))
    })
    RED.hooks.add('onComplete.ledger', ({ node, msg, error }) => {
      this.#note(node.id, msg, (entry) => {
        Object.assign(entry, { done: entry.done + 1, error: error?.code, deployment: this.#deployment })
        this.#order.get(node.id).push(numberOf(msg))
        if (entry.put && (this.#pending -= 1) === 0) this.emit('idle')
      })
    })
    RED.events.on('flows:stopping', ({ type }) => (this.#deployment = type))
    RED.events.on('flows:started', () => (this.#deployment = undefined))
  }

  #note(node, msg, note) {
    const entry = this.#entries.get(numberOf(msg))
    if (entry?.node === node) note(entry)
  }

  /** The number of a new message for a node. */
  open(node, put = false) {
    if (!this.#order.has(node)) this.#order.set(node, [])
    this.#entries.set(this.#numbers, { node, put, taken: 0, sent: 0, received: 0, done: 0, caught: 0, lost: false })
    return this.#numbers++
  }

  /** Puts a message into a node, as the node before it would. */
  put(node) {
    const number = this.open(node.id, true)
    this.#pending += 1
    node.receive({ number })
  }

  /** When all that was put into nodes is done with. */
  async idle() {
    if (this.#pending === 0) return
    await once(this, 'idle', { signal: AbortSignal.timeout(30_000) }).catch(() => assert.fail(`${this.#pending} messages are lost`))
  }

  entry(number) {
    return this.#entries.get(number)
  }

  /**
   * Each message that a node has taken has one answer or one of these errors, and a catch node that ran has the error. Nodes in
   * `kept` were done with them in order. Returns how often each outcome was, and forgets the messages.
   */
  settle(codes, kept) {
    const outcomes = {}
    for (const [number, { node, put, taken, sent, received, done, error, caught, deployment }] of this.#entries) {
      const where = `message ${number} of ${node}`
      assert.equal(done, taken, `${where}: done with once`)
      if (!put) continue
      assert.equal(taken, 1, `${where}: taken`)
      assert.equal(sent, error ? 0 : 1, `${where}: answered once, or an error`)
      assert.ok(received <= 1, `${where}: not doubled`)
      assert.ok(!error || codes.has(error), `${where}: ${error}`)
      // The catch node is there then.
      if (error && (deployment === undefined || deployment === 'nodes')) assert.equal(caught, 1, `${where}: caught once`)
      outcomes[error ?? 'answered'] = (outcomes[error ?? 'answered'] ?? 0) + 1
    }
    for (const node of kept) assert.deepEqual(this.#order.get(node), this.#order.get(node).toSorted((a, b) => a - b), `${node}: order`)
    this.#entries.clear()
    for (const numbers of this.#order.values()) numbers.length = 0
    return outcomes
  }
}
