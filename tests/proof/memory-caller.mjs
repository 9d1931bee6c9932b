// A process that makes calls of every kind, tells its parent after each fifth of them how much memory it has, and then
// does nothing, with its clients open.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'

import { Authenticator, Client, Credentials } from '../../node/index.js'

const [{ grpcAddress, httpAddress, accountServer, accessKey, tokens, calls }] = await once(process, 'message')
const INFLIGHT = 64
const FIFTHS = 5

const credentials = Credentials.parse(accessKey)
const clients = [grpcAddress, httpAddress].map((address) => new Client({ address, credentials }))
const authenticator = new Authenticator({ authServers: { 'ttn-account-v2': accountServer } })
const headers = tokens.map((token) => ({ authorization: `Bearer ${token}` }))

/** Of twenty calls two are not found, one is aborted, one is refused at once; one in four goes over HTTP. */
async function call(n) {
  const client = clients[n % 4 === 3 ? 1 : 0]
  const kind = n % 20
  const device = { app_id: 'test-app', dev_id: kind === 5 || kind === 15 ? `none-${n}` : 'dev-1' }
  if (kind === 9) {
    const controller = new AbortController()
    const ended = client.getDevice(device, { signal: controller.signal })
    controller.abort()
    // It may have been answered just before.
    return ended.catch(() => expect(ended, 'AUTH_CANCELLED'))
  }
  if (kind === 13) return expect(client.getDevice(device, { timeout: -1 }), 'AUTH_INVALID_ARGUMENT')
  if (device.dev_id !== 'dev-1') return expect(client.getDevice(device), 'AUTH_NOT_FOUND')
  await client.getDevice(device)
  // More tokens than are remembered.
  await authenticator.authenticate(headers[n % headers.length], { appId: 'test-app', right: 'devices' })
}

async function expect(call, code) {
  const error = await call.then(() => undefined, (thrown) => thrown)
  if (error?.code !== code) throw error ?? new Error(`${code} was expected`)
}

async function load(from, until) {
  let next = from
  const caller = async () => {
    while (next < until) await call(next++)
  }
  await Promise.all(Array.from({ length: INFLIGHT }, caller))
}

for (let fifth = 0; fifth < FIFTHS; fifth++) {
  await load((calls / FIFTHS) * fifth, (calls / FIFTHS) * (fifth + 1))
  // What is finalized runs in turns of its own, and leaves something to collect in turn.
  for (let round = 0; round < 4; round++) {
    globalThis.gc()
    await turn()
  }
  const { heapUsed, rss } = process.memoryUsage()
  process.send({ heap: heapUsed, rss })
}
// It lives until it is killed.
process.on('message', () => {})
