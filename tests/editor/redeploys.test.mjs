// Three hundred deployments of a whole Node-RED while messages are in flight: over both transports, with both credentials, and
// callers of a guarded flow. Nothing is lost silently, nothing is doubled, and nothing stays behind.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { queryObjects } from 'node:v8'

import { startNodeRed } from '../../scripts/node-red.mjs'
import { proxy } from '../node-red/proxy.mjs'
import { version } from './editor.mjs'
import { at, network, request, tab } from './flows.mjs'
import { Ledger } from './ledger.mjs'

const require = createRequire(import.meta.url)
const { Client, Sandbox } = require('../../node/index.js')
const { Guard } = require('../../node/nodes/lib/guard.js')
const { Network } = require('../../node/nodes/lib/network.js')
const { Pool } = require('../../node/nodes/lib/pool.js')

const TYPES = ['full', 'flows', 'nodes']
/** Deployments before the first measurement: connections, compiled code and pools of Node.js are there then. */
const WARM_UP = 30
const DEPLOYMENTS = 300
/** What may be more after the others. Memory in MiB: what allocators keep for themselves differs from run to run. */
const MORE = { clients: 0, networks: 0, pools: 0, guards: 0, sockets: 4, threads: 2, heap: 8, native: 80 }
/** Messages for each request node before a deployment, and again when Node-RED begins to stop nodes. */
const BURST = 6
/** What a message may end with: it was cancelled, or it was asked with the wrong secret that was deployed. */
const CODES = new Set(['AUTH_CANCELLED', 'AUTH_INVALID_KEY', 'AUTH_INVALID_TOKEN'])

const REQUESTS = ['access-key', 'bearer-token'].flatMap((kind) => ['grpc', 'http'].map((transport) => `${kind}-${transport}`))
/** Secrets of which one is wrong, or none, in turn. */
const WRONG = [{}, { 'access-key': 'ttn-account-v2.wrong' }, {}, { 'bearer-token': 'e30.e30.wrong' }]
/** Half of them keep the order. */
const isKept = (id) => id.endsWith('grpc')

let sandbox, nodeRed, ledger, userDir
/** Of how many messages warnings have said that they ended without an answer. */
let warned = 0
const proxies = {}
/** What a deployment changes. */
const state = { calls: 0, served: 0, guard: 0, other: 0, networks: { 'access-key': 0, 'bearer-token': 0 }, secrets: 0 }
for (const id of REQUESTS) state[id] = 0

before(async () => {
  sandbox = await Sandbox.start({ rateLimit: false })
  for (const name of ['grpcAddress', 'httpAddress', 'accountServer']) proxies[name] = await proxy(sandbox[name])
  userDir = mkdtempSync(join(tmpdir(), 'ttn-redeploys-'))
  const keep = { level: 'warn', metrics: false, audit: false, handler: () => heard }
  nodeRed = await startNodeRed({ userDir, nodeRed: version, settings: { logging: { keep } } })
  ledger = new Ledger(nodeRed.RED)
  await nodeRed.deploy(flows())
  nodeRed.RED.events.on('flows:stopping', burst)
})

after(async () => {
  await nodeRed?.stop()
  for (const through of Object.values(proxies)) through.stop()
  await sandbox?.stop()
  rmSync(userDir, { recursive: true, force: true })
})

function heard({ level, msg }) {
  const [, count] = (level === nodeRed?.RED.log.WARN && /^The node was closed: (\d+) messages/.exec(msg)) || []
  if (count) warned += Number(count)
}

/** The flows, as they are to be now. */
function flows() {
  const secrets = { 'access-key': sandbox.accessKey, 'bearer-token': sandbox.bearerToken, ...WRONG[state.secrets % WRONG.length] }
  const served = { ...at, z: 'served' }
  return [
    { ...tab(), label: `calls ${state.calls}` },
    { id: 'served', type: 'tab', label: `served ${state.served}` },
    { id: 'another', type: 'tab', label: 'another' },
    ...Object.entries(secrets).map(([kind, secret]) => ({
      ...network({ appId: sandbox.appId, grpcAddress: proxies.grpcAddress.address, httpAddress: proxies.httpAddress.address }),
      id: `network-${kind}`, kind, name: `${kind} ${state.networks[kind]}`, credentials: { secret },
    })),
    ...REQUESTS.map((id) => request({
      id, name: `${id} ${state[id]}`, network: `network-${id.replace(/-(grpc|http)$/, '')}`, transport: id.split('-').pop(),
      atOnce: '4', order: isKept(id) ? 'kept' : '',
    })),
    { id: 'any-error', type: 'catch', ...at, scope: null, uncaught: false, wires: [['caught']] },
    ...['out', 'caught'].map((id) => ({ id, type: 'debug', ...at, name: '', active: false, tosidebar: false, complete: 'true', wires: [] })),
    { id: 'in', type: 'http in', ...served, name: '', url: '/apps/:app_id', method: 'get', upload: false, wires: [['guard']] },
    {
      id: 'guard', type: 'ttn-guard', ...served, name: `guard ${state.guard}`, right: 'devices', appFrom: 'path', appId: '', issuer: '',
      accountServer: proxies.accountServer.address, outputs: 1, wires: [['response']],
    },
    { id: 'response', type: 'http response', ...served, name: '', statusCode: '', headers: {}, wires: [] },
    { id: 'other', type: 'comment', ...at, z: 'another', name: `other ${state.other}`, wires: [] },
  ]
}

