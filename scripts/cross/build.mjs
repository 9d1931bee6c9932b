// `npm run build:cross [platform ...]`: the addons of all Linux platforms, in dist/addons.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { root } from '../prepare.mjs'
import { chosen, GLIBC, platforms } from './platforms.mjs'
import { cache, toolchain, unnamed } from './toolchain.mjs'

const addons = join(root, 'dist', 'addons')

function build(name, env, flags) {
  const { triple, libc } = platforms[name]
  const target = libc === 'gnu' ? `${triple}.${GLIBC}` : triple
  // A library that is loaded by a program that is linked with musl's libc has to use that one.
  const rustflags = libc === 'musl' ? [...flags, '-Ctarget-feature=-crt-static'] : flags
  const args = ['zigbuild', '--locked', '--release', '-p', 'ttn-auth-node', '--target', target, '-Zbuild-std=std,panic_unwind']
  console.log(`> cargo ${args.join(' ')}`)
  const CARGO_ENCODED_RUSTFLAGS = rustflags.join('\x1f')
  const { status, error } = spawnSync('cargo', args, { cwd: root, stdio: 'inherit', env: { ...env, CARGO_ENCODED_RUSTFLAGS } })
  if (error) throw error
  if (status !== 0) throw new Error(`the addon for ${name} could not be built`)
  const addon = join(addons, `ttn-auth.${name}.node`)
  copyFileSync(join(cache, 'target', triple, 'release', 'libttn_auth_node.so'), addon)
  console.log(`${addon.replace(root, './')}  ${(statSync(addon).size / 1e6).toFixed(1)} MB`)
}

try {
  const names = chosen(process.argv.slice(2))
  const env = toolchain()
  const flags = unnamed()
  mkdirSync(addons, { recursive: true })
  for (const name of names) build(name, env, flags)
} catch (error) {
  console.error(`build:cross: ${error.message}`)
  process.exitCode = 1
}
