// The secret is in one place: encrypted in flows_cred.json. Here in a real Node-RED, with its files and its log.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'

import { startNodeRed } from '../../scripts/node-red.mjs'
import { Sandbox, flow, nodeRed as version } from './support.mjs'

const KEY = 'ttn-account-v2.a-secret-key-that-must-not-show'
let sandbox, token, nodeRed, userDir
const log = []
const messages = []

/** No part of a text or of what it shows holds a secret; a JWT is recognised by its signature. */
function assertClean(text, where) {
  for (const secret of [KEY, KEY.split('.')[1], token, token.split('.')[2]]) {
    for (const form of [secret, Buffer.from(secret).toString('base64').replace(/=+$/, ''), Buffer.from(secret).toString('hex')]) {
      assert.ok(!text.includes(form), `${where} holds a secret`)
    }
  }
}
const deep = (value) => inspect(value, { depth: Infinity, showHidden: true, maxArrayLength: null, maxStringLength: null })

before(async () => {
  sandbox = await Sandbox.start({ rateLimit: false })
  token = sandbox.mintToken()
  userDir = mkdtempSync(join(tmpdir(), 'ttn-secrets-'))
  const keep = { level: 'trace', metrics: true, audit: true, handler: () => (entry) => log.push(deep(entry)) }
  nodeRed = await startNodeRed({ userDir, nodeRed: version, settings: { logging: { keep } } })
})
after(async () => {
  await nodeRed.stop()
  await sandbox.stop()
  rmSync(userDir, { recursive: true, force: true })
})

/** Two networks, one with the key and one with the token, each called over both transports, one call of each failing. */
function flows() {
  const networks = [
    ['access-key', KEY],
    ['bearer-token', token],
  ].map(([kind, secret]) => ({
    id: `with-${kind}`, type: 'ttn-credentials', name: '', kind, appId: sandbox.appId, grpcAddress: sandbox.grpcAddress,
    httpAddress: sandbox.httpAddress, ca: '', allowInsecure: false, timeout: '', credentials: { secret },
  }))
  const rest = flow({}).filter(({ id, type }) => type !== 'helper' && id !== 'request')
  const requests = networks.flatMap(({ id: network }) =>
    ['grpc', 'http'].map((transport) => ({
      ...flow({}).find(({ id }) => id === 'request'), id: `${network}-${transport}`, network, transport, wires: [['debug']],
    })),
  )
  // A debug node prints whole messages to the log, as people do.
  const debug = { id: 'debug', type: 'debug', z: 'tab', x: 1, y: 1, name: '', active: true, tosidebar: true, console: true, complete: 'true', targetType: 'full', wires: [] }
  return [...rest.map((node) => (node.type === 'catch' ? { ...node, wires: [['debug']] } : node)), ...networks, ...requests, debug]
}

test('files, messages, logs, the editor\'s API and the nodes themselves hold no secret', async () => {
  const { RED } = nodeRed
  const expected = flows().filter(({ type }) => type === 'ttn-request').length * 3
  const done = new Promise((resolve) => {
    RED.hooks.add('postReceive.secrets', ({ msg, destination }) => {
      if (destination.id !== 'debug') return
      messages.push(deep(msg))
      if (messages.length === expected) resolve()
    })
  })
  await nodeRed.deploy(flows())
  for (const { id, type } of flows()) {
    if (type !== 'ttn-request') continue
    // The sandbox does not know the key: those calls fail, which is when texts get out.
    RED.nodes.getNode(id).receive({ topic: id })
    RED.nodes.getNode(id).receive({ topic: id, dev_id: 'no-such-device' })
    RED.nodes.getNode(id).receive({ topic: id, method: 'no-such-call' })
  }
  await done
  RED.hooks.remove('*.secrets')

  assert.equal(messages.filter((msg) => msg.includes("dev_eui: '0000000000000001'")).length, 2, 'the token was used')
  assert.ok(messages.some((msg) => msg.includes('AUTH_INVALID_KEY')), 'the key was used')
  messages.forEach((text) => assertClean(text, 'a message'))
  assert.ok(log.some((entry) => entry.includes('AUTH_INVALID_KEY') || entry.includes('no-such-device')), 'the log was kept')
  log.forEach((text) => assertClean(text, 'the log'))
  for (const { id, type } of flows()) {
    if (!type.startsWith('ttn-')) continue
    // `_flow` leads to everything that Node-RED holds, its own store of credentials too.
    const { _flow, ...own } = RED.nodes.getNode(id)
    assertClean(deep(own), `node ${id}`)
  }

  for (const path of ['flows', 'credentials/ttn-credentials/with-access-key', 'credentials/ttn-credentials/with-bearer-token', 'settings', 'nodes']) {
    const response = await fetch(nodeRed.url + path, { headers: { accept: 'application/json' } })
    assert.equal(response.status, 200, path)
    assertClean(await response.text(), path)
  }
  const stored = await (await fetch(`${nodeRed.url}credentials/ttn-credentials/with-access-key`)).json()
  assert.deepEqual(stored, { has_secret: true })

  const files = readdirSync(userDir, { recursive: true })
    .filter((name) => !name.startsWith('node_modules'))
    .map((name) => join(userDir, name))
    .filter((path) => statSync(path).isFile())
  assert.ok(files.some((path) => path.endsWith('flows.json')))
  for (const path of files) assertClean(readFileSync(path, 'utf8'), path)
  const encrypted = JSON.parse(readFileSync(join(userDir, 'flows_cred.json'), 'utf8'))
  assert.deepEqual(Object.keys(encrypted), ['$'], 'one encrypted text')
})
