// The sandbox from JavaScript: start, stop, start again, keys and tokens of one's own.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'

import { AuthError, Client, Credentials, Sandbox } from '../../node/index.js'
import { SCHEMES, connect, rejects } from './support.mjs'

const DEVICE = { app_id: 'test-app', dev_id: 'dev-1' }
const port = (address) => Number(new URL(address).port)

test('where it listens, and what it shows', async () => {
  const sandbox = await Sandbox.start()
  assert.match(sandbox.grpcAddress, /^grpc:\/\/127\.0\.0\.1:\d+$/)
  assert.match(sandbox.grpcsAddress, /^grpcs:\/\/localhost:\d+$/)
  assert.match(sandbox.httpAddress, /^http:\/\/127\.0\.0\.1:\d+$/)
  assert.match(sandbox.httpsAddress, /^https:\/\/localhost:\d+$/)
  assert.match(sandbox.accountServer, /^http:\/\/127\.0\.0\.1:\d+$/)
  assert.match(sandbox.discovery, /^grpc:\/\/127\.0\.0\.1:\d+$/)
  assert.match(sandbox.ca, /^-----BEGIN CERTIFICATE-----\n/)
  assert.deepEqual([sandbox.appId, sandbox.devId, sandbox.accessKey], ['test-app', 'dev-1', 'ttn-account-v2.full-test-app'])
  assert.equal(sandbox.bearerToken, sandbox.bearerToken)
  const { kind, issuer, expiresAt, apps } = Credentials.parse(sandbox.bearerToken).describe()
  assert.deepEqual([kind, issuer, Object.keys(apps)], ['bearer-token', 'ttn-account-v2', ['test-app']])
  assert.ok(Math.abs(expiresAt - Date.now() - 3_600_000) < 60_000)
  for (const text of [inspect(sandbox), JSON.stringify(sandbox)]) {
    assert.ok(text.includes(sandbox.grpcAddress))
    assert.ok(!text.includes(sandbox.accessKey) && !text.includes(sandbox.bearerToken))
  }
  await sandbox.stop()
})

test('stop, and start again on the same ports: a client finds its way', async () => {
  let sandbox = await Sandbox.start({ rateLimit: false })
  const clients = ['grpc', 'http'].map((scheme) => connect(sandbox, scheme, { timeout: 2000 }))
  const ports = { grpcPort: port(sandbox.grpcAddress), httpPort: port(sandbox.httpAddress) }
  for (let round = 0; round < 3; round++) {
    for (const client of clients) assert.equal((await client.getDevice(DEVICE)).dev_id, 'dev-1')
    await sandbox.stop()
    for (const client of clients) await rejects(client.getDevice(DEVICE), 'AUTH_UNAVAILABLE')
    sandbox = await Sandbox.start({ rateLimit: false, ...ports })
  }
  for (const client of clients) {
    assert.equal((await client.getDevice(DEVICE)).dev_id, 'dev-1')
    client.close()
  }
  await sandbox.stop()
  await sandbox.stop()
  await sandbox[Symbol.asyncDispose]()
})

test('a port that is taken', async () => {
  const sandbox = await Sandbox.start()
  await rejects(Sandbox.start({ grpcPort: port(sandbox.grpcAddress) }), 'AUTH_UNAVAILABLE')
  await sandbox.stop()
})

test('keys and tokens of one’s own', async () => {
  const sandbox = await Sandbox.start({ rateLimit: false })
  const reader = sandbox.addAccessKey('test-app', ['devices'])
  assert.match(reader, /^ttn-account-v2\.\w{16,}$/)
  const client = connect(sandbox, 'grpc', { credentials: Credentials.parse(reader) })
  assert.equal((await client.getDevice(DEVICE)).dev_id, 'dev-1')
  await rejects(client.getApplication({ app_id: 'test-app' }), 'AUTH_PERMISSION_DENIED')
  assert.equal(sandbox.exchanges, 1)
  client.close()

  const minted = sandbox.mintToken({ appId: 'test-app', rights: ['settings'], subject: 'me', expiresIn: 60, scope: ['apps:test-app', 'x'] })
  const said = Credentials.parse(minted).describe()
  assert.deepEqual([said.subject, said.apps, said.scope], ['me', { 'test-app': ['settings'] }, ['apps:test-app', 'x']])
  assert.ok(Math.abs(said.expiresAt - Date.now() - 60_000) < 10_000)
  await sandbox.stop()
})

