// `npm run test:cross [platform ...]`: the packages with the addons of dist/addons, installed on a machine of each platform, without a network and
// without a compiler, where they then read a device with both credentials over both transports.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

import { pack } from '../pack.mjs'
import { root } from '../prepare.mjs'
import { Machine } from './machine.mjs'
import { chosen, GLIBC, platforms } from './platforms.mjs'

const CALLS = join(root, 'tests', 'package', 'four-calls.cjs')

/** The newest glibc that an addon asks for, such as `2.28`. */
function newestGlibc(addon) {
  const versions = readFileSync(addon, 'latin1').match(/GLIBC_\d+\.\d+/g).map((text) => text.slice(6))
  return versions.sort((one, other) => one.localeCompare(other, 'en', { numeric: true })).at(-1)
}

function test(name, packages) {
  const addon = packages.find(({ platform }) => platform === name)
  if (!addon) throw new Error(`there is no addon in dist/addons: npm run build:cross -- ${name}`)
  if (platforms[name].libc === 'gnu') {
    const glibc = newestGlibc(join(root, 'dist', 'addons', `ttn-auth.${name}.node`))
    if (glibc.localeCompare(GLIBC, 'en', { numeric: true }) > 0) throw new Error(`the addon needs glibc ${glibc}, and may need ${GLIBC}`)
  }
  const machine = new Machine(name)
  const work = join(machine.folder, 'work')
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work)
  writeFileSync(join(work, 'package.json'), '{ "private": true }\n')
  const files = [packages.find(({ platform }) => !platform), addon].map(({ file }) => file)
  for (const file of [...files, CALLS]) copyFileSync(file, join(work, basename(file)))
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  machine.run(['/opt/npm/bin/npm-cli.js', 'install', '--prefix', '/work', '--offline', '--ignore-scripts', ...quiet, ...files.map((file) => `/work/${basename(file)}`)])
  const { node, platform, arch, results } = JSON.parse(machine.run([`/work/${basename(CALLS)}`], { loopback: true }))
  return { addon, node, platform, arch, results }
}
