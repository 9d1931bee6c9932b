// What each number runs in: its arguments, its folder of evidence, what must hold, and its figures at the end.
import { appendFileSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

import { Child } from './child.mjs'
import { Evidence } from './evidence.mjs'
import { FaultProxy } from './fault-proxy.mjs'

class Proof {
  failures = []
  #cleanups = []

  constructor(number) {
    this.number = number
    const { TTN_PROOF_SHORT: short, TTN_PROOF_SEED: seed, TTN_PROOF_DIR: folder } = process.env
    this.short = short === '1' || process.argv.includes('--short')
    this.seed = Number(seed) || Math.floor(Math.random() * 2 ** 31)
    this.folder = folder ?? mkdtempSync(join(tmpdir(), 'ttn-proof-'))
    this.evidenceFolder = join(this.folder, 'evidence', number)
    this.evidence = new Evidence(this.evidenceFolder, 'main').listen()
    mkdirSync(join(this.folder, 'secrets'), { recursive: true })
  }

  /** In the long run, or in the short one. */
  size(long, short) {
    return this.short ? short : long
  }

  /** What must hold; a number with one that does not has failed. */
  check(holds, why) {
    if (!holds) this.failures.push(why)
    return holds
  }

  progress(text) {
    console.error(`${this.number}: ${text}`)
  }

  /** What number 7 searches for, by what it is. */
  secret(kind, value) {
    appendFileSync(join(this.folder, 'secrets', `${this.number}.jsonl`), `${JSON.stringify({ kind, value })}\n`)
    return value
  }

  /** Something to be done at the end, whatever happened. */
  after(cleanup) {
    this.#cleanups.unshift(cleanup)
  }

  child(file, ...args) {
    const child = new Child(file, (text) => this.evidence.line(text), args)
    this.after(() => child.kill())
    return child
  }

  /** A network in a process of its own: the process, and what a client needs to know. */
  async network(options) {
    const child = this.child('network.mjs')
    const network = await child.ask('start', options)
    this.secret('access key', network.accessKey)
    this.secret('token', network.bearerToken)
    return { child, ...network }
  }

  /** A proxy in front of an account server, which tells every token that passes. */
  async proxy(accountServer) {
    const proxy = await FaultProxy.start(accountServer, (token) => this.secret('token', token))
    this.after(() => proxy.stop())
    return proxy
  }

  /**
   * The same in a process of its own, which answers although this one is busy.
   * @returns {Promise<{address: string, turn: (mode: string, ...args: unknown[]) => Promise<void>, seen: () => Promise<{paths: Record<string, number>, peaks: Record<string, number>}>}>}
   */
  async proxyProcess(accountServer) {
    const child = this.child('proxy.mjs')
    child.onTold = (token) => this.secret('token', token)
    const address = await child.ask('start', accountServer)
    return { address, turn: (mode, ...args) => child.ask('turn', mode, ...args), seen: () => child.ask('seen') }
  }

  /** Pseudo-random numbers from 0 to 1 that follow from the seed (mulberry32). */
  random = () => {
    this.state = ((this.state ?? this.seed) + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  async end() {
    for (const cleanup of this.#cleanups) await Promise.resolve().then(cleanup).catch(() => {})
  }
}

/**
 * Runs a number, and tells its figures to who started it.
 * @param {(t: Proof) => Promise<string>} run  the figures come back
 */
export async function prove(run) {
  const t = new Proof(process.env.TTN_PROOF_NUMBER ?? basename(process.argv[1], '.mjs'))
  let figures = ''
  // Whoever started it may be gone.
  process.on('disconnect', () => process.exit(1))
  try {
    figures = await run(t)
  } catch (error) {
    t.evidence.error(error)
    t.check(false, `${error.code ? `${error.code}: ` : ''}${error.message}`)
    t.progress(error.stack)
  }
  await t.end()
  const result = { figures, failures: t.failures }
  if (!process.send) {
    console.log(figures, ...t.failures.map((why) => `\n  FAILED: ${why}`))
    process.exit(t.failures.length === 0 ? 0 : 1)
  }
  process.send(result, () => process.exit())
}

/** After so many milliseconds. */
export const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until something holds, and no longer than a limit in milliseconds; whether it did. */
export async function until(holds, limit) {
  const end = performance.now() + limit
  while (!(await holds())) {
    if (performance.now() > end) return false
    await after(20)
  }
  return true
}