/** What each kind of deployment changes, in turn. */
const CHANGES = {
  full: [() => {}, () => (state.calls += 1), () => (state.secrets += 1)],
  flows: [() => (state.calls += 1), () => (state.served += 1), () => (state.other += 1)],
  nodes: [
    ...REQUESTS.map((id) => () => (state[id] += 1)),
    () => (state.guard += 1),
    () => (state.other += 1),
    () => (state.networks['access-key'] += 1),
    () => (state.secrets += 1),
  ],
}

/** Messages for all request nodes that run, at once. */
function burst() {
  for (let i = 0; i < BURST; i += 1) {
    for (const id of REQUESTS) ledger.put(nodeRed.RED.nodes.getNode(id))
  }
}

let callers = []
/** Calls the guarded flow; a caller keeps no connection. */
function call(authorization) {
  const caller = { number: ledger.open('guard'), allowed: authorization ? 200 : 401, answer: {} }
  const headers = { 'x-number': caller.number, ...(authorization && { authorization }) }
  caller.ended = new Promise((resolve) => {
    caller.request = get(`${nodeRed.url}apps/${sandbox.appId}`, { headers, agent: false }, (response) => {
      caller.answer.status = response.statusCode
      response.resume().on('close', resolve)
    }).on('error', resolve)
  })
  callers.push(caller)
}

/** Deploys again and again, each time while messages are in flight. */
async function deploy(from, to) {
  for (let count = from; count < to; count += 1) {
    const type = TYPES[count % TYPES.length]
    const turn = Math.floor(count / TYPES.length)
    CHANGES[type][turn % CHANGES[type].length]()
    burst()
    for (const credential of [`Key ${sandbox.accessKey}`, `Bearer ${sandbox.bearerToken}`, undefined]) call(credential)
    await nodeRed.deploy(flows(), type)
    // Now and then nothing is interrupted.
    if (turn % 5 === 0) await ledger.idle()
  }
}

/** Ends everything by a last deployment. Returns what became of all messages, and of all callers. */
async function end() {
  nodeRed.RED.events.off('flows:stopping', burst)
  await nodeRed.deploy(flows())
  nodeRed.RED.events.on('flows:stopping', burst)
  await new Promise(setImmediate)
  const served = {}
  for (const { number, allowed, request, ended, answer } of callers) {
    const entry = ledger.entry(number)
    if (entry.lost) request.destroy()
    await ended
    const { taken, sent, lost } = entry
    const { status } = answer
    const where = `caller ${number}: ${status}`
    if (lost) assert.equal(status, undefined, where)
    // The guard lets it pass, turns it away, or is closed; without a guard there is no such page.
    else if (sent) assert.deepEqual([sent, status], [1, allowed], where)
    else assert.ok(taken ? status === 503 || (status === 401 && allowed === 401) : status === 404, where)
    served[status ?? 'lost between two nodes'] = (served[status ?? 'lost between two nodes'] ?? 0) + 1
  }
  callers = []
  return { outcomes: ledger.settle(CODES, REQUESTS.filter(isKept)), served }
}

/** What this process holds when no message is in flight and no client is in use. */
async function held() {
  for (const [name, { open, server }] of Object.entries(proxies)) {
    const signal = AbortSignal.timeout(20_000)
    while (open.size > 0) await once(server, 'closed', { signal }).catch(() => assert.fail(`${open.size} connections to ${name} are left`))
  }
  await new Promise(setImmediate)
  // It collects garbage first.
  const count = (type) => queryObjects(type, { format: 'count' })
  return {
    clients: count(Client),
    networks: count(Network),
    pools: count(Pool),
    guards: count(Guard),
    sockets: readdirSync('/proc/self/fd').filter(isSocket).length,
    threads: readdirSync('/proc/self/task').length,
    ...memory(),
  }
}
function memory() {
  const { heapUsed, heapTotal, rss } = process.memoryUsage()
  return { heap: heapUsed / 2 ** 20, native: (rss - heapTotal) / 2 ** 20, rss: rss / 2 ** 20 }
}
function isSocket(fd) {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
  } catch {
    return false
  }
}

test('nothing is lost, nothing doubled, and nothing stays behind', async (t) => {
  await deploy(0, WARM_UP)
  const early = await end()
  const first = await held()
  await deploy(WARM_UP, DEPLOYMENTS)
  const late = await end()
  const last = await held()
  const outcomes = sum(early.outcomes, late.outcomes)
  const served = sum(early.served, late.served)
  t.diagnostic(`messages: ${show(outcomes)}`)
  t.diagnostic(`callers: ${show(served)}`)
  t.diagnostic(`held after ${WARM_UP} and after ${DEPLOYMENTS} deployments: ${show(first)}; ${show(last)}`)
  for (const code of ['answered', ...CODES]) assert.ok(outcomes[code] > 0, code)
  for (const status of [200, 401]) assert.ok(served[status] > 0, `${status}`)
  // A catch node may be stopped before it gets an error; the warning is there in any case.
  assert.equal(warned, outcomes.AUTH_CANCELLED)
  for (const [what, more] of Object.entries(MORE)) assert.ok(last[what] <= first[what] + more, `${what}: ${first[what]}, then ${last[what]}`)
})

function sum(...all) {
  const total = {}
  for (const [name, count] of all.flatMap(Object.entries)) total[name] = (total[name] ?? 0) + count
  return total
}
const show = (figures) => Object.entries(figures).map(([name, figure]) => `${name} ${Math.round(figure)}`).join(', ')
