// `npm start` keeps what someone made: flows, networks, secrets; and two of it at once do not share a folder.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { example } from '../../scripts/example.mjs'
import { serving, start, stop } from './command.mjs'

const MINE = 'ttn-account-v2.a-key-of-my-own'

function folder(t) {
  const path = mkdtempSync(join(tmpdir(), 'ttn-kept-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Starts, and ends at the latest with the test. */
function started(t, args, options) {
  const process = start(['--port', '0', ...args], options)
  t.after(() => process.child.kill('SIGKILL'))
  return process
}
const flows = async (url) => (await fetch(`${url}flows`)).json()
const networks = (flow) => flow.filter(({ type }) => type === 'ttn-credentials')

test('a network that someone entered stays, with its secret; the other is wired to the new sandbox', async (t) => {
  const userDir = folder(t)
  const server = createServer((request, response) => {
    server.emit('called', request.headers.authorization)
    response.setHeader('content-type', 'application/json').end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close() && server.closeAllConnections())
  const own = { grpcAddress: 'grpcs://handler.example:1904', httpAddress: `http://127.0.0.1:${server.address().port}`, ca: '' }

  const first = started(t, ['--user-dir', userDir])
  const url = await serving(first)
  const before = await flows(url)
  const changed = before.map((node) =>
    node.type === 'ttn-credentials' && node.kind === 'access-key' ? { ...node, ...own, credentials: { secret: MINE } } : node,
  )
  const headers = { 'content-type': 'application/json', 'node-red-deployment-type': 'full' }
  const answer = await fetch(`${url}flows`, { method: 'POST', headers, body: JSON.stringify(changed) })
  assert.equal(answer.status, 204)
  await stop(first)

  const second = started(t, ['--user-dir', userDir])
  const again = await serving(second)
  const flow = await flows(again)
  const [key, token] = ['access-key', 'bearer-token'].map((kind) => networks(flow).find((node) => node.kind === kind))
  assert.deepEqual({ ...key }, { ...key, ...own })
  assert.match(second.stdout(), new RegExp(`Left as you entered it: "${key.name}"`))
  const [old] = networks(before)
  assert.notEqual(token.grpcAddress, old.grpcAddress)
  assert.ok(second.stdout().includes(token.grpcAddress) && second.stdout().includes(token.httpAddress))
  const { origin } = new URL(flow.find(({ id }) => id === 'ttn-auth-headers-put-press').props[0].v)
  assert.ok(second.stdout().includes(origin) && !first.stdout().includes(origin), 'the URL that is called is the new one')
  const called = once(server, 'called')
  assert.ok((await fetch(`${again}inject/ttn-example-access-key-http-press`, { method: 'POST' })).ok)
  assert.deepEqual(await called, [`Key ${MINE}`])
  await stop(second)
})

test('a kept flow without a request stays; one without nodes is the example', async (t) => {
  const tab = { id: 'mine', type: 'tab', label: 'mine', disabled: false, info: '', env: [] }
  const comment = { id: 'note', type: 'comment', z: 'mine', name: 'my own', info: '', x: 100, y: 100, wires: [] }
  for (const kept of [[tab, comment], [tab]]) {
    const userDir = folder(t)
    writeFileSync(join(userDir, 'flows.json'), JSON.stringify(kept))
    const running = started(t, ['--user-dir', userDir])
    const flow = await flows(await serving(running))
    if (kept.length > 1) assert.deepEqual(flow, kept)
    else assert.equal(flow.length, example().length)
    await stop(running)
  }
})

test('a kept flow that cannot be read is left alone, and named', async (t) => {
  const userDir = folder(t)
  const path = join(userDir, 'flows.json')
  for (const text of ['[{"id": "mine",', '{}', '']) {
    writeFileSync(path, text)
    const { closed, stderr } = started(t, ['--user-dir', userDir])
    assert.deepEqual(await closed, [1, null])
    assert.ok(stderr().startsWith(`npm start: ${path} is not`), stderr())
    assert.equal(readFileSync(path, 'utf8'), text)
  }
})

test('a second one at once says so, and keeps its hands off the folder of the first', async (t) => {
  const [userDir, TMPDIR] = [folder(t), folder(t)]
  const first = started(t, ['--user-dir', userDir])
  await serving(first)
  const files = () => Object.fromEntries(['flows.json', 'sandbox.json', 'npm-start.pid'].map((name) => [name, readFileSync(join(userDir, name), 'utf8')]))
  const before = files()
  assert.equal(before['npm-start.pid'], String(first.child.pid))
  const second = started(t, ['--user-dir', userDir], { env: { TMPDIR } })
  const url = await serving(second)
  assert.match(second.stdout(), new RegExp(`in use by another npm start \\(process ${first.child.pid}\\)`))
  assert.equal((await flows(url)).length, example().length)
  assert.equal(readdirSync(TMPDIR).length, 1)
  await stop(second)
  assert.deepEqual(readdirSync(TMPDIR), [])
  assert.deepEqual(files(), before)
  await stop(first)
  assert.equal(existsSync(join(userDir, 'npm-start.pid')), false)
})

test('a lock whose process has ended is taken over', async (t) => {
  const gone = spawn(process.execPath, ['-e', ''])
  await once(gone, 'close')
  for (const left of [String(gone.pid), '']) {
    const userDir = folder(t)
    writeFileSync(join(userDir, 'npm-start.pid'), left)
    const running = started(t, ['--user-dir', userDir])
    await serving(running)
    assert.match(running.stdout(), /is kept in/)
    assert.equal(readFileSync(join(userDir, 'npm-start.pid'), 'utf8'), String(running.child.pid))
    await stop(running)
    assert.deepEqual(readdirSync(userDir).filter((name) => name.startsWith('npm-start')), [])
  }
})
