// Test connection never sends what is stored here, or the value of a variable, to where it does not go already. Everything
// that could hear it records: the network as it is deployed, and an address that somebody else has entered.
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'

import { root } from '../../scripts/prepare.mjs'
import { MASK, answering, recorder, withAdmin } from './admin.mjs'
import { network, proxy } from './support.mjs'

const CLIENT_SECRET = 'the-secret-of-a-client'
const SET = { TTN_TEST_KEY: undefined, TTN_TEST_OTHER: 'a-value-that-is-nobodys-business', TTN_TEST_GRPC: undefined, TTN_TEST_EXCLUDED: 'x' }
let grpc, http, account, nodes, file
let connections = 0

const admin = withAdmin(async () => {
  const { sandbox } = admin
  ;[grpc, http, account] = await Promise.all([sandbox.grpcAddress, sandbox.httpAddress, sandbox.accountServer].map((address) => proxy(address)))
  for (const { server } of [grpc, http, account]) server.on('opened', () => (connections += 1))
  file = `${admin.userDir}.key`
  writeFileSync(file, sandbox.accessKey)
  Object.assign(process.env, SET, { TTN_TEST_KEY: sandbox.accessKey, TTN_TEST_GRPC: grpc.address })
  const at = { grpcAddress: grpc.address, httpAddress: http.address }
  const here = { ...at, exchange: 'here', accountServer: account.address, clientId: 'me' }
  const [secret, clientSecret] = [sandbox.accessKey, CLIENT_SECRET]
  nodes = Object.fromEntries(
    [
      ['stored', { ...here, credentials: { secret, clientSecret } }],
      ['variable', { ...here, source: 'environment', variable: 'TTN_TEST_KEY', credentials: { clientSecret } }],
      ['in-file', { ...here, source: 'file', file, credentials: { clientSecret } }],
      ['simple', { ...at, credentials: { secret } }],
      ['token', { ...at, kind: 'bearer-token', credentials: { secret: sandbox.bearerToken } }],
      ['filled', { ...at, grpcAddress: '${TTN_TEST_GRPC}', credentials: { secret: '${TTN_TEST_KEY}' } }],
      ['of-tab', { ...at, z: 'tab', source: 'environment', variable: 'TTN_TEST_OF_TAB', credentials: {} }],
      ['unset', { ...at, source: 'environment', variable: 'TTN_TEST_NOT_SET', credentials: {} }],
      ['no-file', { ...at, source: 'file', file: '/no/such/file', credentials: {} }],
      ['in-words', { ...at, allowInsecure: 'true', credentials: { secret } }],
      ['lost', { ...at, credentials: {} }],
      ['disabled', { ...at, d: true, credentials: { secret } }],
      ['disabled-variable', { ...at, d: true, source: 'environment', variable: 'TTN_TEST_KEY', credentials: {} }],
      ['inner', { ...at, z: 'sub', credentials: { secret } }],
      ['inner-variable', { ...at, z: 'sub', source: 'environment', variable: 'TTN_TEST_KEY', credentials: {} }],
    ].map(([id, more]) => [id, { ...network(sandbox), id, ...more }]),
  )
  await admin.nodeRed.deploy([
    { id: 'tab', type: 'tab', label: 'test', env: [{ name: 'TTN_TEST_OF_TAB', type: 'str', value: sandbox.accessKey }] },
    { id: 'sub', type: 'subflow', name: 'sub', in: [], out: [], env: [] },
    { id: 'instance', type: 'subflow:sub', z: 'tab', x: 1, y: 1, wires: [] },
    { id: 'request', type: 'ttn-request', z: 'tab', x: 1, y: 1, network: 'stored', call: 'getDevices', wires: [] },
    ...Object.values(nodes),
  ])
})
after(() => {
  for (const { stop } of [grpc, http, account]) stop()
  for (const name of Object.keys(SET)) delete process.env[name]
  rmSync(file, { force: true })
})

