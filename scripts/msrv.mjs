// `npm run msrv [-- TOOLCHAIN]`: does what is published compile with the oldest Rust that Cargo.toml promises?
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { root } from './prepare.mjs'

const promised = /^rust-version = "(.+)"$/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'))[1]
const toolchain = process.argv[2] ?? promised

/** Each transport by itself, and neither; then everything, and the addon. */
const FEATURES = ['', 'grpc', 'http', 'server', 'redis']
const CHECKS = [...FEATURES.map((features) => ['-p', 'ttn-auth', '--no-default-features', '--features', features]), ['-p', 'ttn-auth', '--all-features'], ['-p', 'ttn-auth-node']]

if (spawnSync('cargo', [`+${toolchain}`, '--version'], { stdio: 'ignore' }).status !== 0) {
  console.error(`Needed: rustup toolchain install ${toolchain} --profile minimal`)
  process.exit(2)
}
for (const check of CHECKS) {
  const args = [`+${toolchain}`, 'check', '--quiet', '--lib', '--locked', ...check]
  console.log(`> cargo ${args.join(' ')}`)
  const { status } = spawnSync('cargo', args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}
