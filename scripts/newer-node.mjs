// A newer Node.js: this one, if it is new enough, or a whole one from npm, for what needs it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { root } from './prepare.mjs'

/** Its executable, of this version or a later one; installed on the first call where it is missing. */
export function newerNode(wanted = 22) {
  const [major, minor] = process.versions.node.split('.').map(Number)
  // Of 22 it has to be 22.9.
  if (major > wanted || (major === wanted && (major > 22 || minor >= 9))) return process.execPath
  const prefix = join(root, '.cache', `node-${wanted}`)
  const node = join(prefix, 'node_modules', 'node', 'bin', 'node')
  if (existsSync(node)) return node
  const args = ['install', '--no-audit', '--no-fund', '--prefix', prefix, `node@${wanted}`]
  console.error(`> npm ${args.join(' ').replace(root, '.')}`)
  const { status, error } = spawnSync('npm', args, { stdio: ['ignore', 2, 2] })
  if (error) throw error
  if (status !== 0) throw new Error(`Node.js ${wanted} could not be installed`)
  return node
}
