// A Node.js of 22.9 or newer: this one, or a whole one from npm, for the tests that need it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { root } from './prepare.mjs'

/** Its executable; installed on the first call where it is missing. */
export function newerNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 9)) return process.execPath
  const prefix = join(root, '.cache', 'node-22')
  const node = join(prefix, 'node_modules', 'node', 'bin', 'node')
  if (existsSync(node)) return node
  const args = ['install', '--no-audit', '--no-fund', '--prefix', prefix, 'node@22']
  console.error(`> npm ${args.join(' ').replace(root, '.')}`)
  const { status, error } = spawnSync('npm', args, { stdio: ['ignore', 2, 2] })
  if (error) throw error
  if (status !== 0) throw new Error('Node.js 22 could not be installed')
  return node
}