/** Tests with these edits; nobody may hear anything of it. */
async function refused(t, dialog, key, heard) {
  const before = connections
  const answer = await admin.test(dialog)
  assert.deepEqual([answer.status, answer.problem?.key], [200, `ttn.problem.${key}`], answer.text)
  assert.deepEqual([connections - before, heard?.length ?? 0], [0, 0], 'somebody was connected to')
  for (const secret of [admin.sandbox.accessKey, CLIENT_SECRET, SET.TTN_TEST_OTHER]) assert.ok(!answer.text.includes(secret))
  return answer.problem
}
const good = async (dialog) => {
  const { rows, text } = await admin.test(dialog)
  assert.deepEqual(rows?.map(({ good, devices }) => [good, devices]), [[true, 1], [true, 1]], text)
}
const typed = () => ({ secret: admin.sandbox.accessKey, clientSecret: CLIENT_SECRET })

/** Each setting that decides where a secret goes or whom it trusts, as somebody else would have it. */
const edits = ({ host }) => ({
  network: 'the-things-stack', cluster: 'eu1', tenant: 'another',
  kind: 'bearer-token', variable: 'TTN_TEST_OTHER', file: '/etc/hostname', exchange: 'server', accountServer: `http://${host}`,
  clientId: 'you', storeFile: '/tmp/ttn-test-tokens', accountCa: '-----BEGIN CERTIFICATE-----', grpcAddress: `grpc://${host}`,
  httpAddress: `http://${host}`, discovery: `grpc://${host}`, tls: 'another', ca: '-----BEGIN CERTIFICATE-----', allowInsecure: true,
})

test('what is deployed is tested with what is stored, in the environment, in a file', async () => {
  for (const id of ['stored', 'variable', 'in-file', 'simple', 'token', 'filled', 'of-tab']) await good(admin.dialog(nodes[id]))
  const before = connections
  await good(admin.dialog(nodes.stored))
  assert.ok(connections > before, 'it is heard where it should be')
})

