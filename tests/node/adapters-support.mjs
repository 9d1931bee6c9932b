// What the tests of the adapters share: what to call, with which credentials, and servers that fail in a known way.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'

import { AuthError, Credentials } from '../../node/index.js'

/** The folder of the examples' .proto files and what was generated of them. */
export const PROTO = fileURLToPath(new URL('../../examples/node/proto/', import.meta.url))

export const DEVICE = { app_id: 'test-app', dev_id: 'dev-1' }

/** The credentials that V2 takes, by name. */
export const V2 = {
  'a V2 token': (sandbox) => Credentials.bearerToken(sandbox.bearerToken),
  'a V2 key': (sandbox) => Credentials.accessKey(sandbox.accessKey),
}

/** A token function that gives these one after the other, and how many it has given. */
export function giving(...tokens) {
  const give = () => tokens[Math.min(give.times++, tokens.length - 1)]
  give.times = 0
  return give
}

/** The error is one of `Class`, its cause an AuthError with this code, and no secret in all that it shows. */
export function caused(error, code, secret) {
  assert.ok(error.cause instanceof AuthError, inspect(error))
  assert.equal(error.cause.code, code, error.cause.message)
  if (secret) withoutSecret(error, secret)
  return true
}

export function withoutSecret(error, secret) {
  const shown = `${error.stack}${JSON.stringify(error)}${inspect(error, { depth: 9, showHidden: true })}${error.cause?.stack}`
  assert.ok(!shown.includes(secret), shown)
}

/**
 * A server that breaks so many connections as soon as they are made, and then is a way to `address`. It counts them.
 * @returns {{ port: number, connections: number, close(): void }}
 */
export async function flaky(t, address, broken) {
  const { hostname, port } = new URL(address.replace(/^grpc/, 'http'))
  const sockets = new Set()
  const way = { connections: 0 }
  const server = createServer((socket) => {
    way.connections += 1
    if (way.connections <= broken) return socket.destroy()
    const onward = connect(Number(port), hostname)
    for (const each of [socket, onward]) {
      sockets.add(each)
      each.on('error', () => {})
      each.on('close', () => [socket, onward].forEach((one) => one.destroy()))
    }
    socket.pipe(onward).pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return Object.assign(way, { port: server.address().port })
}

/** A port that nobody listens on. */
export async function closedPort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}
