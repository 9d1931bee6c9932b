// Makes a clone ready to run: installs the npm packages and builds the addon, where they are missing or old.
// Runs before anything is installed, so it imports Node's own modules only.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** What the addon is made of. */
const sources = ['Cargo.toml', 'Cargo.lock', 'build.rs', 'proto', 'src', 'sandbox', 'node/Cargo.toml', 'node/build.rs', 'node/src']

/** Installs and builds what is missing. Its output goes to stderr: stdout belongs to the caller. */
export function prepare() {
  install()
  // Asking cargo each time would copy the addon anew under the feet of processes that have it loaded.
  if (addonTime() > Math.max(...sources.map(newest))) return
  const cargo = spawnSync('cargo', ['--version'], { stdio: 'ignore' })
  if (cargo.error || cargo.status !== 0) throw new Error('Rust is needed to build the addon: https://rustup.rs')
  run('npm', ['run', 'build:debug'])
}

/** Only the npm packages. */
export function install() {
  const lock = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(lock) || newest('package-lock.json') > statSync(lock).mtimeMs) run('npm', ['ci', '--no-audit', '--no-fund'])
}

function run(command, args) {
  console.error(`> ${command} ${args.join(' ')}`)
  // npm is a script on Windows, which only a shell finds.
  const shell = process.platform === 'win32'
  const { error, status } = spawnSync(command, args, { cwd: root, shell, stdio: ['ignore', 2, 2] })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
}

/** When the addon was built; 0 if it was not. */
function addonTime() {
  const addons = readdirSync(join(root, 'node')).filter((name) => name.endsWith('.node'))
  return Math.max(0, ...addons.map((name) => statSync(join(root, 'node', name)).mtimeMs))
}

/** The last change of a file, or of any file in a folder. */
function newest(path) {
  const full = join(root, path)
  if (!existsSync(full)) return 0
  const { mtimeMs } = statSync(full)
  if (!statSync(full).isDirectory()) return mtimeMs
  // Not the folder's own time: a file added there is new itself.
  return Math.max(0, ...readdirSync(full).map((name) => newest(join(path, name))))
}
