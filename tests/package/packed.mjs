// The package and that of this machine as `npm run pack` makes them, and how they are installed. Packing a debug build takes
// seconds, so it is done once for what they are made of; `node tests/package/packed.mjs` does it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { pack } from '../../scripts/pack.mjs'
import { root } from '../../scripts/prepare.mjs'

const { target } = createRequire(import.meta.url)('../../node/platform.js')

export const NAME = '@thingskey/ttn-auth'

/** The platform of this machine, as its package is named. */
export const PLATFORM = target()

/** What the packages are made of, and what makes them. */
const SOURCES = ['package.json', 'index.d.ts', 'README.md', 'LICENSE', 'Cargo.lock', 'node', 'resources', 'examples', 'scripts', 'tests/package/packed.mjs']

const cache = join(root, '.cache', 'packages')

function digest() {
  const hash = createHash('sha256').update(PLATFORM)
  for (const source of SOURCES) {
    const path = join(root, source)
    const files = statSync(path).isDirectory() ? readdirSync(path, { recursive: true }).map((name) => join(path, name)) : [path]
    for (const file of files.sort()) hash.update(`${file} ${statSync(file).size} ${statSync(file).mtimeMs}\n`)
  }
  return hash.digest('hex').slice(0, 16)
}

/** What pack() says of both packages, `package` and `addon`, and a `project` that npm has installed them into. */
export async function packed() {
  const key = digest()
  const folder = join(cache, key)
  if (!existsSync(folder)) await make(folder)
  for (const name of readdirSync(cache)) if (name !== key && !name.startsWith('made-')) rmSync(join(cache, name), { recursive: true, force: true })
  const packages = JSON.parse(readFileSync(join(folder, 'packed.json'), 'utf8')).map((each) => ({ ...each, file: join(folder, each.file) }))
  return { package: packages[0], addon: packages.find(({ platform }) => platform === PLATFORM), project: join(folder, 'project') }
}

/** Of several processes that do this, the first one's stays. */
async function make(folder) {
  mkdirSync(cache, { recursive: true })
  const made = mkdtempSync(join(cache, 'made-'))
  try {
    const all = await pack({ addons: join(root, 'node'), out: made, debug: true })
    install(join(made, 'project'), all.filter(({ platform }) => platform === undefined || platform === PLATFORM).map(({ file }) => file))
    writeFileSync(join(made, 'packed.json'), JSON.stringify(all.map((each) => ({ ...each, file: basename(each.file) }))))
    if (!existsSync(folder)) renameSync(made, folder)
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}

const OFFLINE = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier']

let npm
/** The script that npm is, for any Node.js to run. */
function npmScript() {
  npm ??= spawnSync('npm', ['exec', '--offline', '-c', 'node -p process.env.npm_execpath'], { encoding: 'utf8' }).stdout.trim()
  return npm
}

/**
 * Installs packages as a machine without a network and without a compiler does: npm's cache is empty, PATH has Node.js alone,
 * and no script of a package runs.
 * @param {string} folder  the project; made if it is not there
 * @param {string[]} files
 * @param {string} [node]  the Node.js that runs npm
 */
export function install(folder, files, node = process.execPath) {
  mkdirSync(folder, { recursive: true })
  const home = mkdtempSync(join(tmpdir(), 'ttn-install-'))
  try {
    const bin = join(home, 'bin')
    mkdirSync(bin)
    symlinkSync(node, join(bin, 'node'))
    // Without a prefix npm installs into the next folder above that is a project, such as this repository.
    const args = [npmScript(), 'install', '--prefix', folder, ...OFFLINE, ...files]
    const env = { PATH: bin, HOME: home, npm_config_cache: join(home, 'cache') }
    const { status, stdout, stderr } = spawnSync(node, args, { cwd: folder, env, encoding: 'utf8' })
    assert.equal(status, 0, stdout + stderr)
    return stdout + stderr
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** Copies what npm has installed. */
export function copyInstalled(project, to) {
  for (const name of ['node_modules', 'package.json']) cpSync(join(project, name), join(to, name), { recursive: true, verbatimSymlinks: true })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await packed()
