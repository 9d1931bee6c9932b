// A secret is in one place: encrypted in flows_cred.json, or where the user put it. Here in a real Node-RED, with its files and its log.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'

import { startNodeRed } from '../../scripts/node-red.mjs'
import { Sandbox, flow, network, nodeRed as version } from './support.mjs'

const KEY = 'ttn-account-v2.a-secret-key-that-must-not-show'
const CLIENT_SECRET = 'the-secret-of-an-oauth-client'
const STORE_KEY = randomBytes(32).toString('base64')
const VARIABLE = 'TTN_TEST_HIDDEN'
let sandbox, token, key, nodeRed, userDir, file
const log = []
const messages = []

/** No part of a text or of what it shows holds a secret; a JWT is recognised by its signature. */
function assertClean(text, where) {
  // Also one that an exchange brought.
  assert.doesNotMatch(text, /eyJ[\w-]{10,}\.eyJ/, where)
  for (const secret of [KEY, KEY.split('.')[1], token, token.split('.')[2], key, CLIENT_SECRET, STORE_KEY]) {
    for (const form of [secret, Buffer.from(secret).toString('base64').replace(/=+$/, ''), Buffer.from(secret).toString('hex')]) {
      assert.ok(!text.includes(form), `${where} holds a secret`)
    }
  }
}
const deep = (value) => inspect(value, { depth: Infinity, showHidden: true, maxArrayLength: null, maxStringLength: null })

before(async () => {
  sandbox = await Sandbox.start({ rateLimit: false })
  token = sandbox.mintToken()
  key = sandbox.addAccessKey(sandbox.appId, ['devices'])
  userDir = mkdtempSync(join(tmpdir(), 'ttn-secrets-'))
  file = `${userDir}.key`
  writeFileSync(file, key)
  process.env[VARIABLE] = key
  const keep = { level: 'trace', metrics: true, audit: true, handler: () => (entry) => log.push(deep(entry)) }
  nodeRed = await startNodeRed({ userDir, nodeRed: version, settings: { logging: { keep } } })
})
after(async () => {
  await nodeRed.stop()
  await sandbox.stop()
  delete process.env[VARIABLE]
  rmSync(file, { force: true })
  rmSync(userDir, { recursive: true, force: true })
})

/** Networks with every kind of secret from everywhere, each called over both transports, one call of each failing. */
function flows() {
  const here = { exchange: 'here', accountServer: sandbox.accountServer, clientId: 'me', storeFile: join(userDir, 'tokens') }
  const exchanged = { clientSecret: CLIENT_SECRET, storeKey: STORE_KEY }
  const networks = [
    ['with-access-key', { credentials: { secret: KEY } }],
    ['with-bearer-token', { kind: 'bearer-token', credentials: { secret: token } }],
    ['exchanged', { ...here, credentials: { secret: key, ...exchanged } }],
    ['refused', { ...here, credentials: { secret: KEY, ...exchanged } }],
    ['from-variable', { source: 'environment', variable: VARIABLE, credentials: {} }],
    ['from-file', { ...here, source: 'file', file, credentials: exchanged }],
  ].map(([id, more]) => network(sandbox, { id, ...more }))
  const rest = flow({}).filter(({ id, type }) => type !== 'helper' && id !== 'request')
  const requests = networks.flatMap(({ id }) =>
    ['grpc', 'http'].map((transport) => ({
      ...flow({}).find((node) => node.id === 'request'), id: `${id}-${transport}`, network: id, transport, wires: [['debug']],
    })),
  )
  // A debug node prints whole messages to the log, as people do.
  const debug = { id: 'debug', type: 'debug', z: 'tab', x: 1, y: 1, name: '', active: true, tosidebar: true, console: true, complete: 'true', targetType: 'full', wires: [] }
  const guard = { id: 'guard', type: 'ttn-guard', z: 'tab', x: 1, y: 1, right: 'devices', appFrom: 'path', accountServer: sandbox.accountServer, clientId: 'me', outputs: 1, wires: [[]], credentials: { clientSecret: CLIENT_SECRET } }
  return [guard, ...rest.map((node) => (node.type === 'catch' ? { ...node, wires: [['debug']] } : node)), ...networks, ...requests, debug]
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

  assert.equal(messages.filter((msg) => msg.includes("dev_eui: '0000000000000001'")).length, 8, 'the token and the good key were used')
  assert.equal(messages.filter((msg) => msg.includes('AUTH_INVALID_KEY')).length, 8, 'the other key was used')
  messages.forEach((text) => assertClean(text, 'a message'))
  assert.ok(log.some((entry) => entry.includes('AUTH_INVALID_KEY') || entry.includes('no-such-device')), 'the log was kept')
  log.forEach((text) => assertClean(text, 'the log'))
  for (const { id, type } of flows()) {
    if (!type.startsWith('ttn-')) continue
    // `_flow` leads to everything that Node-RED holds, its own store of credentials too.
    const { _flow, ...own } = RED.nodes.getNode(id)
    assertClean(deep(own), `node ${id}`)
  }

  const networks = flows().filter(({ type }) => type === 'ttn-credentials')
  for (const path of ['flows', ...networks.map(({ id }) => `credentials/ttn-credentials/${id}`), 'credentials/ttn-guard/guard', 'settings', 'nodes']) {
    const response = await fetch(nodeRed.url + path, { headers: { accept: 'application/json' } })
    assert.equal(response.status, 200, path)
    assertClean(await response.text(), path)
  }
  const stored = async (id) => (await fetch(`${nodeRed.url}credentials/ttn-credentials/${id}`)).json()
  assert.deepEqual(await stored('with-access-key'), { has_secret: true, has_clientSecret: false, has_storeKey: false })
  assert.deepEqual(await stored('from-file'), { has_secret: false, has_clientSecret: true, has_storeKey: true })

  const files = readdirSync(userDir, { recursive: true })
    .filter((name) => !name.startsWith('node_modules'))
    .map((name) => join(userDir, name))
    .filter((path) => statSync(path).isFile())
  assert.ok(files.some((path) => path.endsWith('flows.json')) && files.some((path) => path.endsWith('tokens')))
  for (const path of files) assertClean(readFileSync(path, 'utf8'), path)
  const encrypted = JSON.parse(readFileSync(join(userDir, 'flows_cred.json'), 'utf8'))
  assert.deepEqual(Object.keys(encrypted), ['$'], 'one encrypted text')
})
