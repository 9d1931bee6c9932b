// The two commands of the README: `npm start` and `npm start -- --once`.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { mkdtempSync, readdirSync, rmSync, watch, writeFileSync } from 'node:fs'
import { constants, networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { EXAMPLES, OTHER_EXAMPLES, example, pressAll, read, wire } from '../../scripts/example.mjs'
import { startNodeRed } from '../../scripts/node-red.mjs'
import { root } from '../../scripts/prepare.mjs'
import { serving, start } from './command.mjs'
import { Sandbox, nodeRed as version } from './support.mjs'

test('--once reads the device six times, by http request and through the guard, and The Things Stack’s twice, and ends by itself, leaving nothing behind', async (t) => {
  const TMPDIR = mkdtempSync(join(tmpdir(), 'ttn-once-'))
  t.after(() => rmSync(TMPDIR, { recursive: true, force: true }))
  const { closed, stdout } = start(['--once'], { env: { TMPDIR } })
  const [code] = await closed
  assert.equal(code, 0, stdout())
  const lines = stdout().trim().split('\n')
  assert.match(lines[0], /^credential +transport +device read +time$/)
  for (const row of ['access key +gRPC', 'access key +HTTP', 'bearer token +gRPC', 'bearer token +HTTP', 'exchanged key +gRPC', 'exchanged key +HTTP']) {
    assert.equal(lines.filter((line) => new RegExp(`^${row} +dev-1 0000000000000001 +\\d+ ms$`).test(line)).length, 1, stdout())
  }
  assert.equal(lines.filter((line) => /^http request +HTTP +dev-1 0000000000000001 +\d+ ms$/.test(line)).length, 1, stdout())
  assert.equal(lines.filter((line) => /^guarded flow +HTTP +dev-1 +\d+ ms$/.test(line)).length, 1, stdout())
  for (const transport of ['gRPC', 'HTTP']) {
    assert.equal(lines.filter((line) => new RegExp(`^api key +${transport} +dev1 70B3D57ED000AB01 +\\d+ ms$`).test(line)).length, 1, stdout())
  }
  assert.equal(lines.at(-1), '10 of 10 read the device')
  assert.deepEqual(readdirSync(TMPDIR), [])
})

test('--once is understood without the two dashes of npm too', async () => {
  const { closed, stdout } = start(['start', '--once'], { command: 'npm' })
  assert.deepEqual(await closed, [0, null], stdout())
  assert.match(stdout(), /10 of 10 read the device$/m)
})

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`--once that is broken off by ${signal} leaves nothing behind`, async (t) => {
    const TMPDIR = mkdtempSync(join(tmpdir(), 'ttn-once-'))
    t.after(() => rmSync(TMPDIR, { recursive: true, force: true }))
    const watcher = watch(TMPDIR)
    t.after(() => watcher.close())
    const made = once(watcher, 'change')
    const { child, closed, stdout } = start(['--once'], { env: { TMPDIR } })
    await made
    // npm sends on a signal that the terminal has sent as well.
    child.kill(signal)
    child.kill(signal)
    assert.deepEqual(await closed, [128 + constants.signals[signal], null])
    assert.doesNotMatch(stdout(), /read the device/)
    assert.deepEqual(readdirSync(TMPDIR), [])
  })
}

test('a port that is none is refused', async () => {
  for (const port of ['abc', '65536', '-1', '']) {
    const { closed, stderr } = start([`--port=${port}`])
    assert.deepEqual(await closed, [1, null])
    assert.match(stderr(), /^npm start: --port takes a number up to 65535, not ".*"\n$/)
  }
})

test('serves the editor on 127.0.0.1 and nowhere else, keeps what was deployed, and ends on a signal', async (t) => {
  const userDir = mkdtempSync(join(tmpdir(), 'ttn-start-'))
  t.after(() => rmSync(userDir, { recursive: true, force: true }))
  const mine = { id: 'mine', type: 'comment', z: 'ttn-example', name: 'my own node', info: '', x: 100, y: 600, wires: [] }
  writeFileSync(join(userDir, 'flows.json'), JSON.stringify([...example(), mine]))
  const [{ grpcAddress, httpAddress }] = example().filter(({ type }) => type === 'ttn-credentials')
  const { accountServer } = example().find(({ type }) => type === 'ttn-guard')
  writeFileSync(join(userDir, 'sandbox.json'), JSON.stringify([{ grpcAddress, httpAddress, plainAddress: httpAddress, accountServer, stackGrpcAddress: '', stackHttpAddress: '' }]))
  // The port is taken, so the next free one is used.
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.after(() => taken.close())
  const { child, closed, stdout } = start(['--user-dir', userDir, '--port', String(taken.address().port)])
  const url = await serving({ child, closed, stdout })
  assert.match(await (await fetch(url)).text(), /Node-RED/)
  const { port } = new URL(url)
  assert.notEqual(Number(port), taken.address().port)
  const flow = await (await fetch(`${url}flows`)).json()
  assert.deepEqual(flow.find(({ id }) => id === 'mine'), mine)
  for (const { grpcAddress } of flow.filter(({ type }) => type === 'ttn-credentials')) assert.ok(stdout().includes(grpcAddress))
  assert.notEqual(flow.find(({ type }) => type === 'ttn-guard').accountServer, accountServer)
  const plain = flow.find(({ id }) => id === 'ttn-auth-headers-network').httpAddress
  assert.equal(flow.find(({ id }) => id === 'ttn-auth-headers-put-press').props[0].v, `${plain}/applications/test-app/devices/dev-1`)
  assert.ok(plain !== httpAddress && stdout().includes(plain))
  assert.doesNotMatch(stdout(), /Left as you entered it/)
  assert.equal((await fetch(`${url}applications/test-app/devices/dev-1`)).status, 401)
  const others = Object.values(networkInterfaces()).flat().filter(({ internal }) => !internal)
  for (const { address, scopeid, family } of [...others, { address: '::1', family: 'IPv6' }]) {
    const host = family === 'IPv6' && scopeid ? `${address}%${scopeid}` : address
    assert.equal(await refuses(host, port), true, `${host} must not answer`)
  }
  child.kill('SIGTERM')
  assert.deepEqual(await closed, [0, null])
})

