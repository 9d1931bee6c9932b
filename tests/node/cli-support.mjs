// What the tests of the command line share: the command as a child process, as an installed package has it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

import { bulk } from '../../node/index.js'

/** The package without the repository's scripts, so that no run looks whether there is something to build. */
export const folder = mkdtempSync(join(tmpdir(), 'ttn-auth-cli-'))
after(() => rmSync(folder, { recursive: true }))
for (const name of ['node', 'package.json']) symlinkSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), join(folder, name))

/** Node.js's arguments. */
export const COMMAND = ['--preserve-symlinks', '--preserve-symlinks-main', join(folder, 'node', 'cli.js')]

const { TTN_SECRET, FORCE_COLOR, NO_COLOR, ...ENVIRONMENT } = process.env

/** Starts it, with nothing on its standard input unless `stdio` says otherwise. */
export function start(args, { env, stdio = ['pipe', 'pipe', 'pipe'] } = {}) {
  return spawn(process.execPath, [...COMMAND, ...args], { env: { ...ENVIRONMENT, ...env }, stdio })
}

/** Runs it to its end. What it prints is never a stack trace, nor one of the secrets. */
export async function run(args, { input = '', env, secrets = [] } = {}) {
  const child = start(args, { env })
  // It may end before it has read everything.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  for (const secret of secrets) assert.ok(!(stdout + stderr).includes(secret), `a secret is shown: ${args}`)
  assert.doesNotMatch(stdout + stderr, /^\s+at /m, args.join(' '))
  return { status: child.exitCode, stdout, stderr }
}

/** Does this for each row of a table, a few at once. */
export async function each(table, task) {
  for (const { reason } of await bulk(table, (row) => task(...row), { concurrency: 4 })) if (reason) throw reason
}

/** A server that listens, and never answers. */
export async function silent(t) {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { server, host: `127.0.0.1:${server.address().port}` }
}
