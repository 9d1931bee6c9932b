// A real HTTP server between a client and the account server, which breaks what passes through it as real ones break.
import { createServer, request as forward } from 'node:http'
import { once } from 'node:events'

import { freePort, HOST } from './port.mjs'

/** What an account server that is no longer well answers with status 200. */
export const WRONG_BODIES = {
  html: ['text/html', '<html><body>Maintenance</body></html>'],
  'an empty body': ['application/json', ''],
  '{}': ['application/json', '{}'],
  '[]': ['application/json', '[]'],
  'a number as the token': ['application/json', '{"access_token":12345,"expires_in":3600}'],
}

/** Where redirects lead, and nobody should follow: a body with a key in it would follow too. */
const ELSEWHERE = '/elsewhere'

export class FaultProxy {
  /** By mode: how many requests came while it was on. */
  counts = {}
  /** By path: how many requests came, and how many were unanswered at once, at most. */
  paths = {}
  peaks = {}
  #open = {}
  /** How many redirects were followed. */
  strays = 0
  #mode = { name: 'pass' }
  #sockets = new Set()
  #server = createServer((incoming, answer) => this.#serve(incoming, answer).catch(() => answer.destroy()))

  /**
   * @param {string} upstream  the account server's address
   * @param {(token: string) => void} onToken  told every token that passes
   */
  static async start(upstream, onToken = () => {}) {
    const proxy = new FaultProxy()
    proxy.upstream = new URL(upstream)
    proxy.onToken = onToken
    proxy.port = await freePort()
    proxy.address = `http://${HOST}:${proxy.port}`
    proxy.#server.keepAliveTimeout = 60_000
    proxy.#server.on('connection', (socket) => {
      proxy.#sockets.add(socket)
      socket.on('close', () => proxy.#sockets.delete(socket)).on('error', () => {})
    })
    await proxy.#listen()
    return proxy
  }

  /** How many requests have come, in all modes or in these. */
  requests(...modes) {
    const counted = modes.length > 0 ? modes : Object.keys(this.counts)
    return counted.reduce((sum, mode) => sum + (this.counts[mode] ?? 0), 0)
  }

  /** Everything passes; after `down` too. */
  pass = () => this.#turn({ name: 'pass' })
  /** Nobody listens and every connection is gone, as after a kill. */
  down = () => this.#turn({ name: 'down' })
  /** Requests are taken, and never answered, as by a process that was stopped. */
  silent = () => this.#turn({ name: 'silent' })
  /** Everything passes, so many milliseconds late. */
  slow = (delay) => this.#turn({ name: 'slow', delay })
  status = (status) => this.#turn({ name: String(status), status })
  /** Status 200 with one of WRONG_BODIES. */
  wrong = (name) => this.#turn({ name, wrong: WRONG_BODIES[name] })
  /** The good answer, broken off in its middle. */
  truncated = () => this.#turn({ name: 'truncated' })
  /** The connection is reset once the request was read. */
  reset = () => this.#turn({ name: 'reset' })
  /** The good answer, changed by a function of its JSON. */
  alter = (change, name = 'altered') => this.#turn({ name, change })

  async stop() {
    await this.down()
  }

  async #turn(mode) {
    const { name } = this.#mode
    this.#mode = mode
    if (mode.name === 'down' && name !== 'down') await this.#close()
    if (mode.name !== 'down' && name === 'down') await this.#listen()
  }

  async #listen() {
    this.#server.listen(this.port, HOST)
    await once(this.#server, 'listening')
  }

  async #close() {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  async #serve(incoming, answer) {
    const mode = this.#mode
    this.counts[mode.name] = (this.counts[mode.name] ?? 0) + 1
    this.#count(incoming.url, answer)
    if (incoming.url === ELSEWHERE) this.strays += 1
    const body = Buffer.concat(await incoming.toArray())
    if (mode.name === 'silent') return
    if (mode.name === 'reset') return incoming.socket.resetAndDestroy()
    if (mode.delay) await new Promise((resolve) => setTimeout(resolve, mode.delay))
    if (mode.status) return answer.writeHead(mode.status, { location: `${this.address}${ELSEWHERE}` }).end()
    if (mode.wrong) return answer.writeHead(200, { 'content-type': mode.wrong[0] }).end(mode.wrong[1])
    const { status, headers, bytes } = await this.#ask(incoming, body)
    let sent = bytes
    if (mode.change && status === 200) {
      sent = Buffer.from(JSON.stringify(mode.change(JSON.parse(bytes))))
      this.#tell(sent)
    }
    answer.writeHead(status, { ...headers, 'content-length': sent.length })
    if (mode.name !== 'truncated') return answer.end(sent)
    // Its head promises more than comes.
    answer.write(sent.subarray(0, sent.length >> 1), () => answer.socket?.end())
  }

  #count(path, answer) {
    this.paths[path] = (this.paths[path] ?? 0) + 1
    this.#open[path] = (this.#open[path] ?? 0) + 1
    this.peaks[path] = Math.max(this.peaks[path] ?? 0, this.#open[path])
    answer.once('close', () => (this.#open[path] -= 1))
  }

  /** The account server's answer. */
  async #ask(incoming, body) {
    const { hostname, port } = this.upstream
    const { method, url: path, headers } = incoming
    const outgoing = forward({ hostname, port, method, path, headers: { ...headers, host: this.upstream.host }, agent: false })
    outgoing.end(body)
    const [answer] = await once(outgoing, 'response')
    const bytes = Buffer.concat(await answer.toArray())
    if (answer.statusCode === 200) this.#tell(bytes)
    const type = answer.headers['content-type']
    return { status: answer.statusCode, headers: type ? { 'content-type': type } : {}, bytes }
  }

  #tell(bytes) {
    const { access_token: access, refresh_token: refresh } = JSON.parse(bytes)
    for (const token of [access, refresh]) if (typeof token === 'string') this.onToken(token)
  }
}
