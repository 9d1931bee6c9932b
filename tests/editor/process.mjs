// Node-RED as people run it: the `node-red` command in a process of its own, with a settings file, and this package as
// `npm install` leaves it in the user's folder. Nothing here sleeps: it waits for lines of the log, for HTTP, and for
// what the editor is sent.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { copyInstalled, packed } from '../package/packed.mjs'

export { NAME } from '../package/packed.mjs'

const require = createRequire(import.meta.url)
const HOST = '127.0.0.1'

/** Which Node-RED: `node-red` (4.1) or `node-red-5`. Set by test-node-red.mjs, which also chooses the Node.js for it. */
export const version = process.env.TTN_NODE_RED ?? 'node-red'

/** The script behind the `node-red` command, and the websocket package that Node-RED itself uses. */
const manifest = require.resolve(`${version}/package.json`)
const command = join(dirname(manifest), require(manifest).bin['node-red'])
const WebSocket = createRequire(createRequire(manifest).resolve('@node-red/editor-api'))('ws')

/** Puts both packages into a user's folder, as npm has installed them: without a network, and without a compiler. */
export async function install(userDir) {
  copyInstalled((await packed()).project, userDir)
}

/**
 * Starts Node-RED in a folder of its own, which `remove` deletes.
 *
 * @param {object} [options]
 * @param {object} [options.settings]  more of Node-RED's settings; what JSON can hold
 * @param {Record<string, string>} [options.env]  more of the environment
 * @param {string} [options.node]  the Node.js that runs it
 * @param {RegExp} [options.ready]  the line of the log that it is ready with
 * @param {(userDir: string) => void | Promise<void>} [options.packages]  puts other packages into its folder than both of ours
 */
export async function startNodeRed(options = {}) {
  const nodeRed = new NodeRed(options)
  try {
    await (options.packages ?? install)(nodeRed.userDir)
    await nodeRed.start()
  } catch (error) {
    await nodeRed.remove()
    throw error
  }
  return nodeRed
}

/** How much of the log a failure shows. */
const LAST = 4000

const STARTED = /Started (?:modified )?(?:flows|nodes)/

class NodeRed extends EventEmitter {
  userDir = mkdtempSync(join(tmpdir(), 'ttn-process-'))
  /** All that it has printed, also before a restart. */
  log = ''
  /** The newest status of each node, as the editor has it. */
  statuses = new Map()
  /** What is sent with each request: set it after a login. */
  headers = {}

  constructor({ settings = {}, env = {}, node = process.execPath }) {
    super()
    this.node = node
    this.setMaxListeners(0)
    this.settings = settings
    this.env = env
  }

