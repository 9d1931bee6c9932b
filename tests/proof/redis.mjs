// A Redis of the proof's own, whose whole history is written to a file, because what it ever held is evidence.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'

import { HOST } from './port.mjs'

/**
 * @param {object} options
 * @param {number} options.port
 * @param {string} options.folder  for its append-only file, in plain text
 * @param {string} options.password
 * @param {(line: string) => void} options.onLine
 */
export async function startRedis({ port, folder, password, onLine }) {
  mkdirSync(folder, { recursive: true })
  const settings = {
    port, bind: HOST, dir: folder, requirepass: password,
    // Every command that writes, as it came, and nothing compressed.
    appendonly: 'yes', appendfsync: 'always', 'aof-use-rdb-preamble': 'no', save: '', rdbcompression: 'no',
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await Promise.race([ready(child, onLine), failed(child)])
  return {
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

function ready(child, onLine) {
  return new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      onLine(line)
      if (line.includes('Ready to accept connections')) resolve()
    })
  })
}

async function failed(child) {
  const [error] = await Promise.race([once(child, 'error'), once(child, 'exit').then(() => [new Error('redis-server ended')])])
  throw error.code === 'ENOENT' ? new Error('redis-server is needed: apt-get install redis-server') : error
}
