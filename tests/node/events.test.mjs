// What is told on diagnostics_channel: names, fields, types; to every thread; never a secret.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { format, inspect } from 'node:util'
import { Worker } from 'node:worker_threads'

import { AuthError, Credentials, Sandbox, TokenSource } from '../../node/index.js'
import { connect } from './support.mjs'

const NAMES = ['exchange', 'refresh', 'refused', 'retry', 'store', 'file']
const DEVICE = { app_id: 'test-app', dev_id: 'dev-1' }
const root = fileURLToPath(new URL('../..', import.meta.url))
const index = join(root, 'node', 'index.js')
const types = readFileSync(join(root, 'index.d.ts'), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'ttn-auth-'))
after(() => rmSync(folder, { recursive: true }))

/** Everything that is published from now on, by name. */
function listen(t) {
  const events = Object.fromEntries(NAMES.map((name) => [name, []]))
  for (const name of NAMES) {
    const listener = (event, on) => {
      assert.equal(on, `ttn-auth:${name}`)
      events[name].push(event)
    }
    channel(`ttn-auth:${name}`).subscribe(listener)
    t.after(() => channel(`ttn-auth:${name}`).unsubscribe(listener))
  }
  return events
}

async function until(condition) {
  while (!condition()) await turn()
}

/** The fields that index.d.ts declares for a channel: the needed ones and all. */
function declared(name) {
  const body = new RegExp(`'ttn-auth:${name}': \\{\\n([\\s\\S]*?)\\n  \\}`).exec(types)[1]
  const fields = [...body.matchAll(/^ {4}(\w+)(\??): ([^\n]+)$/gm)]
  return { all: fields.map(([, field]) => field), needed: fields.filter(([, , optional]) => !optional).map(([, field]) => field) }
}

test('a day in the life of a client: every channel, with the declared fields; and nothing secret anywhere', async (t) => {
  const events = listen(t)
  const sandbox = await Sandbox.start({ rateLimit: 10 })
  t.after(() => sandbox.stop())
  const errors = []
  const shown = []
  const call = (client) => client.getDevice(DEVICE).catch((error) => errors.push(error))
  const { accountServer } = sandbox
  const path = join(folder, 'key')
  writeFileSync(path, sandbox.accessKey)
  const storeKey = randomBytes(32).toString('base64')
  const store = { file: join(folder, 'store'), key: storeKey }
  const credentials = Credentials.fromFile(path, { appId: 'test-app' })
  const tokens = []
  for (const scheme of ['grpc', 'http']) {
    const client = connect(sandbox, scheme, { credentials, exchange: { accountServer, store } })
    await call(client)
    tokens.push(await client.tokenSource.token())
    sandbox.revokeTokens()
    await call(client)
    tokens.push(await client.tokenSource.token())
    await Promise.all(Array.from({ length: 20 }, () => call(client)))
    const plain = connect(sandbox, scheme, { credentials })
    await call(plain)
    sandbox.stopAccountServer()
    sandbox.revokeTokens()
    await client.getDevice(DEVICE, { timeout: 200 }).catch((error) => errors.push(error))
    writeFileSync(path, 'junk')
    assert.equal(credentials.kind, 'access-key')
    await plain.getDevice(DEVICE, { timeout: 200 }).catch((error) => errors.push(error))
    const refused = connect(sandbox, scheme, { credentials: undefined, tokenSource: () => sandbox.mintToken({ kind: 'badsig' }) })
    await call(refused)
    shown.push(client, plain, refused, client.tokenSource, refused.tokenSource)
    await sandbox.startAccountServer()
    writeFileSync(path, sandbox.accessKey)
    for (const each of [client, plain, refused]) each.close()
  }
  const noStore = TokenSource.keyExchange({ credentials, accountServer, store: { file: join(folder, 'no', 'folder'), key: storeKey } })
  tokens.push(await noStore.token())
  shown.push(noStore, credentials)
  await until(() => NAMES.every((name) => events[name].length > 0) && events.store.some(({ outcome }) => outcome !== 'ok'))

  const codes = new Set([...types.matchAll(/\| '(AUTH_\w+)'/g)].map(([, code]) => code))
  for (const name of NAMES) {
    const { all, needed } = declared(name)
    for (const event of events[name]) {
      assert.equal(Object.getPrototypeOf(event), Object.prototype)
      for (const field of Object.keys(event)) assert.ok(all.includes(field), `${name}.${field}`)
      for (const field of needed) assert.ok(field in event, `${name}.${field}`)
      for (const [field, value] of Object.entries(event)) {
        if (/Ms$|^attempt$/.test(field)) assert.ok(Number.isFinite(value) && value >= 0, `${name}.${field}: ${value}`)
        else if (field === 'dropped') assert.equal(typeof value, 'boolean')
        else if (field === 'code') assert.ok(codes.has(value), value)
        else if (field === 'outcome') assert.ok(value === 'ok' || codes.has(value), value)
        else assert.equal(typeof value, 'string', `${name}.${field}`)
      }
    }
  }
  assert.ok(events.exchange.some(({ outcome, expiresInMs }) => outcome === 'ok' && expiresInMs === 3_600_000))
  assert.ok(events.exchange.some(({ outcome }) => outcome === 'AUTH_EXCHANGE_UNAVAILABLE'))
  assert.ok(events.refused.some(({ dropped }) => dropped))
  assert.ok(events.retry.some(({ code }) => code === 'AUTH_RATE_LIMITED'))
  assert.ok(events.file.some(({ outcome }) => outcome === 'AUTH_INVALID_CREDENTIALS'))

  assert.ok(errors.length >= 4 && errors.every((error) => error instanceof AuthError))
  const stored = readdirSync(folder).filter((name) => name !== 'key').map((name) => readFileSync(join(folder, name), 'latin1'))
  const everything = [
    JSON.stringify(events),
    ...errors.map((error) => `${error.stack}${inspect(error, { depth: 9, showHidden: true })}${JSON.stringify(error)}`),
    ...shown.map((each) => `${format('%s %o %O %j', each, each, each, each)}${inspect(each, { depth: 9, showHidden: true })}`),
    ...stored,
  ].join('\n')
  const secrets = [sandbox.accessKey, sandbox.accessKey.split('.')[1], storeKey, ...tokens.flatMap((token) => [token, token.split('.')[2]])]
  assert.ok(new Set(tokens).size >= 4)
  for (const secret of secrets) assert.ok(!everything.includes(secret), everything.slice(Math.max(0, everything.indexOf(secret) - 200), everything.indexOf(secret)))
})

