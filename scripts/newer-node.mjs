// Another Node.js than this one, whole, from npm: for the tests that need a newer one, and for benches.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { root } from './prepare.mjs'

/** The executable of one of 22.9 or newer: this one, if it is. */
export function newerNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 9) ? process.execPath : installNode('22')
}

/** The executable of this version; installed on the first call where it is missing. */
export function installNode(version) {
  const prefix = join(root, '.cache', `node-${version}`)
  const node = join(prefix, 'node_modules', 'node', 'bin', 'node')
  if (existsSync(node)) return node
  const args = ['install', '--no-audit', '--no-fund', '--prefix', prefix, `node@${version}`]
  console.error(`> npm ${args.join(' ').replace(root, '.')}`)
  const { status, error } = spawnSync('npm', args, { stdio: ['ignore', 2, 2] })
  if (error) throw error
  if (status !== 0) throw new Error(`Node.js ${version} could not be installed`)
  return node
}
