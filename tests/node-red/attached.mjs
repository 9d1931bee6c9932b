// What the tests of ttn-auth-headers share: a real Node-RED with its own http request node behind ours, and servers that
// show what they were sent.
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { createServer as createTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { inspect } from 'node:util'

import { startNodeRed } from '../../scripts/node-red.mjs'
import { Sandbox, network, nodeRed as version, secretOf } from './support.mjs'

export const at = { z: 'tab', x: 1, y: 1 }

/** Starts it all for a test file. What it returns has `sandbox` and `nodeRed` when a test runs. */
export function withHeaders() {
  const flow = new Flow()
  before(() => flow.start())
  after(() => flow.stop())
  return flow
}

class Flow {
  log = []
  statuses = []
  #heard = new Map()

  async start() {
    this.sandbox = await Sandbox.start({ rateLimit: false })
    this.userDir = mkdtempSync(join(tmpdir(), 'ttn-headers-'))
    const keep = { level: 'trace', metrics: false, audit: false, handler: () => (entry) => this.log.push(entry) }
    this.nodeRed = await startNodeRed({ userDir: this.userDir, nodeRed: version, settings: { logging: { keep } } })
    const { RED } = this.nodeRed
    RED.events.on('node-status', ({ id, status }) => {
      if (id !== 'headers') return
      this.statuses.push(status)
      RED.events.emit('headers-status')
    })
    RED.hooks.add('onReceive.headers', ({ msg, destination }) => {
      if (destination.id === 'caught') RED.events.emit('headers-caught', msg)
      if (destination.id === 'out' || destination.id === 'caught') this.#heard.get(msg._msgid)?.({ [destination.id]: msg })
    })
  }

  async stop() {
    await this.nodeRed?.stop()
    await this.sandbox?.stop()
    rmSync(this.userDir, { recursive: true, force: true })
  }

  /**
   * Deploys ours, an http request node, and what catches errors, and forgets what was seen before. Ours leads to `to`.
   *
   * @param settings of ours
   * @param options.config of its network; `null`: it has none
   * @param options.secrets the network's passwords
   * @param options.request settings of the http request node
   * @param options.more further nodes
   */
  async serve(settings = {}, { to = 'request', config = {}, secrets, request = {}, more = [], type = 'full' } = {}) {
    const credentials = config && network(this.sandbox, config)
    await this.nodeRed.deploy(
      [
        { id: 'tab', type: 'tab', label: 'headers' },
        ...(credentials ? [{ ...credentials, credentials: secrets ?? { secret: secretOf(this.sandbox, credentials.kind) } }] : []),
        { id: 'headers', type: 'ttn-auth-headers', ...at, name: '', network: 'network', target: 'header', hosts: '', withCaller: false, wires: [[to]], ...settings },
        { id: 'request', type: 'http request', ...at, name: '', method: 'GET', ret: 'obj', paytoqs: 'ignore', url: '', tls: '', persist: false, proxy: '', authType: '', senderr: true, headers: [], wires: [['out']], ...request },
        { id: 'out', type: 'debug', ...at, name: '', active: false, tosidebar: false, console: false, complete: 'true', wires: [] },
        { id: 'any-error', type: 'catch', ...at, scope: null, uncaught: false, wires: [['caught']] },
        { id: 'caught', type: 'debug', ...at, name: '', active: false, tosidebar: false, console: false, complete: 'true', wires: [] },
        ...more,
      ],
      type,
    )
    const started = this.statuses.at(-1)
    this.log.length = 0
    this.statuses.length = 0
    return started
  }

  /** Sends a message in; resolves to `{ out }` or `{ caught }`, what became of it. */
  send(msg, to = 'headers') {
    const { RED } = this.nodeRed
    msg._msgid ??= RED.util.generateId()
    return new Promise((resolve) => {
      this.#heard.set(msg._msgid, (heard) => {
        this.#heard.delete(msg._msgid)
        resolve(heard)
      })
      RED.nodes.getNode(to).receive(msg)
    })
  }

  /** The device's URL at the network. */
  get device() {
    return `${this.sandbox.httpAddress}/applications/${this.sandbox.appId}/devices/dev-1`
  }

  /** The next status that fits, or one that was seen already. */
  async status(text) {
    while (!this.statuses.some((status) => text.test(status.text))) await once(this.nodeRed.RED.events, 'headers-status')
    return this.statuses.find((status) => text.test(status.text))
  }
}

/** Whether a text is anywhere in it. */
export const holds = (value, text) => inspect(value, { depth: 6, showHidden: true, maxArrayLength: null, maxStringLength: null }).includes(text)

/** Asserts that a message was refused, so and without a credential. */
export function assertRefused({ caught, out }, code, message, ...secrets) {
  assert.equal(out, undefined, 'it was sent on')
  assert.equal(caught.error.code, code, caught.error.message)
  assert.match(caught.error.message, message)
  for (const secret of secrets) assert.ok(!holds(caught, secret), 'a secret is on the message')
}

/** A server that keeps what it was sent, each request as `{ url, headers, raw, body }`; `answer(request, response)` answers. */
export async function server(t, answer = (_, response) => response.end('{}')) {
  const seen = []
  const http = createHttp(keep(seen, answer))
  await listen(t, http)
  return { seen, host: `127.0.0.1:${http.address().port}`, url: `http://127.0.0.1:${http.address().port}/` }
}

/** The same over TLS, and in plaintext, at one port. */
export async function bothOnOnePort(t, answer) {
  const seen = { tls: [], plain: [] }
  const plain = createHttp(keep(seen.plain, answer))
  const tls = createHttps(identity(), keep(seen.tls, answer))
  const tcp = createTcp((socket) => {
    socket.once('data', (first) => {
      socket.pause()
      socket.unshift(first)
      // A TLS handshake begins with 22.
      const chosen = first[0] === 22 ? tls : plain
      chosen.emit('connection', socket)
      process.nextTick(() => socket.resume())
    })
  })
  await listen(t, tcp)
  return { seen, host: `127.0.0.1:${tcp.address().port}` }
}

const keep = (seen, answer) => async (request, response) => {
  const { url, method, headers, rawHeaders: raw } = request
  let body = ''
  for await (const part of request) body += part
  seen.push({ url, method, headers, raw, body })
  answer(request, response)
}

async function listen(t, server) {
  const open = new Set()
  server.on('connection', (socket) => open.add(socket.on('error', () => {}).on('close', () => open.delete(socket))))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
}

/** A key, and a certificate of a few fields that it has signed itself. */
function identity() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const der = (tag, ...parts) => {
    const body = Buffer.concat(parts)
    const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 255]
    return Buffer.concat([Buffer.from([tag, ...length]), body])
  }
  const [sequence, set] = [0x30, 0x31]
  const time = (text) => der(0x17, Buffer.from(text))
  const ecdsaWithSha256 = der(sequence, Buffer.from('06082a8648ce3d040302', 'hex'))
  const name = der(sequence, der(set, der(sequence, Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from('localhost')))))
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const facts = der(sequence, der(0x02, Buffer.from([1])), ecdsaWithSha256, name, der(sequence, time('200101000000Z'), time('490101000000Z')), name, spki)
  const signature = der(0x03, Buffer.from([0]), sign('sha256', facts, privateKey))
  const lines = der(sequence, facts, ecdsaWithSha256, signature).toString('base64').match(/.{1,64}/g)
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'),
  }
}