test('the table of settings is whole: each that a node has is compared, or known to be harmless', async (t) => {
  const html = readFileSync(`${root}/node/nodes/ttn.html`, 'utf8')
  const [, defaults] = /registerType\('ttn-credentials', \{.*?defaults: \{\n(.*?)\n {8}\},/s.exec(html)
  const names = [...defaults.matchAll(/^ {12}(\w+): /gm)].map(([, name]) => name)
  const harmless = ['name', 'timeout', 'rateLimit', 'appId', 'source']
  const heard = await recorder(t)
  assert.deepEqual(Object.keys(edits(heard)).sort(), names.filter((name) => !harmless.includes(name)).sort())
})

test('a stored secret goes nowhere else, whichever setting is edited', async (t) => {
  const heard = await recorder(t)
  for (const [name, value] of Object.entries(edits(heard))) {
    await t.test(name, () => refused(t, admin.dialog(nodes.stored, { [name]: value }), 'secret-elsewhere', heard.heard))
  }
})

test('nor does one from a variable or a file', async (t) => {
  const heard = await recorder(t)
  for (const id of ['variable', 'in-file']) {
    for (const [name, value] of Object.entries(edits(heard))) {
      await t.test(`${id}: ${name}`, () => refused(t, admin.dialog(nodes[id], { [name]: value }, typed()), 'source-elsewhere', heard.heard))
    }
  }
  // By the nodes this is no permission.
  await refused(t, admin.dialog(nodes['in-words'], { allowInsecure: true }), 'secret-elsewhere')
  await refused(t, admin.dialog(nodes.stored, { source: 'environment', variable: 'TTN_TEST_KEY' }), 'source-elsewhere', heard.heard)
  await refused(t, admin.dialog(nodes.stored, { source: 'file', file }), 'source-elsewhere', heard.heard)
  await refused(t, admin.dialog(nodes.variable, { source: 'stored' }, { secret: MASK }), 'secret-elsewhere', heard.heard)
})

test('nor does the secret of a client beside a key that was typed', async (t) => {
  const heard = await recorder(t)
  const key = { secret: admin.sandbox.accessKey }
  for (const [name, value] of Object.entries(edits(heard))) {
    // Without an exchange here, it is not used.
    if (['network', 'kind', 'exchange'].includes(name)) continue
    await t.test(name, () => refused(t, admin.dialog(nodes.stored, { [name]: value }, key), 'secret-elsewhere', heard.heard))
  }
  await good(admin.dialog(nodes.stored, {}, key))
})

test('a secret that was typed goes where the dialog says, and this test would hear it', async (t) => {
  const said = []
  const httpAddress = await answering(t, (req, res) => {
    said.push(req.headers.authorization)
    res.end('{}')
  })
  await admin.test(admin.dialog(nodes.simple, { grpcAddress: '', httpAddress }, { secret: 'ttn-account-v2.typed' }))
  assert.deepEqual(said, ['Key ttn-account-v2.typed'])
  const heard = await recorder(t)
  await admin.test(admin.dialog(nodes.simple, { grpcAddress: `grpc://${heard.host}`, timeout: '50' }, { secret: 'ttn-account-v2.typed' }))
  assert.ok(heard.heard.length > 0)
})

test('what decides nothing may be edited; the application, unless a discovery service is asked with it', async (t) => {
  await good(admin.dialog(nodes.simple, { timeout: '5000', rateLimit: '5' }))
  await good(admin.dialog(nodes.token, { appId: '' }))
  const found = { discovery: 'grpc://127.0.0.1:1' }
  const flow = [{ ...nodes.simple, id: 'found', ...found }]
  const before = await admin.nodeRed.RED.runtime.flows.getFlows({})
  await admin.nodeRed.deploy([...before.flows, ...flow], 'nodes')
  await refused(t, admin.dialog(flow[0], { appId: 'another-app' }), 'secret-elsewhere')
  await admin.nodeRed.deploy(before.flows, 'nodes')
})

test('a flow that is older than the settings', async () => {
  const { id, type, kind, appId, grpcAddress, httpAddress, credentials } = nodes.simple
  const old = { id: 'old', type, kind, appId, grpcAddress, httpAddress, credentials }
  const before = await admin.nodeRed.RED.runtime.flows.getFlows({})
  await admin.nodeRed.deploy([...before.flows, old], 'nodes')
  await good(admin.dialog(old, { source: 'stored', exchange: 'server', variable: '', file: '', allowInsecure: false, ca: '', tls: '', discovery: '' }))
  await admin.nodeRed.deploy(before.flows, 'nodes')
})

test('another id brings no secret: of no node, of another type, of an object in JavaScript', async (t) => {
  for (const id of ['never-deployed', 'request', 'tab', '', '__proto__', 'constructor', 'toString']) {
    await refused(t, { ...admin.dialog(nodes.simple), id }, 'secret-elsewhere')
    await refused(t, { ...admin.dialog(nodes['of-tab']), id }, 'source-elsewhere')
    const { status, problem } = await admin.ask(`${id || 'x'}/about`)
    assert.deepEqual([status, problem.key], [404, 'ttn.problem.test-unknown'])
  }
  // Of another network, whose addresses are others.
  await refused(t, { ...admin.dialog(nodes.stored), id: 'simple' }, 'secret-elsewhere')
})

test('a node that is disabled, or in a subflow: what is stored is tested; variables are those of what runs', async (t) => {
  for (const id of ['disabled', 'inner']) {
    await good(admin.dialog(nodes[id]))
    await refused(t, admin.dialog(nodes[id], { allowInsecure: true }), 'secret-elsewhere')
    await refused(t, admin.dialog(nodes[`${id}-variable`]), 'variable-not-running')
  }
})

test('the value of a variable leaves only as it does already', async (t) => {
  const heard = await recorder(t)
  const elsewhere = { grpcAddress: '', httpAddress: `http://${heard.host}`, accountServer: `http://${heard.host}` }
  for (const form of ['${TTN_TEST_OTHER}', '$(TTN_TEST_OTHER)']) {
    const fields = ['appId', 'accountServer', 'clientId', 'accountCa', 'grpcAddress', 'httpAddress', 'discovery', 'tls', 'ca', 'timeout', 'rateLimit', 'storeFile']
    for (const name of fields) {
      const { values } = await refused(t, admin.dialog(nodes.stored, { ...elsewhere, [name]: form }, typed()), 'variable-undeployed', heard.heard)
      assert.deepEqual(values, { name: 'TTN_TEST_OTHER' }, name)
    }
    for (const name of ['secret', 'clientSecret']) {
      await refused(t, admin.dialog(nodes.stored, elsewhere, { ...typed(), [name]: form }), 'variable-undeployed', heard.heard)
    }
    // Also not to where it could go, by a field that does not have it yet.
    await refused(t, admin.dialog(nodes.simple, { appId: form }), 'variable-undeployed')
    await refused(t, admin.dialog(nodes.simple, {}, { secret: form }), 'variable-undeployed')
  }
  await refused(t, admin.dialog(nodes.filled, { httpAddress: `http://${heard.host}` }, { secret: admin.sandbox.accessKey }), 'variable-undeployed', heard.heard)
  await refused(t, admin.dialog(nodes.simple, { appId: '${TTN_TEST_NOT_SET}' }), 'variable-undeployed-unset')
  await refused(t, admin.dialog(nodes.simple, { appId: '${__proto__}' }), 'variable-undeployed-unset')
})

test('an unset variable, a missing file, a lost secret: said, of what is deployed as in a test', async (t) => {
  for (const [id, key] of [['unset', 'variable'], ['lost', 'secret-missing']]) {
    await refused(t, admin.dialog(nodes[id]), key)
    assert.equal((await admin.ask(`${id}/about`)).problem.key, `ttn.problem.${key}`)
  }
  for (const { problem } of [await admin.test(admin.dialog(nodes['no-file'])), await admin.ask('no-file/about')]) {
    assert.match(problem.message, /does not exist/)
  }
})

test('what a deployed credential is: its claims, and nothing of the secret', async () => {
  const { sandbox } = admin
  for (const [id, expected] of [
    ['stored', { kind: 'access-key', issuer: 'ttn-account-v2' }],
    ['variable', { kind: 'access-key', issuer: 'ttn-account-v2' }],
    ['in-file', { kind: 'access-key', issuer: 'ttn-account-v2' }],
  ]) {
    const { status, text } = await admin.ask(`${id}/about`, { as: 'reader' })
    assert.deepEqual([status, JSON.parse(text)], [200, expected])
  }
  const { text, kind, issuer, subject, apps, expiresAt, headers } = await admin.ask('token/about', { as: 'reader' })
  assert.deepEqual([kind, issuer, Object.keys(apps)], ['bearer-token', 'ttn-account-v2', [sandbox.appId]])
  assert.ok(subject && new Date(expiresAt) > new Date())
  assert.deepEqual(Object.keys(JSON.parse(text)).sort(), ['apps', 'expiresAt', 'issuer', 'kind', 'subject'])
  assert.equal(headers.get('cache-control'), 'no-store')
  for (const part of sandbox.bearerToken.split('.')) assert.ok(!text.includes(part))
})

test('whether the process has a variable', async () => {
  for (const [name, set] of [
    ['TTN_TEST_OTHER', true], ['TTN_TEST_NOT_SET', false], ['TTN_TEST_EXCLUDED', false], ['__proto__', false], ['toString', false],
  ]) {
    const { text } = await admin.ask(`variable?name=${encodeURIComponent(name)}`)
    assert.deepEqual(JSON.parse(text), { set }, name)
  }
})
