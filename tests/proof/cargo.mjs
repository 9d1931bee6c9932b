// Programs of the workspace's crates, built as cargo's tests are.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

import { root } from '../../scripts/prepare.mjs'

/** What a program prints until it ends, in whatever way. */
export async function cargoRun(crate, program, args) {
  const child = cargo(crate, ['--bin', program], args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = await ended
  return { code, stdout, stderr }
}

/** Runs test files of a crate: how it ended, and how many passed. */
export async function cargoTest(crate, files) {
  const tests = files.flatMap((file) => ['--test', file])
  const child = spawn('cargo', ['test', '-q', '-p', crate, '--all-features', ...tests], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = await ended
  const passed = [...stdout.matchAll(/^test result: ok\. (\d+) passed/gm)].reduce((all, [, count]) => all + Number(count), 0)
  return { code, passed, output: stdout + stderr }
}

/**
 * Starts a program or an example, and waits for its first line.
 * @param {object} t  the proof: what the program prints is evidence, and it ends when the proof does
 * @param {string[]} target  `['--bin', name]` or `['--example', name, '--all-features']`
 * @param {object} options  arguments, environment; `quiet` if what it prints is no evidence
 */
export async function cargoStart(t, crate, target, { args = [], env = {}, quiet = false } = {}) {
  const child = cargo(crate, target, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  return started(t, child, target[1], quiet)
}

/** A child's first line; what else it prints is evidence. It is ended by SIGTERM, and by SIGKILL if that does not do. */
export async function started(t, child, name, quiet = false) {
  child.stderr.setEncoding('utf8').on('data', (line) => t.evidence.line(line))
  const lines = createInterface({ input: child.stdout })
  if (!quiet) lines.on('line', (line) => t.evidence.line(line))
  const ended = once(child, 'exit')
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const limit = setTimeout(() => child.kill('SIGKILL'), 3000)
    await ended
    clearTimeout(limit)
  }
  t.after(stop)
  const [first] = await Promise.race([
    once(lines, 'line'),
    ended.then(([code, signal]) => Promise.reject(new Error(`${name} ended with ${signal ?? code}, and said nothing`))),
  ])
  return { child, first, stop }
}

function cargo(crate, target, args, options) {
  return spawn('cargo', ['run', '-q', '-p', crate, ...target, '--', ...args], { cwd: root, ...options })
}

async function text(stream) {
  return Buffer.concat(await stream.toArray()).toString()
}
