// Environment variables of the process, the whole of Node-RED, the flow and the group; and subflows, with credentials of
// their own, chosen for each instance, or in a property of theirs. Each way either reads the device or says what is wrong.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'

import { at, button, flow, network, request, shown, tab, withSecret } from './flows.mjs'
import { startNodeRed } from './process.mjs'

const { Sandbox } = createRequire(import.meta.url)('../../node/index.js')
const WRONG = 'ttn-account-v2.wrong'
let sandbox, nodeRed

before(async () => {
  sandbox = await Sandbox.start({ rateLimit: false })
  nodeRed = await startNodeRed({ env: { TTN_KEY: sandbox.accessKey, TTN_GRPC: sandbox.grpcAddress, TTN_WRONG: WRONG } })
})
after(async () => {
  await nodeRed?.remove()
  await sandbox?.stop()
})

const fromVariable = (more) => network(sandbox, { source: 'environment', variable: 'TTN_KEY', ...more })
const str = (name, value) => ({ name, type: 'str', value })

/** Presses the button of this name, and sees the device. */
async function works(press = 'press') {
  const msg = await nodeRed.press(press, 'out')
  assert.equal(msg.payload?.dev_id, 'dev-1', JSON.stringify(msg.error))
}

/** Presses it, and sees this error. */
async function fails(pattern, press = 'press') {
  const { error } = await nodeRed.press(press, 'out')
  assert.match(error?.message ?? 'no error', pattern)
  assert.ok(!error.message.includes(sandbox.accessKey))
}

test("the process's: by name, and in the place of any text", async () => {
  await nodeRed.deploy(flow(request(), fromVariable()))
  await works()
  await nodeRed.deploy(flow(request(), network(sandbox, { grpcAddress: '${TTN_GRPC}', ...withSecret('${TTN_KEY}') })))
  await works()
})

