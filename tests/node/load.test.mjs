// Calls under load: hundreds in flight all the time, of every kind of end, and each caller gets its own. A server of our own
// answers by the id of the device: at once, with letters from everywhere, with an error, or never.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'

import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

import { AuthError, Client, Credentials } from '../../node/index.js'

const TRANSPORTS = ['grpc', 'http']
const credentials = Credentials.accessKey('ttn-account-v2.hunter2hunter2')
const index = fileURLToPath(new URL('../../node/index.js', import.meta.url))
const proto = fileURLToPath(new URL('../../proto', import.meta.url))

/** What a device says of itself: its id, so that it is known whose answer it is. */
const describe = (id) => (id.startsWith('wide') ? `Gerät ${id}, 東京 🛰` : `device ${id}`)

/** Answers, or says why not; a device that hangs gets nothing. */
function answer(id, device, error) {
  if (id.startsWith('bad')) error(`handler:device ${id} not found`)
  else if (!id.startsWith('hang')) device({ app_id: 'my-app', dev_id: id, description: describe(id) })
}

const addresses = {}
const http = createServer(({ url }, response) => {
  const id = decodeURIComponent(url.split('/').at(-1))
  const send = (status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  answer(id, (device) => send(200, device), (message) => send(500, { code: 5, error: message, message }))
})
const server = new grpc.Server()

before(async () => {
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  addresses.http = `http://127.0.0.1:${http.address().port}`
  const { handler } = grpc.loadPackageDefinition(loadSync(join(proto, 'handler.proto'), { includeDirs: [proto], keepCase: true }))
  server.addService(handler.ApplicationManager.service, {
    GetDevice({ request }, callback) {
      answer(request.dev_id, (device) => callback(null, device), (details) => callback({ code: 5, details }))
    },
  })
  const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', grpc.ServerCredentials.createInsecure())
  addresses.grpc = `grpc://127.0.0.1:${port}`
})
after(() => {
  http.close()
  http.closeAllConnections()
  server.forceShutdown()
})

const client = (transport) => new Client({ address: addresses[transport], credentials })
const get = (client, id, options) => client.getDevice({ app_id: 'my-app', dev_id: id }, options)

async function fails(call, code, check) {
  const error = await call.then((device) => assert.fail(`answered: ${device.dev_id}`), (thrown) => thrown)
  assert.ok(error instanceof AuthError, String(error))
  assert.equal(error.code, code, error.message)
  check(error)
}

async function answers(call, id) {
  const { dev_id, description } = await call
  assert.deepEqual([dev_id, description], [id, describe(id)])
}

/** One call of each kind, and how it has to end. */
const KINDS = {
  good: (client, id) => answers(get(client, id), id),
  wide: (client, id) => answers(get(client, id), id),
  bad: (client, id) => fails(get(client, id), 'AUTH_NOT_FOUND', ({ message }) => assert.ok(message.includes(`handler:device ${id} not found`), message)),
  'hang-limit': (client, id, n) => {
    const timeout = 20 + (n % 50)
    return fails(get(client, id, { timeout }), 'AUTH_TIMEOUT', ({ message }) => assert.ok(message.includes(`within ${timeout} ms`), message))
  },
  'hang-abort': (client, id) => {
    const controller = new AbortController()
    const reason = new Error(id)
    const call = get(client, id, { signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    return fails(call, 'AUTH_CANCELLED', ({ cause }) => assert.equal(cause, reason))
  },
  // Whichever comes first.
  'good-abort': async (client, id, n) => {
    const controller = new AbortController()
    const reason = new Error(id)
    const call = get(client, id, { signal: controller.signal })
    if (n % 3 === 0) controller.abort(reason)
    else setTimeout(() => controller.abort(reason), n % 4)
    const [{ status, value, reason: error }] = await Promise.allSettled([call])
    if (status === 'fulfilled') assert.deepEqual([value.dev_id, value.description], [id, describe(id)])
    else assert.deepEqual([error.code, error.cause], ['AUTH_CANCELLED', reason])
  },
  aborted: (client, id) => {
    const reason = new Error(id)
    return fails(get(client, id, { signal: AbortSignal.abort(reason) }), 'AUTH_CANCELLED', ({ cause }) => assert.equal(cause, reason))
  },
  refused: (client, id) => fails(get(client, id, { timeout: -1 }), 'AUTH_INVALID_ARGUMENT', ({ message }) => assert.match(message, /timeout/)),
}

/** Of so many in flight, each followed by the next, until there were `total`. */
async function load(total, inflight, one) {
  let [begun, ended] = [0, 0]
  const caller = async () => {
    while (begun < total) {
      await one(begun++)
      ended += 1
    }
  }
  await Promise.all(Array.from({ length: inflight }, caller))
  assert.equal(ended, total)
}

for (const transport of TRANSPORTS) {
  for (const inflight of [64, 256]) {
    test(`${transport}, ${inflight} in flight: each call has its own end`, { timeout: 60_000 }, async () => {
      const names = Object.keys(KINDS)
      const calls = client(transport)
      const counts = Object.fromEntries(names.map((name) => [name, 0]))
      await load(4000, inflight, async (n) => {
        // A third is good ones, and no kind keeps step with the callers.
        const name = n % 3 === 0 ? 'good' : names[(n * 7) % names.length]
        await KINDS[name](calls, `${name}-${n}`, n)
        counts[name] += 1
      })
      assert.ok(Object.values(counts).every((count) => count > 100), JSON.stringify(counts))
      await answers(get(calls, 'good-at-last'), 'good-at-last')
      calls.close()
    })
  }

  test(`${transport}: one signal of hundreds of calls`, async () => {
    const calls = client(transport)
    const controller = new AbortController()
    const reason = new Error('all of them')
    const ends = Promise.all(
      Array.from({ length: 300 }, (_, n) =>
        fails(get(calls, `hang-${n}`, { signal: controller.signal }), 'AUTH_CANCELLED', ({ cause }) => assert.equal(cause, reason)),
      ),
    )
    const others = load(300, 30, (n) => answers(get(calls, `good-${n}`), `good-${n}`))
    setImmediate(() => controller.abort(reason))
    await Promise.all([ends, others])
    calls.close()
  })

  test(`${transport}: a client that is closed ends its calls, and nobody else's`, async () => {
    const [closed, other] = [client(transport), client(transport)]
    const ends = Promise.all(Array.from({ length: 200 }, (_, n) => fails(get(closed, `hang-${n}`), 'AUTH_CANCELLED', () => {})))
    const others = load(400, 40, (n) => answers(get(other, `wide-${n}`), `wide-${n}`))
    await answers(get(other, 'good'), 'good')
    closed.close()
    await Promise.all([ends, others])
    await fails(get(closed, 'good'), 'AUTH_CANCELLED', () => {})
    other.close()
  })

  test(`${transport}: workers end under load, and nobody else notices`, { timeout: 60_000 }, async () => {
    const code = `
      const { parentPort } = require('node:worker_threads')
      const { Client, Credentials } = require(${JSON.stringify(index)})
      const client = new Client({ address: ${JSON.stringify(addresses[transport])}, credentials: Credentials.parse('ttn-account-v2.hunter2hunter2') })
      let ended = 0
      const one = async (id) => {
        for (;;) {
          await client.getDevice({ app_id: 'my-app', dev_id: id }).catch(() => {})
          if (++ended === 200) parentPort.postMessage('loaded')
        }
      }
      for (const id of ['good', 'wide', 'bad', 'hang']) for (let n = 0; n < 16; n++) one(id + '-' + n)
    `
    const calls = client(transport)
    let over = false
    const own = load(Infinity, 32, (n) => (over ? Promise.reject(new Error('over')) : answers(get(calls, `wide-${n}`), `wide-${n}`)))
    const outcome = own.catch((error) => error)
    for (let round = 0; round < 20; round++) {
      const worker = new Worker(code, { eval: true })
      await once(worker, 'message')
      await worker.terminate()
    }
    over = true
    assert.equal((await outcome).message, 'over')
    calls.close()
  })
}
