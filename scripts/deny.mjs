// `npm run deny`: are the crates that we depend on as deny.toml says? `npm run deny -- advisories` asks whether any is known to be
// unsafe, which needs the advisory database, and so the network. cargo-deny is installed under .cache when it is first used.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { pipProgram } from './pip-program.mjs'
import { root } from './prepare.mjs'

/** What can be told without the network. */
const OFFLINE = ['bans', 'licenses', 'sources']

/** An exception that nothing needs any more goes. */
const STRICT = ['--deny', 'unmatched-skip', '--deny', 'unnecessary-skip']

export const cargoDeny = () => pipProgram('cargo-deny')

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
