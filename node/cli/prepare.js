'use strict'
// In a clone of the repository: builds what is missing before a command needs it, as `npm start` does.

const { spawn } = require('node:child_process')
const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')

/** An installed package does not have it. */
const PREPARE = join(__dirname, '..', '..', 'scripts', 'prepare.mjs')

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

const isClone = () => existsSync(PREPARE)

/**
 * Builds in a process group of its own: a signal to this process ends npm, cargo and what they started too, which would go
 * on building for nobody otherwise.
 */
async function prepare() {
  if (!isClone()) return
  const script = `import(${JSON.stringify(pathToFileURL(PREPARE))}).then((module) => module.prepare()).catch((error) => {
    console.error('ttn-auth: ' + error.message)
    process.exitCode = 1
  })`
  // Windows has no process groups, and a detached child gets a window there.
  const detached = process.platform !== 'win32'
  const child = spawn(process.execPath, ['-e', script], { detached, stdio: ['ignore', 2, 2] })
  let asked
  const stop = (signal) => {
    asked = signal
    try {
      if (detached) process.kill(-child.pid, signal)
      else child.kill(signal)
    } catch {
      // It has just ended by itself.
    }
  }
  for (const signal of SIGNALS) process.on(signal, stop)
  const [status, signal] = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (...ended) => resolve(ended))
  })
  for (const each of SIGNALS) process.removeListener(each, stop)
  if (asked ?? signal) process.kill(process.pid, asked ?? signal)
  // It has said what is wrong.
  if (status !== 0) process.exit(1)
}

module.exports = { SIGNALS, isClone, prepare }
