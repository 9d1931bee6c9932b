// This package as an installation has it, in a folder of its own, so that the tests' addon stays where it is.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { root } from '../scripts/prepare.mjs'

const { target } = createRequire(import.meta.url)('../node/platform.js')

/** The addon's name. */
const ADDON = `ttn-auth.${target()}.node`

/** The package's folder, beside the platform's with the given addon, or with a release build. */
export function makePackage(addon = build()) {
  const scope = join(root, '.cache', 'bench', 'node_modules', '@thingskey')
  rmSync(scope, { recursive: true, force: true })
  const [folder, platform] = ['ttn-auth', `ttn-auth-${target()}`].map((name) => join(scope, name))
  for (const each of [join(folder, 'node'), platform]) mkdirSync(each, { recursive: true })
  cpSync(join(root, 'package.json'), join(folder, 'package.json'))
  for (const name of readdirSync(join(root, 'node'))) {
    if (name.endsWith('.js')) cpSync(join(root, 'node', name), join(folder, 'node', name))
  }
  cpSync(addon, join(platform, ADDON))
  writeFileSync(join(platform, 'package.json'), JSON.stringify({ main: ADDON }))
  return folder
}

/** The addon that tests use. */
export const debugAddon = () => join(root, 'node', ADDON)

function build() {
  const out = join(root, '.cache', 'bench', 'addon')
  mkdirSync(out, { recursive: true })
  run(process.execPath, [join('node', 'build.mjs'), '--release', '--out', out])
  return join(out, ADDON)
}

/** The server and the contestants of Rust. */
export function buildPrograms(profile) {
  run('cargo', ['build', '-q', '-p', 'ttn-auth-bench', '--profile', profile])
  const folder = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), profile === 'dev' ? 'debug' : profile)
  return { server: join(folder, 'bench-server'), client: join(folder, 'bench-client') }
}

function run(command, args) {
  console.error(`> ${command} ${args.join(' ').replace(root, '.')}`)
  const { error, status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ended with ${status}`)
}