test("a variable that is set nowhere is named, in the status and in the error", async () => {
  await nodeRed.deploy(flow(request(), fromVariable({ variable: 'TTN_NOWHERE' })))
  await nodeRed.status('request', 'variable TTN_NOWHERE not set')
  await fails(/variable TTN_NOWHERE not set \(Set it in Node-RED's environment/)
})

test('a variable inside a text, where Node-RED fills none in, is named', async () => {
  const http = request({ call: 'http', path: '/applications/${TTN_KEY}/devices' })
  await nodeRed.deploy(flow(http, network(sandbox, withSecret(sandbox.accessKey))))
  await fails(/\$\{TTN_KEY\} is a part of a setting/)
  for (const more of [{ grpcAddress: 'grpc://${TTN_GRPC}:1904' }, { grpcAddress: '', discovery: 'grpc://${TTN_GRPC}' }, { exchange: 'here', accountServer: 'http://${TTN_GRPC}' }]) {
    await nodeRed.deploy(flow(request(), network(sandbox, { ...withSecret(sandbox.accessKey), ...more })))
    await fails(/\$\{TTN_GRPC\} is a part of a setting/)
  }
  await nodeRed.status('request', 'ttn.problem-short.variable-part')
})

/** A guarded flow that answers with who calls. */
const guarded = (more) => [
  tab(),
  { id: 'in', type: 'http in', ...at, url: '/apps/:app_id', method: 'get', wires: [['guard']] },
  { id: 'guard', type: 'ttn-guard', ...at, name: '', right: 'devices', appFrom: 'path', issuer: '', outputs: 1, wires: [['response']], ...more },
  { id: 'response', type: 'http response', ...at, wires: [] },
]

test("a guard takes the process's and those of its group", async () => {
  const group = { id: 'group', type: 'group', ...at, w: 9, h: 9, style: {}, nodes: ['guard'], env: [str('TTN_ACCOUNT', sandbox.accountServer), str('TTN_APP', sandbox.appId)] }
  const call = async () => (await nodeRed.request('apps/x', { headers: { authorization: `Key ${sandbox.accessKey}` } })).status
  const settings = { g: 'group', accountServer: '${TTN_ACCOUNT}', appFrom: 'fixed', appId: '${TTN_APP}' }
  await nodeRed.deploy([...guarded(settings), group])
  assert.equal(await call(), 200)
  await nodeRed.deploy([...guarded({ ...settings, g: undefined }), group])
  await nodeRed.status('guard', 'variable TTN_ACCOUNT not set')
  assert.equal(await call(), 503)
})

test("Node-RED's own, for all flows, in clear and as a credential", async () => {
  const globally = (env, map) => ({ id: 'globally', type: 'global-config', name: '', env, ...(map && { credentials: { map } }) })
  await nodeRed.deploy(flow(request(), fromVariable({ variable: 'TTN_GLOBAL' }), globally([str('TTN_GLOBAL', sandbox.accessKey)])))
  await works()
  const hidden = globally([{ name: 'TTN_GLOBAL', type: 'cred', value: '' }], { TTN_GLOBAL: sandbox.accessKey })
  for (const settings of [fromVariable({ variable: 'TTN_GLOBAL' }), network(sandbox, withSecret('${TTN_GLOBAL}'))]) {
    await nodeRed.deploy(flow(request(), settings, hidden))
    await works()
    assert.ok(!nodeRed.read('flows.json').includes(sandbox.accessKey))
  }
})

test("the flow's, for credentials that belong to the flow", async () => {
  const env = [str('TTN_WRONG', sandbox.accessKey), str('TTN_GRPC', sandbox.grpcAddress)]
  const settings = fromVariable({ z: 'tab', variable: 'TTN_WRONG', grpcAddress: '${TTN_GRPC}' })
  const rest = flow(request()).slice(1)
  await nodeRed.deploy([tab({ env }), ...rest, settings])
  await works()
  // Of type credential, which is how a flow keeps a secret.
  const hidden = { env: [{ name: 'TTN_WRONG', type: 'cred', value: '' }], credentials: { TTN_WRONG: sandbox.accessKey } }
  for (const more of [{}, { source: 'stored', ...withSecret('${TTN_WRONG}') }]) {
    await nodeRed.deploy([tab(hidden), ...rest, { ...settings, grpcAddress: sandbox.grpcAddress, ...more }])
    await works()
    assert.ok(!nodeRed.read('flows.json').includes(sandbox.accessKey))
  }
  // Credentials for all flows do not see it: another flow's could be meant.
  await nodeRed.deploy([tab({ env: [str('TTN_IN_FLOW', sandbox.accessKey)] }), ...rest, fromVariable({ variable: 'TTN_IN_FLOW' })])
  await nodeRed.status('request', 'variable TTN_IN_FLOW not set')
  await fails(/variable TTN_IN_FLOW not set/)
})

test("the group's, for what is in the group; credentials are in none, and say so", async () => {
  const group = { id: 'group', type: 'group', ...at, w: 9, h: 9, style: {}, nodes: ['request'], env: [str('TTN_DEV', 'dev-1'), str('TTN_IN_GROUP', sandbox.accessKey)] }
  const grouped = request({ g: 'group', devId: '${TTN_DEV}' })
  await nodeRed.deploy(flow(group, grouped, network(sandbox, withSecret(sandbox.accessKey))))
  await works()
  for (const z of [undefined, 'tab']) {
    await nodeRed.deploy(flow(group, grouped, fromVariable({ z, variable: 'TTN_IN_GROUP' })))
    await nodeRed.status('request', 'variable TTN_IN_GROUP not set')
    await fails(/variable TTN_IN_GROUP not set/)
  }
})

/** A subflow with a request in it, and instances of it, each behind a button of its own. */
const subflow = (inner, env, instances) => [
  tab(),
  ...shown(),
  { id: 'sub', type: 'subflow', name: 'sub', in: [{ x: 1, y: 1, wires: [{ id: 'inner' }] }], out: [{ x: 1, y: 1, wires: [{ id: 'inner', port: 0 }] }], ...env },
  ...inner,
  ...Object.entries(instances).flatMap(([id, more]) => [
    button(id, { id: `press-${id}` }),
    { id, type: 'subflow:sub', ...at, name: '', env: [], wires: [['out']], ...more },
  ]),
]
const inner = (more) => request({ id: 'inner', z: 'sub', wires: [], ...more })

test('a subflow with credentials in it: stored ones, the same for all instances', async () => {
  const own = { ...network(sandbox, withSecret(sandbox.accessKey)), id: 'own', z: 'sub' }
  await nodeRed.deploy(subflow([inner({ network: 'own' }), own], {}, { one: {}, two: {} }))
  await works('press-one')
  await works('press-two')
  await nodeRed.restart()
  await works('press-one')
  // The new key is in use, in each of them.
  await nodeRed.deploy(subflow([inner({ network: 'own' }), { ...own, ...withSecret(WRONG) }], {}, { one: {}, two: {} }), 'nodes')
  await fails(/invalid access key/, 'press-one')
  await fails(/invalid access key/, 'press-two')
})

test('a subflow with credentials in it whose key is a property, of type credential, of each instance', async () => {
  const env = { env: [{ name: 'TTN_SUB', type: 'cred', value: '' }] }
  const instance = (secret) => ({ env: [{ name: 'TTN_SUB', type: 'cred', value: '' }], credentials: { TTN_SUB: secret } })
  const instances = { good: instance(sandbox.accessKey), wrong: instance(WRONG), none: {} }
  for (const more of [withSecret('${TTN_SUB}'), { source: 'environment', variable: 'TTN_SUB' }]) {
    await nodeRed.deploy(subflow([inner({ network: 'own' }), network(sandbox, { id: 'own', z: 'sub', ...more })], env, instances))
    await works('press-good')
    await fails(/invalid access key/, 'press-wrong')
    await fails(/variable TTN_SUB not set/, 'press-none')
    assert.ok(!nodeRed.read('flows.json').includes(sandbox.accessKey))
  }
})

test('a subflow whose credentials are chosen for each instance', async () => {
  const env = { env: [{ name: 'TTN_NETWORK', type: 'ttn-credentials', value: '', ui: { type: 'conf-types' } }] }
  const chosen = (id) => ({ env: [{ name: 'TTN_NETWORK', type: 'conf-type', value: id }] })
  const all = (secret, more) => [
    ...subflow([inner({ network: '${TTN_NETWORK}' })], env, { good: chosen('network'), wrong: chosen('other'), none: {} }),
    network(sandbox, { ...withSecret(secret), ...more }),
    network(sandbox, { id: 'other', ...withSecret(WRONG) }),
  ]
  await nodeRed.deploy(all(sandbox.accessKey))
  await works('press-good')
  await fails(/invalid access key/, 'press-wrong')
  await fails(/No network is chosen/, 'press-none')
  // Node-RED does not see that the subflow uses what has changed, and leaves it running.
  for (const type of ['nodes', 'flows']) {
    await nodeRed.deploy(all(WRONG, { name: `changed ${type}` }), type)
    await fails(/invalid access key/, 'press-good')
    await nodeRed.deploy(all(sandbox.accessKey, { name: `good ${type}` }), type)
    await works('press-good')
  }
})
