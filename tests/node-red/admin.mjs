// A Node-RED with logins, for the tests of what the editor asks the server: who may, and what it is answered.
import { createServer } from 'node:http'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as listen } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'

import { startNodeRed } from '../../scripts/node-red.mjs'
import { Sandbox, nodeRed as version } from './support.mjs'

export const MASK = '__PWRD__'
const USERS = { admin: '*', reader: 'read', guest: 'flows.read' }

/** Starts it all for a test file, and then `more`. What it returns has `sandbox`, `nodeRed` and `tokens` when a test runs. */
export function withAdmin(more = () => {}) {
  const admin = new Admin()
  before(async () => {
    await admin.start()
    await more()
  })
  after(() => admin.stop())
  return admin
}

class Admin {
  tokens = {}

  async start() {
    this.sandbox = await Sandbox.start({ rateLimit: false, clientId: 'me', clientSecret: 'the-secret-of-a-client' })
    this.userDir = mkdtempSync(join(tmpdir(), 'ttn-admin-'))
    const user = async (username) => (USERS[username] ? { username, permissions: USERS[username] } : null)
    const adminAuth = { type: 'credentials', users: user, authenticate: async (name, password) => (password === 'right' ? user(name) : null) }
    const settings = { adminAuth, envVarExcludes: ['TTN_TEST_EXCLUDED'] }
    this.nodeRed = await startNodeRed({ userDir: this.userDir, nodeRed: version, settings })
    // Node-RED waits a week to end a session: the tests do not.
    const { setTimeout } = globalThis
    globalThis.setTimeout = (run, ms, ...args) => (ms > 86_400_000 ? setTimeout(run, ms, ...args).unref() : setTimeout(run, ms, ...args))
    for (const username of Object.keys(USERS)) {
      const body = new URLSearchParams({ client_id: 'node-red-admin', grant_type: 'password', scope: USERS[username], username, password: 'right' })
      const answer = await fetch(`${this.nodeRed.url}auth/token`, { method: 'POST', body })
      this.tokens[username] = (await answer.json()).access_token
    }
    globalThis.setTimeout = setTimeout
  }

  async stop() {
    await this.nodeRed?.stop()
    await this.sandbox?.stop()
    rmSync(this.userDir, { recursive: true, force: true })
  }

  /** Asks a route; as nobody if `as` is null. Resolves to the answer's status and its body. */
  async ask(path, { as = 'admin', body, type = 'application/json', ...more } = {}) {
    const headers = { accept: 'application/json', ...(as && { authorization: `Bearer ${this.tokens[as]}` }), ...(body !== undefined && { 'content-type': type }) }
    const method = body === undefined ? 'GET' : 'POST'
    const answer = await fetch(`${this.nodeRed.url}ttn-credentials/${path}`, { method, headers, body, ...more })
    const text = await answer.text()
    return { status: answer.status, text, headers: answer.headers, ...(/^\{/.test(text) && JSON.parse(text)) }
  }

  /** Presses the button of a dialog. */
  test(dialog, more) {
    return this.ask('test', { body: JSON.stringify(dialog), ...more })
  }

  /** What a dialog sends that holds this node, with some of it edited. A secret that is not typed is MASK. */
  dialog({ id, type, name, z, d, credentials = {}, ...settings }, edited = {}, typed = {}) {
    const masks = Object.fromEntries(Object.keys(credentials).map((key) => [key, MASK]))
    return { id, settings: { ...settings, ...edited }, secrets: { ...masks, ...typed } }
  }
}

/** A server that keeps all that is sent to it, in `sent` of each socket that it has `heard`, and never answers. */
export async function recorder(t) {
  const heard = []
  const server = listen((socket) => {
    heard.push(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes) => (socket.sent = Buffer.concat([socket.sent ?? Buffer.alloc(0), bytes])))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of heard) socket.destroy()
    server.close()
  })
  return { server, heard, host: `127.0.0.1:${server.address().port}` }
}

/** An HTTP server that does this with each request. */
export async function answering(t, handler) {
  const server = createServer(handler)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${server.address().port}`
}
