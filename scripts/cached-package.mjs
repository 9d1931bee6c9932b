// npm packages that only some tests need: installed under .cache when they are first used, so that `npm ci` stays small.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { root } from './prepare.mjs'

/**
 * Where the package is.
 * @param {string} name
 * @param {string} version
 * @param {object} [options]
 * @param {string} [options.file]  what of it is there when it is installed
 * @param {string[]} [options.args]  more for npm
 * @param {object} [options.overrides]  versions of what it needs, as in package.json
 */
export function cachedPackage(name, version, { file = 'package.json', args = [], overrides } = {}) {
  const prefix = join(root, '.cache', `${name}-${version}`)
  const folder = join(prefix, 'node_modules', name)
  if (existsSync(join(folder, file))) return folder
  if (overrides) {
    mkdirSync(prefix, { recursive: true })
    writeFileSync(join(prefix, 'package.json'), JSON.stringify({ private: true, overrides }))
  }
  const all = ['install', '--no-audit', '--no-fund', ...args, '--prefix', prefix, `${name}@${version}`]
  console.error(`> npm ${all.join(' ').replace(root, '.')}`)
  const { status, error } = spawnSync('npm', all, { stdio: ['ignore', 2, 2] })
  if (error) throw error
  if (status !== 0) throw new Error(`${name} ${version} could not be installed`)
  return folder
}
