// The process lives, and ends when it should: workers, exit with calls in flight, a bad environment.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

const index = fileURLToPath(new URL('../../node/index.js', import.meta.url))
const SETUP = `
  const { Client, Credentials } = require(${JSON.stringify(index)})
  const credentials = Credentials.parse('ttn-account-v2.hunter2hunter2')
  const calls = (port, many) => {
    const clients = ['grpc', 'http'].map((scheme) => new Client({ address: scheme + '://127.0.0.1:' + port, credentials }))
    return clients.flatMap((client) => Array.from({ length: many }, () =>
      client.getDevice({ app_id: 'my-app', dev_id: 'my-device' }, { signal: new AbortController().signal })))
  };
`

/** Accepts, and never answers. */
let silent
const sockets = new Set()
before(async () => {
  silent = createServer((socket) => sockets.add(socket.resume().on('error', () => {}))).listen(0, '127.0.0.1')
  await once(silent, 'listening')
})
after(() => {
  silent.close()
  for (const socket of sockets) socket.destroy()
})

function run(code, env = {}) {
  const options = { encoding: 'utf8', timeout: 60_000, env: { ...process.env, ...env } }
  const child = spawnSync(process.execPath, ['-e', SETUP + code], options)
  assert.equal(child.signal, null, child.stderr)
  return child
}

test('process.exit with calls in flight', () => {
  const started = performance.now()
  const code = `calls(${silent.address().port}, 50); setImmediate(() => process.exit(7))`
  assert.equal(run(code).status, 7)
  assert.ok(performance.now() - started < 8000, 'it does not wait for the time limit of the calls')
})

test('an uncaught error with calls in flight', () => {
  const child = run(`calls(${silent.address().port}, 50); setImmediate(() => { throw new Error('mine') })`)
  assert.equal(child.status, 1)
  assert.match(child.stderr, /mine/)
})

test('a process ends by itself once its calls have ended, with clients left open', () => {
  const child = run(`Promise.allSettled(calls(1, 3)).then((all) => console.log(all.map(({ reason }) => reason.code).join()))`)
  assert.equal(child.status, 0)
  assert.equal(child.stdout.trim(), Array(6).fill('AUTH_UNAVAILABLE').join())
})

for (const value of ['', '0', 'junk', '-1', '99999999999999999999']) {
  test(`TOKIO_WORKER_THREADS=${JSON.stringify(value)} does no harm`, () => {
    const code = `
      const { Worker } = require('node:worker_threads')
      Promise.allSettled(calls(1, 1)).then((all) => {
        console.log(all.map(({ reason }) => reason.code).join())
        new Worker('require(${JSON.stringify(index).replaceAll('"', '\\"')})', { eval: true }).on('exit', (code) => console.log(code))
      })
    `
    const child = run(code, { TOKIO_WORKER_THREADS: value })
    assert.equal(child.stdout, 'AUTH_UNAVAILABLE,AUTH_UNAVAILABLE\n0\n', child.stderr)
  })
}

test('workers terminated with calls in flight, over and over', async () => {
  const code = `${SETUP} calls(${silent.address().port}, 5); require('node:worker_threads').parentPort.postMessage('started')`
  for (let round = 0; round < 8; round++) {
    const workers = [1, 2, 3].map(() => new Worker(code, { eval: true }))
    await Promise.all(workers.map((worker) => once(worker, 'message')))
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
})

test('a terminated worker’s calls are given up, not left to their time limit', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const connections = []
  server.on('connection', (socket) => connections.push(socket.resume().on('error', () => {})))
  const code = `${SETUP} calls(${server.address().port}, 1)`
  const worker = new Worker(code, { eval: true })
  while (connections.length < 2) await once(server, 'connection')
  const closed = connections.map((socket) => socket.destroyed || once(socket, 'close'))
  const started = performance.now()
  await worker.terminate()
  await Promise.all(closed)
  assert.ok(performance.now() - started < 5000, 'sooner than the time limit of 10 s')
  server.close()
})

test('each worker has its own errors', async () => {
  const code = `${SETUP}
    const { AuthError } = require(${JSON.stringify(index)})
    const { parentPort } = require('node:worker_threads')
    Promise.allSettled(calls(1, 1)).then((all) => parentPort.postMessage(all.map(({ reason }) => reason instanceof AuthError)))
  `
  const workers = [1, 2, 3].map(() => new Worker(code, { eval: true }))
  for (const [result] of await Promise.all(workers.map((worker) => once(worker, 'message')))) {
    assert.deepEqual(result, [true, true])
  }
})

test('a worker may load the addon before the main thread, and end before it does', () => {
  const code = `
    const { Worker } = require('node:worker_threads')
    const once = () => new Promise((resolve) => new Worker(${JSON.stringify(`${SETUP} Promise.allSettled(calls(1, 2))`)}, { eval: true }).on('exit', resolve))
    once().then(once).then(() => {
      const { Client } = require(${JSON.stringify(index)})
      return new Client({ address: 'grpc://127.0.0.1:1' }).getDevice({ app_id: 'my-app', dev_id: 'my-device' })
    }).catch((error) => console.log(error.code))
  `
  const later = spawnSync(process.execPath, ['-e', code], { encoding: 'utf8', timeout: 60_000 })
  assert.equal(later.stdout.trim(), 'AUTH_UNAVAILABLE', later.stderr)
  assert.equal(later.status, 0)
})

test('clients that nobody keeps are collected', () => {
  const code = `
    (async () => {
      const address = 'http://127.0.0.1:1'
      for (let i = 0; i < 2000; i++) new Client({ address, credentials })
      for (let i = 0; i < 5; i++) { gc(); await new Promise(setImmediate) }
      console.log('alive')
    })()
  `
  const child = spawnSync(process.execPath, ['--expose-gc', '-e', SETUP + code], { encoding: 'utf8', timeout: 60_000 })
  assert.equal(child.stdout.trim(), 'alive', child.stderr)
})
