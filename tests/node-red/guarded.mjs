// What the guard's tests share: a real Node-RED that serves a guarded flow, a sandbox as its account server, and callers.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { inspect } from 'node:util'

import { startNodeRed } from '../../scripts/node-red.mjs'
import { Sandbox, nodeRed as version } from './support.mjs'

/** Starts both for a test file. What it returns has `sandbox` and `nodeRed` when a test runs. */
export function withGuard() {
  const guarded = new Guarded()
  before(() => guarded.start())
  after(() => guarded.stop())
  return guarded
}

class Guarded {
  log = []
  statuses = []
  /** Messages that the guard sent, by output. */
  sent = [[], []]
  caught = []
  /** How many messages the guard has begun with. */
  begun = 0

  async start() {
    this.sandbox = await Sandbox.start({ rateLimit: false })
    this.userDir = mkdtempSync(join(tmpdir(), 'ttn-guard-'))
    const keep = { level: 'trace', metrics: false, audit: false, handler: () => (entry) => this.log.push(entry) }
    this.nodeRed = await startNodeRed({ userDir: this.userDir, nodeRed: version, settings: { logging: { keep } } })
    const { RED } = this.nodeRed
    RED.events.on('node-status', ({ id, status }) => {
      if (id !== 'guard') return
      this.statuses.push(status)
      RED.events.emit('guard-status')
    })
    RED.hooks.add('onSend.guarded', (events) => {
      for (const { source, msg } of events) if (source.id === 'guard') this.sent[source.port].push(msg)
    })
    RED.hooks.add('postReceive.guarded', ({ destination }) => {
      if (destination.id !== 'guard') return
      this.begun += 1
      RED.events.emit('guard-begun')
    })
    RED.hooks.add('onReceive.guarded', ({ destination, msg }) => {
      if (destination.id !== 'caught') return
      this.caught.push(msg)
      RED.events.emit('guard-caught')
    })
  }

  async stop() {
    await this.nodeRed?.stop()
    await this.sandbox?.stop()
    rmSync(this.userDir, { recursive: true, force: true })
  }

  /**
   * Deploys the guarded flow, which answers with `msg.auth`, and forgets what was seen before. With `rejected`, an http
   * response node is behind output 2. `more` makes several guards of the one.
   */
  async serve(guard = {}, { credentials, rejected = false, type = 'full', more = (node) => [node] } = {}) {
    const at = { z: 'tab', x: 1, y: 1 }
    const node = {
      id: 'guard', type: 'ttn-guard', ...at, name: '', right: 'devices', appFrom: 'path', appId: '', issuer: '',
      accountServer: this.sandbox.accountServer, clientId: '', accountCa: '', keyDirectory: '', timeout: '', outputs: rejected ? 2 : 1,
      wires: rejected ? [['auth'], ['rejected']] : [['auth']],
      // Node-RED keeps what it is not given.
      credentials: { clientSecret: '', ...credentials }, ...guard,
    }
    const httpIn = (id, method, url) => ({ id, type: 'http in', ...at, name: '', url, method, upload: false, wires: [[node.id]] })
    await this.nodeRed.deploy(
      [
        { id: 'tab', type: 'tab', label: 'guarded' },
        httpIn('in', 'get', '/apps/:app_id'),
        httpIn('post', 'post', '/apps/:app_id'),
        httpIn('bare', 'get', '/bare'),
        { id: 'inject', type: 'inject', ...at, name: '', props: [{ p: 'payload', v: 'x', vt: 'str' }], repeat: '', once: false, wires: [['guard']] },
        ...more(node),
        { id: 'auth', type: 'change', ...at, name: '', rules: [{ t: 'set', p: 'payload', pt: 'msg', to: 'auth', tot: 'msg' }], wires: [['out']] },
        { id: 'out', type: 'http response', ...at, name: '', statusCode: '', headers: {}, wires: [] },
        { id: 'rejected', type: 'http response', ...at, name: '', statusCode: '', headers: {}, wires: [] },
        { id: 'any-error', type: 'catch', ...at, scope: null, uncaught: false, wires: [['caught']] },
        { id: 'caught', type: 'debug', ...at, name: '', active: false, tosidebar: false, console: false, complete: 'true', wires: [] },
      ],
      type,
    )
    const started = this.statuses.at(-1)
    for (const list of [this.log, this.statuses, this.caught, ...this.sent]) list.length = 0
    this.begun = 0
    return started
  }

  /** Calls the flow; resolves to the answer's status, headers and JSON. */
  async call(headers = {}, { path = `apps/${this.sandbox.appId}`, method = 'GET' } = {}) {
    const response = await fetch(this.nodeRed.url + path, { headers, method, signal: AbortSignal.timeout(20_000) })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text && JSON.parse(text), text }
  }

  /** The next status that fits, or one that was seen already. */
  async status(text) {
    while (!this.statuses.some((status) => text.test(status.text))) await once(this.nodeRed.RED.events, 'guard-status')
    return this.statuses.find((status) => text.test(status.text))
  }

  /** When the guard has begun with so many callers. */
  async callers(count) {
    while (this.begun < count) await once(this.nodeRed.RED.events, 'guard-begun')
  }

  /** The first error that a catch node got. */
  async error() {
    while (this.caught.length === 0) await once(this.nodeRed.RED.events, 'guard-caught')
    return this.caught[0].error
  }

  node() {
    return this.nodeRed.RED.nodes.getNode('guard')
  }

  /** Lines of the log from warnings on. */
  warnings() {
    const { WARN, ERROR } = this.nodeRed.RED.log
    return this.log.filter(({ level }) => level === WARN || level === ERROR)
  }

  /** Nothing that anybody can see holds one of these. */
  assertHidden(...secrets) {
    const seen = { log: this.log, statuses: this.statuses, caught: this.caught, accepted: this.sent[0], rejected: this.sent[1] }
    for (const [where, value] of Object.entries(seen)) {
      const text = inspect(value, { depth: 9, showHidden: true, maxArrayLength: null, maxStringLength: null })
      for (const secret of secrets) assert.ok(!text.includes(secret), `${where}: ${secret}`)
    }
  }
}

export const bearer = (token) => ({ authorization: `Bearer ${token}` })
export const key = (text) => ({ authorization: `Key ${text}` })

/** A refusal, as every one has to look: JSON that says why, and nothing of the account server. */
export function assertRefused(answer, status, challenge) {
  assert.equal(answer.status, status, answer.text)
  assert.match(answer.headers.get('content-type'), /^application\/json\b/)
  assert.equal(typeof answer.body.message, 'string')
  assert.equal(answer.body.error, answer.body.message)
  assert.doesNotMatch(answer.text, /127\.0\.0\.1|localhost|https?:/)
  if (challenge) assert.match(answer.headers.get('www-authenticate') ?? '', challenge)
  else assert.equal(answer.headers.get('www-authenticate'), null)
  assert.equal(answer.headers.has('retry-after'), status === 503 || status === 429)
}
