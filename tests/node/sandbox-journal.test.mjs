// A sandbox that is killed while it is written to, and goes on where it was.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { Client, Credentials, Sandbox } from '../../node/index.js'
import { rejects } from './support.mjs'

const cli = fileURLToPath(new URL('../../node/cli.js', import.meta.url))
const DEVICE = { app_id: 'test-app', dev_id: 'dev-1' }

/** A journal of the test's own. */
function scratch(t) {
  const folder = mkdtempSync(join(tmpdir(), 'ttn-auth-journal-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return join(folder, 'journal.jsonl')
}

/** `ttn-auth sandbox` with this journal; what it prints, and the process. */
async function run(t, journal, ports = {}) {
  const args = Object.entries(ports).flatMap(([name, port]) => [`--${name}-port`, port])
  const child = spawn(process.execPath, [cli, 'sandbox', '--json', '--rate-limit', 'off', '--journal', journal, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  let text = ''
  for await (const chunk of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += chunk
    if (text.endsWith('\n')) return { child, ...JSON.parse(text) }
  }
  throw new Error(`it ended after: ${text}`)
}

test('killed under load, three times: every acknowledged write is there, and every token good', { timeout: 120_000 }, async (t) => {
  const journal = scratch(t)
  const first = await run(t, journal)
  assert.equal(statSync(journal).mode & 0o777, 0o600)
  const addresses = { grpc: first.grpc, grpcs: first.grpcs, http: first.http, https: first.https, account: first.accountServer, discovery: first.discovery }
  const ports = Object.fromEntries(Object.entries(addresses).map(([name, address]) => [name, new URL(address).port]))
  const connect = (scheme, secret) => {
    const client = new Client({ address: first[scheme], ca: first.ca, credentials: Credentials.parse(secret), retry: false })
    t.after(() => client.close())
    return client
  }
  const clients = [connect('grpcs', first.accessKey), connect('https', first.bearerToken)]

  const acknowledged = []
  let { child } = first
  for (let round = 0; round < 3; round++) {
    let writing = true
    const write = async (client, which) => {
      for (let n = 0; writing; n++) {
        const dev_id = `dev-${round}-${which}-${n}`
        const dev_eui = Buffer.from(dev_id.padEnd(8).slice(-8)).toString('hex').toUpperCase()
        const lorawan_device = { app_id: 'test-app', dev_id, app_eui: `${'0'.repeat(15)}${which + 1}`, dev_eui }
        try {
          await client.setDevice({ app_id: 'test-app', dev_id, lorawan_device })
          acknowledged.push(dev_id)
        } catch {
          return
        }
        if (n === 20) child.kill('SIGKILL')
      }
    }
    const exited = once(child, 'exit')
    const writers = clients.map((client, which) => write(client, which))
    assert.deepEqual(await exited, [null, 'SIGKILL'])
    writing = false
    await Promise.all(writers)
    ;({ child } = await run(t, journal, ports))
    for (const client of clients) {
      const { devices } = await client.getDevices({ app_id: 'test-app' })
      const found = new Set(devices.map(({ dev_id }) => dev_id))
      assert.deepEqual(acknowledged.filter((id) => !found.has(id)), [])
    }
  }
  assert.ok(acknowledged.length >= 60, String(acknowledged.length))
  const written = readFileSync(journal, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line).set_device?.dev_id)
  for (const id of acknowledged) assert.equal(written.filter((each) => each === id).length, 1, id)
})

test('a last line that was cut off is dropped; one that is broken elsewhere is an error', async (t) => {
  const journal = scratch(t)
  const start = () => Sandbox.start({ rateLimit: false, journal })
  const set = async (sandbox, dev_id, dev_eui) => {
    const client = new Client({ address: sandbox.httpAddress, credentials: Credentials.parse(sandbox.accessKey) })
    await client.setDevice({ app_id: 'test-app', dev_id, lorawan_device: { app_id: 'test-app', dev_id, dev_eui } })
    const { devices } = await client.getDevices({ app_id: 'test-app' })
    client.close()
    return devices.map((device) => device.dev_id)
  }
  let sandbox = await start()
  await set(sandbox, 'one', '1111111111111111')
  await sandbox.stop()
  appendFileSync(journal, '{"delete_device":{"app_id":"test-app","dev_')
  sandbox = await start()
  assert.deepEqual(await set(sandbox, 'two', '2222222222222222'), ['dev-1', 'one', 'two'])
  await sandbox.stop()

  const text = readFileSync(journal, 'utf8')
  assert.equal(text.trimEnd().split('\n').length, 3)
  writeFileSync(journal, text.replace('\n', '\n{"secret-hunter2":\n'))
  await rejects(start(), 'AUTH_INVALID_ARGUMENT', {
    secret: 'hunter2',
    check: (error) => assert.equal(error.message, 'line 2 of the journal is broken'),
  })
  writeFileSync(journal, 'my notes')
  await rejects(start(), 'AUTH_INVALID_ARGUMENT', { check: (error) => assert.match(error.message, /is not one; it was left as it is/) })
  assert.equal(readFileSync(journal, 'utf8'), 'my notes')
})

test('a wrong journal ends the command, and says why', async (t) => {
  const journal = scratch(t)
  writeFileSync(journal, '[]\n')
  const child = spawn(process.execPath, [cli, 'sandbox', '--journal', journal], { stdio: ['ignore', 'ignore', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  let text = ''
  child.stderr.setEncoding('utf8').on('data', (chunk) => (text += chunk))
  const [status] = await once(child, 'close')
  assert.equal(status, 2)
  assert.match(text, /^ttn-auth: the file that is given as the journal is not one/)
})

test('what was done to credentials outlives the sandbox', async (t) => {
  const journal = scratch(t)
  const first = await Sandbox.start({ rateLimit: false, journal })
  const port = (address) => Number(new URL(address).port)
  const ports = { grpcPort: port(first.grpcAddress), httpPort: port(first.httpAddress), accountPort: port(first.accountServer) }
  const old = first.mintToken()
  first.rotateSigningKey()
  const revoked = first.mintToken()
  first.revokeTokens()
  const good = first.mintToken()
  const [kept, removed] = [0, 1].map(() => first.addAccessKey('test-app', ['devices']))
  first.removeAccessKey(removed)
  await first.stop()
  const second = await Sandbox.start({ rateLimit: false, journal, ...ports })
  t.after(() => second.stop())
  for (const [secret, code] of [
    [good],
    [kept],
    [first.accessKey],
    [old, 'AUTH_INVALID_TOKEN'],
    [revoked, 'AUTH_INVALID_TOKEN'],
    [removed, 'AUTH_INVALID_KEY'],
  ]) {
    for (const address of [first.grpcAddress, first.httpAddress]) {
      const client = new Client({ address, credentials: Credentials.parse(secret) })
      const call = client.getDevice(DEVICE)
      if (code) await rejects(call, code, { secret })
      else assert.equal((await call).dev_id, 'dev-1')
      client.close()
    }
  }
})
