// The servers that this package guards: the examples, each a process of its own, by one contract (the environment says
// TTN_ACCOUNT_SERVER, TTN_ISSUER and LISTEN; the first line is `listening on HOST:PORT`); and Node-RED with its example flow.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'

import { root } from '../../scripts/prepare.mjs'
import { cargoStart, started } from './cargo.mjs'
import { HOST } from './port.mjs'

const rust = (name) => (t, env) => cargoStart(t, 'ttn-auth', ['--example', name, '--all-features'], { env })

const node = (file) => (t, env) =>
  started(t, spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } }), file)

const example = (name) => node(join(root, 'examples', 'node', name))

/** By name: what it speaks, and how it is started. */
export const SERVERS = {
  tonic: { transport: 'grpc', start: rust('guard_tonic') },
  'grpc-js': { transport: 'grpc', start: example('guard-grpc.js') },
  axum: { transport: 'http', start: rust('guard_axum') },
  Express: { transport: 'http', start: example('guard-express.js') },
  Fastify: { transport: 'http', start: example('guard-fastify.js') },
  'Node-RED': { transport: 'http', start: node(fileURLToPath(new URL('node-red-server.mjs', import.meta.url))) },
}

/**
 * Starts a server on a free port, and stops it at the proof's end.
 * @returns {Promise<{name: string, transport: string, address: string, port: number, stop: () => Promise<void>, child: object}>}
 */
export async function startServer(t, name, { accountServer, issuer = 'ttn-account-v2' }) {
  const { transport, start } = SERVERS[name]
  const env = { TTN_ACCOUNT_SERVER: accountServer, TTN_ISSUER: issuer, LISTEN: `${HOST}:0` }
  const { child, first, stop } = await start(t, env)
  const port = Number(/^listening on 127\.0\.0\.1:(\d+)$/.exec(first)?.[1])
  if (!port) throw new Error(`${name} says ${first} instead of where it listens`)
  const scheme = transport === 'grpc' ? 'grpc' : 'http'
  return { name, transport, address: `${scheme}://${HOST}:${port}`, port, stop, child }
}

/** All of them, or those that speak one transport. */
export const startServers = (t, network, names = Object.keys(SERVERS)) =>
  Promise.all(names.map((name) => startServer(t, name, network)))