test('each thread hears of it, and only while it listens', async (t) => {
  const code = `
    const { channel } = require('node:diagnostics_channel')
    const { TokenSource } = require(${JSON.stringify(index)})
    const { parentPort } = require('node:worker_threads')
    channel('ttn-auth:refresh').subscribe((event) => parentPort.postMessage(event))
    parentPort.on('message', () => process.exit())
    parentPort.postMessage('listening')
  `
  const workers = [1, 2].map(() => new Worker(code, { eval: true }))
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  const events = listen(t)
  const heard = Promise.all(workers.map((worker) => once(worker, 'message')))
  await TokenSource.callback(() => 'x').token()
  for (const [event] of await heard) assert.deepEqual([event.outcome, event.attempt], ['ok', 1])
  await until(() => events.refresh.length === 1)
  await Promise.all(workers.map((worker) => (worker.postMessage('end'), once(worker, 'exit'))))
  await TokenSource.callback(() => 'x').token()
  await until(() => events.refresh.length === 2)
})

test('a listener keeps no process alive, and a busy thread loses events rather than memory', () => {
  const listener = `
    const { channel } = require('node:diagnostics_channel')
    const { parentPort, workerData } = require('node:worker_threads')
    require(${JSON.stringify(index)})
    channel('ttn-auth:retry').subscribe(() => {
      Atomics.add(workerData, 0, 1)
      Atomics.notify(workerData, 0)
    })
    // It stays until the process ends.
    parentPort.on('message', () => {})
    parentPort.postMessage('listening')
  `
  const code = `
    const { channel } = require('node:diagnostics_channel')
    const { Worker } = require('node:worker_threads')
    const { Credentials, Client } = require(${JSON.stringify(index)})
    let heard = 0
    channel('ttn-auth:retry').subscribe(() => (heard += 1))
    const others = new Int32Array(new SharedArrayBuffer(4))
    const worker = new Worker(${JSON.stringify(listener)}, { eval: true, workerData: others })
    worker.once('message', () => {
      // 200 calls, each made again 19 times: 3800 events.
      const retry = { attempts: 20, baseDelay: 0.001, maxDelay: 0.001 }
      const client = new Client({ address: 'http://127.0.0.1:1', credentials: Credentials.parse('a.b'), retry })
      const calls = Array.from({ length: 200 }, () => client.getDevice({ app_id: 'my-app', dev_id: 'my-device' }))
      for (let n = 0; (n = Atomics.load(others, 0)) < 2000; ) Atomics.wait(others, 0, n)
      Promise.allSettled(calls).then(() => setTimeout(() => {
        console.log(heard >= 1000 && heard <= 3800 - 2000 + 1000 || heard)
        worker.unref()
      }, 50))
    })
  `
  const child = spawnSync(process.execPath, ['-e', code], { encoding: 'utf8', timeout: 60_000 })
  assert.deepEqual([child.stdout, child.status], ['true\n', 0], child.stderr)
})
