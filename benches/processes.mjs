// The processes of a bench: the server, and contestants, which take a line of JSON and answer with one.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { asClient, asServer } from './machine.mjs'

/** A contestant that has not answered so long after its time, in milliseconds, hangs. */
const PATIENCE = 30_000

/** The server's addresses and more: see benches/rust/src/bin/bench-server. */
export async function startServer({ server, proto }) {
  const { next, stop } = talk(asServer(server, [proto]), 'the server')
  return { ...(await next(PATIENCE)), stop }
}

/**
 * A contestant, ready for rounds.
 * @param {object} programs  `node` and `client`, what runs contestants of JavaScript and of Rust; `package`, where we are
 * @param {{name: string, file?: string, argument?: string}} contestant  without a file one of Rust
 * @param {object} setup  what it has to know
 * @param {{env?: object, alone?: boolean}} [how]  more of its environment; whether no server runs beside it, so that it has the machine
 */
export async function startContestant(programs, { name, file, argument }, setup, { env = {}, alone = false } = {}) {
  const path = (of) => fileURLToPath(new URL(of, import.meta.url))
  const command = file
    ? [programs.node, ['--no-warnings', path('child.mjs'), path(`contestants/${file}.mjs`), ...(argument ? [argument] : [])]]
    : [programs.client, [argument]]
  const { child, next, stop } = talk(alone ? command : asClient(...command), name, { ...env, TTN_BENCH_PACKAGE: programs.package })
  const say = (message) => child.stdin.write(`${JSON.stringify(message)}\n`)
  say(setup)
  await next(PATIENCE)
  const round = (asked) => {
    say(asked)
    return next((asked.ms ?? 0) + PATIENCE)
  }
  return { name, round, stop }
}

function talk([command, args], name, env) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise((resolve) => child.on('close', resolve).on('error', resolve))
  // Its end is told by what is read from it.
  child.stdin.on('error', () => {})
  async function next(patience) {
    const limit = setTimeout(() => child.kill('SIGKILL'), patience)
    const { value, done } = await lines.next()
    clearTimeout(limit)
    if (done) throw new Error(`${name} ended with ${child.signalCode ?? (await ended)}`)
    return JSON.parse(value)
  }
  function stop() {
    child.kill('SIGKILL')
    return ended
  }
  return { child, next, stop }
}
