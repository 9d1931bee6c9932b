// What the node tests share: Node-RED's test helper on the Node-RED under test, one sandbox, flows in short.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before } from 'node:test'
import { inspect, isDeepStrictEqual } from 'node:util'

const require = createRequire(import.meta.url)

/** Which Node-RED: `node-red` (4.1) or `node-red-5`. Set by test-node-red.mjs, which also chooses the Node.js for it. */
export const nodeRed = process.env.TTN_NODE_RED ?? 'node-red'

export const nodes = require('../../node/nodes/ttn.js')
const { Sandbox } = require('../../node/index.js')
const helper = require('node-red-node-test-helper')
helper.init(require.resolve(nodeRed), { logging: { console: { level: 'off' } } })
export { helper, Sandbox }

/** Starts a sandbox for a test file, unloads the flow after each test. `sandbox()` is the running one. */
export function withSandbox() {
  let sandbox
  before(async () => {
    sandbox = await Sandbox.start({ rateLimit: false })
  })
  afterEach(() => helper.unload())
  after(() => sandbox.stop())
  return () => sandbox
}

export const CREDENTIALS = ['access-key', 'bearer-token']
export const TRANSPORTS = ['grpc', 'http']

/** The sandbox's secret of a kind. */
export const secretOf = (sandbox, kind) => (kind === 'access-key' ? sandbox.accessKey : sandbox.bearerToken)

/** A ttn-credentials node for the sandbox. */
export function network(sandbox, more = {}) {
  return {
    id: 'network', type: 'ttn-credentials', name: '', kind: 'access-key', appId: sandbox.appId,
    grpcAddress: sandbox.grpcAddress, httpAddress: sandbox.httpAddress, ca: '', allowInsecure: false, timeout: '', ...more,
  }
}

/** The same for the sandbox's The Things Stack. */
export function stackNetwork({ stack: { appId, grpcAddress, httpAddress } }, more = {}) {
  return {
    id: 'network', type: 'ttn-credentials', name: '', network: 'the-things-stack', cluster: 'own', tenant: '', kind: 'api-key',
    appId, grpcAddress, httpAddress, ca: '', allowInsecure: false, timeout: '', ...more,
  }
}

/**
 * A ttn-request node on a tab, with a helper node behind it and a catch node beside it. Nodes without a place would be
 * config nodes to Node-RED.
 */
export function flow(request, config) {
  return [
    { id: 'tab', type: 'tab', label: 'test' },
    ...[config].flat().filter(Boolean),
    {
      id: 'request', type: 'ttn-request', z: 'tab', x: 1, y: 1, name: '', network: 'network', call: 'getDevice', transport: 'grpc',
      appId: '', devId: 'dev-1', httpMethod: 'GET', path: '', rpc: '', timeout: '', wires: [['out']], ...request,
    },
    { id: 'out', type: 'helper', z: 'tab', x: 1, y: 1, wires: [] },
    { id: 'any-error', type: 'catch', z: 'tab', x: 1, y: 1, scope: null, uncaught: false, wires: [['caught']] },
    { id: 'caught', type: 'helper', z: 'tab', x: 1, y: 1, wires: [] },
  ]
}

/** Loads a flow with the network's secret, or with more of its password credentials. */
export async function load(nodesOfFlow, secret) {
  const secrets = typeof secret === 'string' ? { secret } : secret
  await helper.load(nodes, nodesOfFlow, secrets === undefined ? {} : { network: secrets })
}

/** Sends a message into the request node; resolves to `{ out }` or `{ caught }`, the message that came of it. */
export function send(msg = {}, to = 'request') {
  const answer = next()
  helper.getNode(to).receive(msg)
  return answer
}

/** An empty folder, removed after the test. */
export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), 'ttn-node-red-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** The next message behind the request node, or at the catch node. */
export function next() {
  return new Promise((resolve) => {
    const watched = { out: helper.getNode('out'), caught: helper.getNode('caught') }
    const listeners = Object.entries(watched).map(([name, node]) => {
      const listener = (msg) => {
        for (const [other, heard] of listeners) other.removeListener('input', heard)
        resolve({ [name]: msg })
      }
      node.on('input', listener)
      return [node, listener]
    })
  })
}

/** Every status that the request node has shown, in order. */
export const statuses = (id = 'request') => helper.getNode(id).status.getCalls().filter(of(id)).map((call) => call.args[0])
const of = (id) => (call) => call.thisValue.id === id

/** Waits until a request node shows this: a status, or its text. What a call came to is shown after its message is sent on. */
export async function shows(expected, id = 'request') {
  const part = () => (typeof expected === 'string' ? statuses(id).at(-1)?.text : statuses(id).at(-1))
  const signal = AbortSignal.timeout(20_000)
  while (!isDeepStrictEqual(part(), expected)) {
    await once(helper.getNode(id), 'call:status', { signal }).catch(() => assert.deepEqual(part(), expected))
  }
}

/** Everything that was logged. */
export const logged = () => helper.log().args.map(([entry]) => inspect(entry, { depth: Infinity, showHidden: true }))

export { proxy } from './proxy.mjs'
