// Very many callers of one guarded server, over HTTP/2 or HTTP/1.1, each with a credential of its own. An end is
// `{ ok, code, ms }`: the HTTP status or the gRPC code.
import { Agent, request } from 'node:http'
import { promisify } from 'node:util'

import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

import { root } from '../../scripts/prepare.mjs'

const { handler } = grpc.loadPackageDefinition(
  loadSync('handler.proto', { includeDirs: [`${root}/proto`], keepCase: true }),
)

/** Streams of a connection: servers allow 100 to 200, and more would wait for each other. */
const STREAMS = 100

/** Sockets that are open at once, unless told otherwise: more than a server has to take at a time. */
const SOCKETS = 1000

/** Callers of a server who share no connection with other callers. Closed at the proof's end. */
export function callersOf(t, server, { appId, devId }, sockets = SOCKETS) {
  return server.transport === 'grpc' ? overGrpc(t, server, appId, devId) : overHttp(t, server, appId, devId, sockets)
}

function overGrpc(t, server, appId, devId) {
  const clients = []
  t.after(() => clients.forEach((client) => client.close()))
  const clientOf = (index) => {
    const at = Math.floor(index / STREAMS)
    while (clients.length <= at) {
      const own = { 'grpc.use_local_subchannel_pool': 1 }
      clients.push(new handler.ApplicationManager(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure(), own))
    }
    return clients[at]
  }
  return async ({ kind, secret, limit = 60_000 }, index = 0) => {
    const client = clientOf(index)
    const metadata = new grpc.Metadata()
    metadata.set(kind, secret)
    const started = performance.now()
    const call = promisify(client.GetDevice.bind(client))
    const error = await call({ app_id: appId, dev_id: devId }, metadata, { deadline: Date.now() + limit }).then(() => {}, (error) => error)
    return { ok: !error, code: error?.code ?? 0, message: error?.details, ms: performance.now() - started }
  }
}

function overHttp(t, server, appId, devId, maxSockets) {
  const agent = new Agent({ keepAlive: true, maxSockets })
  t.after(() => agent.destroy())
  const path = `/applications/${appId}/devices/${devId}`
  return ({ kind, secret, limit = 60_000 }) => new Promise((resolve) => {
    const started = performance.now()
    const end = (code, message) => resolve({ ok: code === 200, code, message, ms: performance.now() - started })
    const headers = { authorization: `${kind === 'key' ? 'Key' : 'Bearer'} ${secret}` }
    const call = (tries) => {
      const outgoing = request({ host: '127.0.0.1', port: server.port, path, headers, agent }, (answer) => {
        answer.resume().on('end', () => end(answer.statusCode)).on('error', (error) => end(0, error.message))
      })
      outgoing.setTimeout(limit, () => outgoing.destroy(new Error('no answer')))
      // A server closes a kept connection when it likes, also while the next request is on its way.
      outgoing.on('error', (error) => (error.code === 'ECONNRESET' && tries > 0 ? call(tries - 1) : end(0, error.message)))
      outgoing.end()
    }
    call(2)
  })
}

/** So many at once. */
export const manyAtOnce = (call, count, credential) =>
  Promise.all(Array.from({ length: count }, (_, index) => call(credential(index), index)))

/** How often each code came: `503 x200`. */
export function codes(ends) {
  const counts = new Map()
  for (const { code, message } of ends) {
    const shown = code === 0 && message ? message : code
    counts.set(shown, (counts.get(shown) ?? 0) + 1)
  }
  return [...counts].map(([code, count]) => `${code} x${count}`).join(', ')
}
