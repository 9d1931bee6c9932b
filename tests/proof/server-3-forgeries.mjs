// 3. Every forgery that the sandbox knows, for an issuer of each algorithm: refused by the core's types, by the addon and by
// every kind of server over a socket, and afterwards each of them still serves. What is odd and genuine is accepted.
import { once } from 'node:events'
import { createServer } from 'node:net'

import { cargoStart, cargoTest } from './cargo.mjs'
import { AuthError, Authenticator } from './calls.mjs'
import { HOST } from './port.mjs'
import { prove } from './proof.mjs'
import { fitsHeader, fitsMetadata, rawCaller } from './raw.mjs'
import { SERVERS, startServer } from './servers.mjs'

/** Headers of a server that have more than this in bytes may be refused as such. Node.js has the least, 16 KiB for all. */
const SMALL = 8_000

/** An answer in milliseconds: whatever a forger sends, the work is bounded. */
const PROMPT = 2000

/** What a caller is told of a token: over HTTP 401, over gRPC V2's 7; and 3 for one that is empty. */
const REFUSED = { http: [401], grpc: [7, 3] }

/** What one that is large, or no value for gRPC's metadata, may meet besides: it never came as far. */
const UNREAD = { http: [400, 413, 431, 0], grpc: ['HTTP 431', 0, 8, 11, 13, 14] }

/** Listens where forged tokens say that a key can be fetched, and counts who comes. */
async function trap(t) {
  const caught = { count: 0 }
  const server = createServer((socket) => {
    caught.count += 1
    socket.destroy()
  }).listen(0, HOST)
  await once(server, 'listening')
  t.after(() => server.close())
  return Object.assign(caught, { address: `http://${HOST}:${server.address().port}` })
}

await prove(async (t) => {
  const total = { forgeries: 0, sent: 0, unsent: 0, genuine: 0, slowest: 0 }
  const caught = await trap(t)
  // The short run leaves the other to tests/forgeries.rs.
  const algorithms = t.short ? ['ES256'] : ['ES256', 'RS256']
  for (const algorithm of algorithms) await against(algorithm)
  t.check(caught.count === 0, `${caught.count} connections to where forged tokens say that a key can be fetched`)
  const tests = t.short ? '' : await inRust()
  return [
    `${total.forgeries} forgeries of ${algorithms.join(' and ')} issuers sent to ${Object.keys(SERVERS).length} servers and to the addon:`,
    `${total.sent} sent (${total.unsent} no header can hold), none accepted, each server good afterwards, the slowest answer in`,
    `${Math.round(total.slowest)} ms, ${caught.count} keys fetched from where a token says; ${total.genuine} odd and genuine ones accepted${tests}`,
  ].join(' ')

  async function against(algorithm) {
    const { first } = await cargoStart(t, 'ttn-auth-sandbox', ['--bin', 'forgeries'], { args: [algorithm, caught.address], quiet: true })
    const network = JSON.parse(first)
    const { forgeries, genuine } = network
    total.forgeries += forgeries.length
    /** By forgery: what servers say of it, which is the same everywhere. */
    const texts = new Map(forgeries.map(({ name }) => [name, new Set()]))
    const [{ token: good }] = genuine
    await Promise.all(Object.keys(SERVERS).map(async (name) => {
      const server = await startServer(t, name, network)
      const call = rawCaller(server, network)
      const check = (holds, what) => t.check(holds, `${algorithm}, ${name}: ${what}`)
      const serves = async (when) => check((await call(good)).ok, `a good token is refused ${when}`)
      await serves('at first')
      for (const { name: forgery, token } of forgeries) {
        // Over HTTP/1.1 blanks behind a value are not part of it: it would be another token.
        if (!fitsHeader(token) || (server.transport === 'http' && token !== token.trimEnd())) {
          total.unsent += 1
          continue
        }
        const { ok, code, message, ms } = await call(token)
        total.sent += 1
        total.slowest = Math.max(total.slowest, ms)
        check(!ok, `accepted: ${forgery}`)
        const large = token.length > SMALL
        const plain = fitsMetadata(token) && token !== ''
        const expected = [...REFUSED[server.transport], ...(large || !plain ? UNREAD[server.transport] : [])]
        if (!ok) check(expected.includes(code), `${code} ${message} for: ${forgery}`)
        // How long ago it expired is not the same for those who are asked later.
        if (plain && !large) texts.get(forgery).add(message.replace(/expired by .*/, 'expired'))
        check(ms < PROMPT, `${Math.round(ms)} ms for: ${forgery}`)
        if (large) await serves(`after: ${forgery}`)
      }
      await serves('at the end')
      check(server.child.exitCode === null && server.child.signalCode === null, 'it ended')
      for (const { name: odd, token } of genuine) {
        const { ok, code, message } = await call(token)
        check(ok, `${code} ${message} for what is genuine: ${odd}`)
        total.genuine += 1
      }
      await server.stop()
    }))
    for (const [name, said] of texts) t.check(said.size <= 1, `${algorithm}: servers differ about: ${name}: ${[...said].join(' | ')}`)
    await inProcess(algorithm, network)
    t.progress(`${algorithm}: ${forgeries.length} forgeries`)
  }

  async function inProcess(algorithm, { accountServer, issuer, appId, forgeries, genuine }) {
    const authenticator = new Authenticator({ authServers: { [issuer]: accountServer } })
    const authenticate = (token) => authenticator.authenticate({ token }, { carrier: 'metadata', appId, right: 'devices' })
    for (const { name, token } of forgeries) {
      const end = await authenticate(token).then(() => undefined, (error) => error)
      total.sent += 1
      t.check(end instanceof AuthError, `${algorithm}, addon: ${end === undefined ? 'accepted' : end}: ${name}`)
    }
    for (const { name, token } of genuine) {
      const error = await authenticate(token).then(() => undefined, (error) => error)
      t.check(!error, `${algorithm}, addon: ${error} for what is genuine: ${name}`)
    }
  }

  /** The same forgeries before the core's types, and what must hold of any bytes. */
  async function inRust() {
    const { code, passed, output } = await cargoTest('ttn-auth', ['forgeries', 'properties'])
    t.check(code === 0 && passed > 0, `tests/forgeries.rs and tests/properties.rs: ${output.slice(-300)}`)
    return `; before the core's types and by property tests: ${passed} tests passed`
  }
})
