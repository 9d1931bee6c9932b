// `npm start` as a process of its own.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { root } from '../../scripts/prepare.mjs'

/** Runs scripts/start.mjs, without npm, which would stand between it and signals; or another command in the clone. */
export function start(args, { env = {}, command } = {}) {
  const [file, ...all] = command ? [command, ...args] : [process.execPath, join(root, 'scripts', 'start.mjs'), ...args]
  const stdio = ['ignore', 'pipe', 'pipe']
  const child = spawn(file, all, { cwd: root, stdio, env: { ...process.env, ...env } })
  const printed = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      printed[name] += text
      child.emit('printed')
    })
  }
  return { child, closed: once(child, 'close'), stdout: () => printed.stdout, stderr: () => printed.stderr }
}

/** The editor's address, when Node-RED runs. */
export async function serving({ child, closed, stdout, stderr }) {
  const failed = closed.then(() => assert.fail(`${stdout()}${stderr?.() ?? ''}`))
  while (!/Ctrl-C/.test(stdout())) await Promise.race([once(child, 'printed'), failed])
  failed.catch(() => {})
  return /Node-RED +(http:\/\/127\.0\.0\.1:\d+\/)/.exec(stdout())[1]
}

/** Ends it as Ctrl-C does. */
export async function stop({ child, closed }) {
  child.kill('SIGINT')
  assert.deepEqual(await closed, [0, null])
}
