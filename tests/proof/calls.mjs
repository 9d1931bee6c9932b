// Clients over both transports, and calls whose ends are kept.
import { createRequire } from 'node:module'

export const { AuthError, Authenticator, Client, Credentials, Sandbox, TokenSource, bulk } = createRequire(import.meta.url)('../../node/index.js')

export const TRANSPORTS = ['grpc', 'http']

/** A client of a network for each transport, closed at the end. What it shows of itself is evidence. */
export function clients(t, network, settings = {}) {
  return TRANSPORTS.map((transport) => {
    const client = new Client({ address: network[`${transport}Address`], ...settings })
    t.after(() => client.close())
    t.evidence.show('client', client)
    t.evidence.show('settings', settings)
    return client
  })
}

/** How a call ended: nothing but the time in milliseconds, or an error too. It never rejects. */
export async function settled(call) {
  const started = performance.now()
  try {
    const value = await call()
    return { value, ms: performance.now() - started }
  } catch (error) {
    return { error, ms: performance.now() - started }
  }
}

/** So many calls at once, by the clients in turn. */
export function atOnce(clients, count, call) {
  return Promise.all(Array.from({ length: count }, (_, index) => settled(() => call(clients[index % clients.length], index))))
}

/** The device that every network has. */
export const readDevice = (network, options) => (client) =>
  client.getDevice({ app_id: network.appId, dev_id: network.devId }, options)

/** Those that failed, kept as evidence. */
export function failures(t, ends) {
  const failed = ends.filter(({ error }) => error)
  for (const { error } of failed) t.evidence.error(error)
  return failed
}

/** The different errors among these, by code and message, and how often each came: `AUTH_TIMEOUT: no answer x3`. */
export function kinds(failed) {
  const counts = new Map()
  for (const { error } of failed) {
    const kind = `${error.code}: ${error.message}`
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return [...counts].map(([kind, count]) => `${kind} x${count}`)
}

export const slowest = (ends) => Math.round(Math.max(0, ...ends.map(({ ms }) => ms)))