/** Whether nothing accepts connections there. */
function refuses(host, port) {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 5000 })
    socket.on('connect', () => resolve(false)).on('error', () => resolve(true)).on('timeout', () => resolve(true))
    socket.on('close', () => socket.destroy())
  })
}

test('a row that fails is reported as failed; the server listens on the loopback address', async (t) => {
  const sandbox = await Sandbox.start({ rateLimit: false })
  const userDir = mkdtempSync(join(tmpdir(), 'ttn-rows-'))
  const nodeRed = await startNodeRed({ userDir, nodeRed: version })
  t.after(async () => {
    await nodeRed.stop()
    await sandbox.stop()
    rmSync(userDir, { recursive: true, force: true })
  })
  assert.equal(nodeRed.server.address().address, '127.0.0.1')
  const wired = wire(example(), sandbox).map((node) =>
    node.kind === 'access-key' && node.source !== 'environment' ? { ...node, credentials: { secret: 'ttn-account-v2.wrong' } } : node,
  )
  await nodeRed.deploy(wired)
  const rows = await pressAll(nodeRed.RED, wired)
  assert.deepEqual(
    rows.map(({ credential, device, error }) => [credential, device ?? /^[^(]*/.exec(error)[0].trim()]),
    [
      ['access-key', 'invalid access key'],
      ['access-key', 'invalid access key'],
      ['exchanged-key', 'dev-1'],
      ['exchanged-key', 'dev-1'],
      ['bearer-token', 'dev-1'],
      ['bearer-token', 'dev-1'],
      ['http-request', 'invalid access key'],
      ['guarded-flow', 'dev-1'],
      ['api-key', 'dev1'],
      ['api-key', 'dev1'],
    ],
  )

  // Import > Examples lists the flows.
  const listed = await (await fetch(`${nodeRed.url}library/examples/flows/`)).json()
  assert.ok(listed.includes('@thingskey/ttn-auth'), JSON.stringify(listed))
  const path = `${nodeRed.url}library/examples/flows/@thingskey/ttn-auth/node-red`
  const names = (await (await fetch(path)).json()).map(({ fn }) => fn)
  assert.deepEqual(names.toSorted(), [...EXAMPLES, ...OTHER_EXAMPLES].toSorted())
  for (const name of names) assert.deepEqual(await (await fetch(`${path}/${name}`)).json(), read(name))
})

test('the examples hold no secret and nothing of this machine; their nodes are different ones', () => {
  const all = example().filter(({ type }) => type === 'ttn-credentials')
  // One calls the Node-RED that it is in.
  const [caller, stack] = ['ttn-guard-caller', 'ttn-stack-network'].map((wanted) => all.find(({ id }) => id === wanted))
  const networks = all.filter((node) => node !== caller && node !== stack)
  assert.deepEqual([stack.cluster, stack.grpcAddress, stack.httpAddress, stack.credentials], ['eu1', '', '', undefined])
  assert.deepEqual([caller.httpAddress, caller.grpcAddress, caller.credentials], ['${TTN_EXAMPLE_NODE_RED}', '', undefined])
  assert.deepEqual(networks.map(({ kind, exchange }) => exchange ?? kind).sort(), ['access-key', 'access-key', 'bearer-token', 'here'])
  const guard = example().find(({ type }) => type === 'ttn-guard')
  assert.deepEqual([guard.accountServer, guard.keyDirectory, guard.credentials], ['http://127.0.0.1:8080', '', undefined])
  const [broker] = read('mqtt').filter(({ type }) => type === 'mqtt-broker')
  assert.deepEqual(broker.credentials, { user: '${TTN_MQTT_USERNAME}', password: '${TTN_MQTT_PASSWORD}' })
  assert.equal(new Set(example().map(({ id }) => id)).size, example().length)
  for (const network of networks) {
    assert.equal(network.credentials, undefined)
    assert.equal(network.ca, '')
    assert.match(network.grpcAddress, /^grpc:\/\/127\.0\.0\.1:1904$/)
  }
})