test('an account server that signs with RS256', async () => {
  const sandbox = await Sandbox.start({ algorithm: 'RS256', rateLimit: false })
  for (const scheme of SCHEMES) {
    for (const secret of [sandbox.accessKey, sandbox.bearerToken]) {
      const client = connect(sandbox, scheme, { credentials: Credentials.parse(secret) })
      assert.equal((await client.getDevice(DEVICE)).dev_id, 'dev-1')
      client.close()
    }
  }
  await sandbox.stop()
})

test('wrong options are refused', async () => {
  for (const [options, message] of [
    [5, /options must be an object/],
    [{ rateLimit: 0 }, /rateLimit must be/],
    [{ rateLimit: true }, /rateLimit must be/],
    [{ rateLimit: 'off' }, /rateLimit must be/],
    [{ grpcPort: 65536 }, /grpcPort must be/],
    [{ httpPort: -1 }, /httpPort must be/],
    [{ tokenLifetime: 0.5 }, /tokenLifetime must be/],
    [{ algorithm: 'none' }, /algorithm must be/],
  ]) {
    await rejects(Sandbox.start(options), 'AUTH_INVALID_ARGUMENT', { check: (error) => assert.match(error.message, message) })
  }
  const sandbox = await Sandbox.start()
  for (const [act, message] of [
    [() => sandbox.mintToken({ kind: 'nice' }), /unknown token kind "nice"/],
    [() => sandbox.mintToken({ rights: 'devices' }), /rights must be a list of strings/],
    [() => sandbox.mintToken({ rights: [1] }), /rights must be a list of strings/],
    [() => sandbox.mintToken({ expiresIn: 1.5 }), /expiresIn must be/],
    [() => sandbox.mintToken('x'), /options must be an object/],
    [() => sandbox.addAccessKey('test-app'), /rights must be a list of strings/],
    [() => sandbox.addAccessKey('Not Valid', []), /./],
    [() => sandbox.addAccessKey(), /appId must be a string/],
  ]) {
    assert.throws(act, (error) => {
      assert.ok(error instanceof AuthError, String(error))
      assert.equal(error.code, 'AUTH_INVALID_ARGUMENT')
      assert.match(error.message, message)
      return true
    })
  }
  await sandbox.stop()
})

const index = fileURLToPath(new URL('../../node/index.js', import.meta.url))
const run = (code, ...flags) => spawnSync(process.execPath, [...flags, '-e', code], { encoding: 'utf8', timeout: 60_000 })

test('a sandbox of which only the address is kept is not collected', () => {
  const child = run(`
    const { Client, Credentials, Sandbox } = require(${JSON.stringify(index)})
    const start = async () => (await Sandbox.start()).grpcAddress
    start().then(async (address) => {
      for (let i = 0; i < 5; i++) { gc(); await new Promise(setImmediate) }
      const credentials = Credentials.parse('ttn-account-v2.full-test-app')
      console.log((await new Client({ address, credentials }).getDevice({ app_id: 'test-app', dev_id: 'dev-1' })).dev_id)
    })
  `, '--expose-gc')
  assert.equal(child.stdout, 'dev-1\n', child.stderr)
  assert.equal(child.status, 0)
})

test('a sandbox that is not stopped keeps neither its process nor, after its worker ended, its ports', async () => {
  const child = run(`
    const index = ${JSON.stringify(index)}
    const { Worker } = require('node:worker_threads')
    const code = \`
      const { Sandbox } = require(\${JSON.stringify(index)})
      Sandbox.start().then((sandbox) => require('node:worker_threads').parentPort.postMessage(sandbox.httpAddress))
    \`
    const worker = new Worker(code, { eval: true })
    worker.on('message', (address) => worker.on('exit', async () => {
      for (;;) {
        const open = await fetch(address).then(() => true, () => false)
        if (!open) return console.log('closed')
      }
    }))
  `)
  assert.equal(child.stdout, 'closed\n', child.stderr)
  assert.equal(child.status, 0)
})

test('a client without credentials may ask what needs none', async () => {
  const sandbox = await Sandbox.start()
  const client = new Client({ address: sandbox.grpcAddress })
  assert.equal((await client.dryDownlink({ payload: 'AQ==' })).payload, 'AQ==')
  client.close()
  await sandbox.stop()
})
