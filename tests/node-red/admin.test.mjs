// What Node-RED's admin API gives of these nodes, and to whom: it has logins here, as on any machine that others reach.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { runInThisContext } from 'node:vm'

import { startNodeRed } from '../../scripts/node-red.mjs'
import { root } from '../../scripts/prepare.mjs'
import { ofRuntime } from './definitions.mjs'
import { nodeRed as version } from './support.mjs'

const require = createRequire(import.meta.url)
const ofNodeRed = createRequire(require.resolve(version))
const PASSWORD = 'a password'
const SECRET = 'a-secret-that-stays-here'
let nodeRed, userDir

/** Every route of Node-RED's admin API that was added by a file of the nodes. */
const added = []

function watch(Router) {
  for (const how of ['route', 'use']) {
    const original = Router[how]
    Router[how] = function (path, ...rest) {
      const result = original.call(this, path, ...rest)
      const methods = () => (how === 'use' ? ['get', 'post'] : Object.keys(result.methods))
      if (new Error().stack.includes(join(root, 'node', 'nodes'))) added.push({ path, methods })
      return result
    }
  }
}

before(async () => {
  // Each part of Node-RED can have an express of its own.
  const parts = ['@node-red/runtime', '@node-red/editor-api'].map((name) => createRequire(ofNodeRed.resolve(name)))
  for (const Router of new Set([ofNodeRed, ...parts].map((part) => part('express').Router))) watch(Router)
  const password = ofNodeRed('bcryptjs').hashSync(PASSWORD, 4)
  const users = [{ username: 'all', password, permissions: '*' }, { username: 'reads', password, permissions: 'read' }]
  userDir = mkdtempSync(join(tmpdir(), 'ttn-admin-'))
  nodeRed = await startNodeRed({ userDir, nodeRed: version, settings: { adminAuth: { type: 'credentials', users } } })
})
after(async () => {
  await nodeRed?.stop()
  rmSync(userDir, { recursive: true, force: true })
})

async function login(username) {
  const body = new URLSearchParams({ client_id: 'node-red-admin', grant_type: 'password', scope: username === 'all' ? '*' : 'read', username, password: PASSWORD })
  const response = await fetch(`${nodeRed.url}auth/token`, { method: 'POST', body })
  return { authorization: `Bearer ${(await response.json()).access_token}` }
}

/** The status of a route for somebody; its parameters are the ids of nothing. */
async function status(path, method, headers = {}) {
  const url = new URL(String(path).replace(/^\//, '').replace(/:\w+\??/g, 'none'), nodeRed.url)
  const json = method === 'get' ? {} : { body: '{}' }
  const response = await fetch(url, { method: method.toUpperCase(), headers: { 'content-type': 'application/json', ...headers }, ...json })
  return response.status
}

test('no route of ours is served without a login', async () => {
  // One as it must not be, so that this test is known to see it.
  const code = "(app) => app.post('/ttn/open/:id', (request, response) => response.json({}))"
  runInThisContext(code, { filename: join(root, 'node', 'nodes', 'open.js') })(nodeRed.RED.httpAdmin)
  const open = added.pop()
  assert.deepEqual([open.path, open.methods()], ['/ttn/open/:id', ['post']])
  assert.equal(await status(open.path, 'post'), 200)

  const all = await login('all')
  for (const { path, methods } of added) {
    for (const method of methods()) {
      assert.equal(await status(path, method), 401, `${method} ${path}`)
      assert.equal(await status(path, method, { authorization: 'Bearer x' }), 401, `${method} ${path}`)
      assert.notEqual(await status(path, method, all), 401, `${method} ${path}: it is the login that is missing`)
    }
  }
})

test('of a secret that is stored, everybody learns only that it is there', async () => {
  const nodes = Object.entries(ofRuntime()).map(([type, credentials]) => ({
    id: type, type, z: type === 'ttn-credentials' ? undefined : 'tab', x: 1, y: 1, wires: [[]],
    credentials: Object.fromEntries(Object.keys(credentials).map((name) => [name, SECRET])),
  }))
  await nodeRed.deploy([{ id: 'tab', type: 'tab' }, ...nodes])
  for (const username of ['all', 'reads']) {
    const headers = await login(username)
    let secrets = 0
    for (const { id, type, credentials } of nodes) {
      const response = await fetch(`${nodeRed.url}credentials/${type}/${id}`, { headers })
      assert.equal(response.status, 200)
      assert.deepEqual(await response.json(), Object.fromEntries(Object.keys(credentials).map((name) => [`has_${name}`, true])))
      secrets += Object.keys(credentials).length
    }
    assert.ok(secrets >= 4)
    for (const path of ['flows', 'settings', 'nodes']) {
      const response = await fetch(nodeRed.url + path, { headers: { ...headers, accept: 'application/json' } })
      assert.ok(response.ok && !(await response.text()).includes(SECRET), path)
    }
  }
})
