// What Node-RED's admin API gives of these nodes, and to whom: it has logins here, as on any machine that others reach.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { runInThisContext } from 'node:vm'

import { root } from '../../scripts/prepare.mjs'
import { withAdmin } from './admin.mjs'
import { ofRuntime } from './definitions.mjs'
import { nodeRed as version } from './support.mjs'

const SECRET = 'a-secret-that-stays-here'

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

// Each part of Node-RED can have an express of its own.
const ofNodeRed = createRequire(createRequire(import.meta.url).resolve(version))
const parts = ['@node-red/runtime', '@node-red/editor-api'].map((name) => createRequire(ofNodeRed.resolve(name)))
for (const Router of new Set([ofNodeRed, ...parts].map((part) => part('express').Router))) watch(Router)

const admin = withAdmin()
const loggedIn = (username) => ({ authorization: `Bearer ${admin.tokens[username]}` })

/** The status of a route for somebody; its parameters are the ids of nothing. */
async function status(path, method, headers = {}) {
  const url = new URL(String(path).replace(/^\//, '').replace(/:\w+\??/g, 'none'), admin.nodeRed.url)
  const options = { method: method.toUpperCase(), headers: { 'content-type': 'application/json', ...headers }, signal: AbortSignal.timeout(20_000) }
  return (await fetch(url, method === 'get' ? options : { ...options, body: '{}' })).status
}

test('no route of ours is served without a login', async () => {
  // One as it must not be, so that this test is known to see it.
  const code = "(app) => app.post('/ttn/open/:id', (request, response) => response.json({}))"
  runInThisContext(code, { filename: join(root, 'node', 'nodes', 'open.js') })(admin.nodeRed.RED.httpAdmin)
  const open = added.pop()
  assert.deepEqual([open.path, open.methods()], ['/ttn/open/:id', ['post']])
  assert.equal(await status(open.path, 'post'), 200)

  assert.ok(added.length > 0)
  for (const { path, methods } of added) {
    for (const method of methods()) {
      assert.equal(await status(path, method), 401, `${method} ${path}`)
      assert.equal(await status(path, method, { authorization: 'Bearer x' }), 401, `${method} ${path}`)
      assert.notEqual(await status(path, method, loggedIn('admin')), 401, `${method} ${path}: it is the login that is missing`)
    }
  }
})

test('of a secret that is stored, everybody learns only that it is there', async () => {
  const nodes = Object.entries(ofRuntime()).map(([type, credentials]) => ({
    id: type, type, z: type === 'ttn-credentials' ? undefined : 'tab', x: 1, y: 1, wires: [[]],
    credentials: Object.fromEntries(Object.keys(credentials).map((name) => [name, SECRET])),
  }))
  await admin.nodeRed.deploy([{ id: 'tab', type: 'tab' }, ...nodes])
  for (const username of ['admin', 'reader']) {
    const headers = { ...loggedIn(username), accept: 'application/json' }
    let secrets = 0
    for (const { id, type, credentials } of nodes) {
      const response = await fetch(`${admin.nodeRed.url}credentials/${type}/${id}`, { headers })
      assert.equal(response.status, 200)
      assert.deepEqual(await response.json(), Object.fromEntries(Object.keys(credentials).map((name) => [`has_${name}`, true])))
      secrets += Object.keys(credentials).length
    }
    assert.ok(secrets >= 4)
    for (const path of ['flows', 'settings', 'nodes']) {
      const response = await fetch(admin.nodeRed.url + path, { headers })
      assert.ok(response.ok && !(await response.text()).includes(SECRET), path)
    }
  }
})
