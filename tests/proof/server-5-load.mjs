// 5. Any number of callers with one key make one exchange. While the account server says nothing, nobody waits who does not
// need it, and those who do are refused, closed, within the limit. Its signing key is remembered over a restart, read again
// when it was replaced, and not read again for everyone who sends a forged token.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Authenticator } from './calls.mjs'
import { started } from './cargo.mjs'
import { callersOf, codes, manyAtOnce } from './many.mjs'
import { after, prove, until } from './proof.mjs'
import { SERVERS, startServer } from './servers.mjs'

/** An authenticator's own time limit in milliseconds, and how late an answer may be on a busy machine. */
const [LIMIT, LATE] = [10_000, 2000]

/** How many exchanges an authenticator has under way at once, unless told otherwise. */
const POOL = 16

/** How long a key that was read is believed although signatures fail (src/key_slot.rs). */
const PAUSE = 10_000

/** Whoever waits for the account server waits 8 s; whoever has an answer before that, however busy the machine, did not. */
const PROMPT = 8000

const EXCHANGE = '/api/v2/applications/token'

await prove(async (t) => {
  const network = await t.network({ rateLimit: false })
  const tell = (command, ...args) => network.child.ask('call', command, ...args)
  const secrets = {
    key: async () => ({ kind: 'key', secret: t.secret('access key', await tell('addAccessKey', network.appId, ['devices'])) }),
    token: async (options) => ({ kind: 'token', secret: t.secret('token', await tell('mintToken', options ?? {})) }),
  }
  const scenes = await Promise.all(Object.keys(SERVERS).map(async (name) => {
    const proxy = await t.proxyProcess(network.accountServer)
    const server = await startServer(t, name, { accountServer: proxy.address })
    return { name, server, proxy, call: callersOf(t, server, network), cannotTell: server.transport === 'grpc' ? 14 : 503 }
  }))
  const asked = async ({ proxy }, path) => (await proxy.seen()).paths[path] ?? 0

  const figures = [await oneKey(), await forged(), await rotated(), await silent(), await keptKey()]
  return figures.join('; ')

  async function oneKey() {
    const callers = t.size(10_000, 1000)
    for (const scene of scenes) {
      const { name, proxy, call } = scene
      // Late enough that everyone who can be there waits for it.
      await proxy.turn('slow', t.size(1500, 500))
      const key = await secrets.key()
      const ends = await manyAtOnce(call, callers, () => key)
      await proxy.turn('pass')
      const failed = ends.filter(({ ok }) => !ok)
      t.check(failed.length === 0, `${name}: ${failed.length} of ${callers} callers with one key failed: ${codes(failed)}`)
      const [exchanges, reads] = [await asked(scene, EXCHANGE), await asked(scene, '/key')]
      t.check(exchanges === 1, `${name}: ${callers} callers with one key made ${exchanges} exchanges`)
      t.check(reads === 1, `${name}: ${reads} reads of the signing key`)
      t.progress(`one key: ${name}`)
    }
    const local = await inProcess(callers)
    return `${callers} callers with one key (over HTTP/1.1 1000 at a time): 1 exchange and 1 read of the signing key on each of ${scenes.length} servers, and ${local} in process`
  }

  async function inProcess(callers) {
    const proxy = await t.proxyProcess(network.accountServer)
    await proxy.turn('slow', 500)
    const authenticator = new Authenticator({ authServers: { 'ttn-account-v2': proxy.address } })
    const { secret } = await secrets.key()
    const options = { appId: network.appId, right: 'devices' }
    const headers = { authorization: `Key ${secret}` }
    const ends = await Promise.allSettled(Array.from({ length: callers }, () => authenticator.authenticate(headers, options)))
    const failed = ends.filter(({ status }) => status !== 'fulfilled')
    t.check(failed.length === 0, `in process: ${failed.length} of ${callers} failed: ${failed[0]?.reason}`)
    const exchanges = await asked({ proxy }, EXCHANGE)
    t.check(exchanges === 1, `in process: ${exchanges} exchanges`)
    return exchanges
  }

  /** Whoever sends forged tokens makes nobody ask for the key each time. */
  async function forged() {
    const count = t.size(5000, 500)
    const bad = await Promise.all(Array.from({ length: 50 }, () => secrets.token({ kind: 'badsig' })))
    let [reads, allowed] = [0, 0]
    for (const scene of scenes) {
      const [before, from] = [await asked(scene, '/key'), performance.now()]
      const ends = await manyAtOnce(scene.call, count, (index) => bad[index % bad.length])
      const refused = scene.server.transport === 'grpc' ? 7 : 401
      const wrong = ends.filter(({ code }) => code !== refused)
      t.check(wrong.length === 0, `${scene.name}: forged tokens got ${codes(wrong)}`)
      const most = 1 + Math.floor((performance.now() - from) / PAUSE)
      const made = (await asked(scene, '/key')) - before
      t.check(made <= most, `${scene.name}: ${count} forged tokens made ${made} reads of the signing key, ${most} are allowed`)
      reads += made
      allowed += most
    }
    t.progress('forged tokens')
    return `${count} forged tokens on each: ${reads} reads of it in all (${allowed} allowed)`
  }

  /** The account server signs with another key: each server takes its tokens, none is restarted. */
  async function rotated() {
    await tell('rotateSigningKey')
    const token = await secrets.token()
    const times = await Promise.all(scenes.map(async ({ name, call }) => {
      const from = performance.now()
      const taken = await until(async () => (await call(token)).ok, PAUSE + LATE)
      t.check(taken, `${name}: a token by the new signing key is still refused after ${(PAUSE + LATE) / 1000} s`)
      return performance.now() - from
    }))
    t.progress('signing key replaced')
    return `a replaced signing key taken up by each without a restart, within ${(Math.max(...times) / 1000).toFixed(1)} s`
  }

  /** The account server takes every request, and answers none. */
  async function silent() {
    // More than may be under way and wait for a turn (1,024): the rest is refused at once.
    const wrong = t.size(1200, 150)
    const known = await secrets.key()
    const tokens = await Promise.all(Array.from({ length: 20 }, () => secrets.token()))
    const late = await secrets.key()
    const total = { served: 0, slowest: 0, refused: 0, latest: 0, peak: 0 }
    // What works before: a key that was exchanged.
    await Promise.all(scenes.map(async ({ name, call }) => t.check((await call(known)).ok, `${name}: a good key is refused`)))
    const one = async ({ name, proxy, call, server, cannotTell }) => {
      await proxy.turn('silent')
      // On connections of their own, which are full while their calls wait.
      const needy = callersOf(t, server, network, wrong)
      const waiting = manyAtOnce(needy, wrong, (index) => (index === 0 ? late : { kind: 'key', secret: `ttn-account-v2.wrong-${index}` }))
      let [over, served] = [false, []]
      waiting.then(() => (over = true))
      while (!over) {
        served.push(...(await manyAtOnce(call, 20, (index) => (index % 2 === 0 ? known : tokens[index % tokens.length]))))
        await after(100)
      }
      const failed = served.filter(({ ok }) => !ok)
      t.check(failed.length === 0, `${name}: ${failed.length} who need no exchange failed meanwhile: ${codes(failed)}`)
      const slowest = Math.max(...served.map(({ ms }) => ms))
      t.check(slowest < PROMPT, `${name}: somebody who needs no exchange waited ${Math.round(slowest)} ms`)
      const ends = await waiting
      const odd = ends.filter(({ code }) => code !== cannotTell)
      t.check(odd.length === 0, `${name}: keys that cannot be exchanged got ${codes(odd)} instead of ${cannotTell}`)
      const latest = Math.max(...ends.map(({ ms }) => ms))
      // What the others had to wait at the same time is the machine's doing.
      t.check(latest < LIMIT + LATE + slowest, `${name}: the last was told after ${Math.round(latest)} ms, others after ${Math.round(slowest)} ms`)
      const peak = (await proxy.seen()).peaks[EXCHANGE]
      // The account server hears a little later than the next ones begin that the first have given up.
      t.check(peak >= POOL && peak <= 2 * POOL, `${name}: ${peak} exchanges were under way at once, ${POOL} are allowed`)
      await proxy.turn('pass')
      const back = await until(async () => (await call(late)).ok, 5000)
      t.check(back, `${name}: a key is still refused 5 s after the account server is back`)
      total.served += served.length
      total.slowest = Math.max(total.slowest, slowest)
      total.refused += ends.length
      total.latest = Math.max(total.latest, latest)
      total.peak = Math.max(total.peak, peak)
    }
    // All at once they keep the machine busier than one server would ever be; but each takes its time.
    if (t.short) await Promise.all(scenes.map(one))
    else for (const scene of scenes) await one(scene)
    t.progress('account server silent')
    return [
      `account server silent: ${total.served} calls with tokens and with known keys answered, the slowest in ${Math.round(total.slowest)} ms;`,
      `${total.refused} with ${wrong} other keys on each told 503 / 14, the last after ${(total.latest / 1000).toFixed(1)} s,`,
      `at most ${total.peak} exchanges under way`,
    ].join(' ')
  }

  /** A server that kept the signing key starts, and verifies, while the account server is down; one that did not is closed. */
  async function keptKey() {
    const proxy = await t.proxyProcess(network.accountServer)
    const token = await secrets.token()
    const forgedToken = await secrets.token({ kind: 'badsig' })
    const authServers = { 'ttn-account-v2': proxy.address }
    const start = async (options) => {
      const env = { ...process.env, TTN_PROOF_AUTHENTICATOR: JSON.stringify({ authServers, ...options }) }
      const file = fileURLToPath(new URL('guarded.mjs', import.meta.url))
      const { child, first } = await started(t, spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'], env }), 'guarded.mjs')
      const server = { transport: 'http', port: Number(first.split(':')[1]) }
      return { call: callersOf(t, server, network), child }
    }
    const keyDirectory = join(t.folder, 'keys')
    const before = await start({ keyDirectory })
    t.check((await before.call(token)).ok, 'a good token is refused')
    before.child.kill('SIGKILL')
    let starts = 0
    for (const mode of ['down', 'silent']) {
      await proxy.turn(mode)
      const [kept, not] = await Promise.all([start({ keyDirectory, timeout: 1500 }), start({ timeout: 1500 })])
      const { ok, code, ms } = await kept.call(token)
      t.check(ok && ms < PROMPT, `with a kept signing key, a good token got ${code} after ${Math.round(ms)} ms`)
      const bad = await kept.call(forgedToken)
      t.check([401, 503].includes(bad.code), `with a kept signing key, a forged token got ${bad.code}`)
      const unknown = await not.call(token)
      t.check(unknown.code === 503 && unknown.ms < 1500 + LATE, `without one, a token got ${unknown.code} after ${Math.round(unknown.ms)} ms`)
      starts += 1
    }
    return `started ${starts} times while it is down or silent: a kept signing key verifies, without one 503`
  }
})
