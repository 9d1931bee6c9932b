// `npm run lint:workflows`: .github/ can only run on GitHub, so here it is at least read: by actionlint (what GitHub would not
// understand) and by zizmor (what an attacker would like). Both are installed under .cache when they are first used; actionlint needs Go.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { pipProgram } from './pip-program.mjs'
import { root } from './prepare.mjs'

const ACTIONLINT = '1.7.12'

function actionlint() {
  const folder = join(root, '.cache', `actionlint-${ACTIONLINT}`)
  const executable = join(folder, process.platform === 'win32' ? 'actionlint.exe' : 'actionlint')
  if (existsSync(executable)) return executable
  const args = ['install', `github.com/rhysd/actionlint/cmd/actionlint@v${ACTIONLINT}`]
  console.error(`> go ${args.join(' ')}`)
  const { status, error } = spawnSync('go', args, { stdio: ['ignore', 2, 2], env: { ...process.env, GOBIN: folder } })
  if (error || status !== 0) throw new Error(`actionlint could not be installed. It needs Go${error ? ` (${error.message})` : ''}`)
  return executable
}

/**
 * What is wrong with the workflows of a folder; empty if nothing is.
 * @param {string} folder  which has a `.github`
 */
export function lint(folder) {
  const workflows = readdirSync(join(folder, '.github', 'workflows')).map((name) => join(folder, '.github', 'workflows', name))
  // Commands in them are scripts' names, so there is nothing for shellcheck to read. What it finds would depend on the machine.
  const runs = [
    [actionlint(), ['-no-color', '-shellcheck=', '-pyflakes=', ...workflows]],
    // Everything it knows, doubtful things too; --offline because it would ask GitHub.
    [pipProgram('zizmor'), ['--offline', '--quiet', '--no-progress', '--color=never', '--strict-collection', '--persona=auditor', join(folder, '.github')]],
  ]
  return runs.map(([program, args]) => {
    const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: folder, encoding: 'utf8' })
    if (error) throw error
    return status === 0 ? '' : `${stdout}${stderr}`
  }).join('')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = lint(root)
  process.stdout.write(found)
  process.exitCode = found === '' ? 0 : 1
}