  /** Starts it, again in the same folder, and waits until its flows run. */
  async start({ ready = STARTED } = {}) {
    const port = await freePort()
    this.url = `http://${HOST}:${port}/`
    const settings = {
      uiHost: HOST, uiPort: port, flowFile: 'flows.json', credentialSecret: 'a secret of this Node-RED', lang: 'en-US',
      telemetry: { enabled: false, updateNotification: false },
      editorTheme: { tours: false, palette: { catalogues: [] }, projects: { enabled: false } },
      externalModules: { autoInstall: false, palette: { allowInstall: false } },
      ...this.settings,
    }
    const file = join(this.userDir, 'settings.js')
    writeFileSync(file, `module.exports = ${JSON.stringify(settings, null, 2)}\n`)
    const from = this.log.length
    // Its own home, so that nobody's Git settings count.
    const env = { PATH: process.env.PATH, HOME: this.userDir, NODE_ENV: 'production', ...this.env }
    this.child = spawn(this.node, [command, '--userDir', this.userDir, '--settings', file], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.closed = once(this.child, 'close')
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.log += text
        this.emit('printed')
      })
    }
    await this.logged(/Server now running/, from)
    await this.logged(ready, from)
    await this.#listen()
  }

  /** Waits for a line of the log, from this place on. */
  logged(pattern, from = 0) {
    return this.#until('printed', () => pattern.exec(this.log.slice(from)))
  }

  /** Waits until a node's status has this text, or one that fits. */
  status(id, text) {
    const fits = (status) => status && (typeof text === 'string' ? status.text === text : text.test(status.text))
    return this.#until('status', () => fits(this.statuses.get(id)) && this.statuses.get(id))
  }

  /** The next message that a debug node shows, as the editor gets it. */
  debug(id) {
    // Several come at once: what waits for one has to look at all.
    const shown = new Promise((resolve) => {
      const look = (data) => {
        if (data.id !== id) return
        this.off('debug', look)
        resolve(data.format === 'Object' ? JSON.parse(data.msg) : data.msg)
      }
      this.on('debug', look)
    })
    return this.#or(shown)
  }

  /** Presses an inject node's button; resolves to the next message at a debug node. */
  async press(id, debug) {
    const shown = debug && this.debug(debug)
    shown?.catch(() => {})
    assert.equal((await this.request(`inject/${id}`, { method: 'POST' })).status, 200)
    return shown
  }

  /** Any request to it, admin or flow. */
  request(path, { headers, ...more } = {}) {
    return fetch(new URL(path, this.url), { headers: { ...this.headers, ...headers }, signal: AbortSignal.timeout(30_000), ...more })
  }

  /** Of an admin request the JSON that it is answered with. */
  async json(path, options) {
    const response = await this.request(path, { ...options, headers: { accept: 'application/json', ...options?.headers } })
    const text = await response.text()
    assert.ok(response.ok, `${path}: ${response.status} ${text}`)
    return JSON.parse(text)
  }

  /** As the editor deploys: `full`, `flows` or `nodes`. A node's secrets are in its `credentials`. */
  async deploy(flows, type = 'full') {
    const from = this.log.length
    await this.json('flows', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'node-red-api-version': 'v2', 'node-red-deployment-type': type },
      body: JSON.stringify({ flows }),
    })
    const [line] = await this.logged(/Started .*|Waiting for missing types[^]*/, from)
    assert.match(line, STARTED)
  }

  /** The flow as an editor loads it. */
  async flows() {
    return (await this.json('flows', { headers: { 'node-red-api-version': 'v2' } })).flows
  }

  /** The text of a file in its folder. */
  read(...path) {
    return readFileSync(join(this.userDir, ...path), 'utf8')
  }

  /** Ends it as a service manager does, and checks that it ended in order. */
  async stop() {
    this.socket?.terminate()
    this.child.kill('SIGTERM')
    assert.deepEqual(await this.closed, [0, null], this.log.slice(-LAST))
  }

  /** With other settings or environment, if there are any. */
  async restart({ settings, env, ready } = {}) {
    await this.stop()
    Object.assign(this.settings, settings)
    Object.assign(this.env, env)
    await this.start({ ready })
  }

  /** Ends it, however it is, and deletes its folder. */
  async remove() {
    this.socket?.terminate()
    if (this.child?.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGKILL')
      await this.closed
    }
    rmSync(this.userDir, { recursive: true, force: true })
  }

  /** Takes part as an open editor does: in statuses and debug messages. */
  async #listen() {
    this.statuses.clear()
    this.socket = new WebSocket(new URL('comms', this.url.replace('http', 'ws')))
    this.socket.on('error', () => {})
    this.socket.on('message', (text) => {
      for (const { topic, data } of [JSON.parse(text)].flat()) {
        if (topic === 'debug') this.emit('debug', data)
        if (!topic?.startsWith('status/')) continue
        this.statuses.set(topic.slice('status/'.length), data)
        this.emit('status')
      }
    })
    await this.#or(once(this.socket, 'open'))
    for (const topic of ['status/#', 'debug']) this.socket.send(JSON.stringify({ subscribe: topic }))
  }

  async #until(event, look) {
    for (;;) {
      const found = look()
      if (found) return found
      await this.#or(once(this, event))
    }
  }

  /** `wanted`, or a failure that shows the log if Node-RED ends first. */
  #or(wanted) {
    return Promise.race([wanted, this.closed.then(([code]) => assert.fail(`Node-RED ended with ${code}\n${this.log.slice(-LAST)}`))])
  }
}

/** A port that was free a moment ago. */
async function freePort() {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}
