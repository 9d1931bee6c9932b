// Debian's packages taken apart in folders of ours: nothing is installed, so a machine is as it was, and none has to be prepared.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where Debian's packages come from on this machine; their signatures are checked by apt. */
function mirrors() {
  const list = '/etc/apt/sources.list.d'
  const files = ['/etc/apt/sources.list', ...(existsSync(list) ? readdirSync(list) : []).map((name) => join(list, name))]
  const lines = files.filter((name) => /\.(list|sources)$/.test(name) && existsSync(name)).flatMap((name) => readFileSync(name, 'utf8').split('\n'))
  const addresses = lines.filter((line) => !/^\s*#/.test(line)).flatMap((line) => line.match(/\bhttps?:\/\/\S+/g) ?? [])
  const main = addresses.find((address) => /\/debian\/?$/.test(address))
  const security = addresses.find((address) => /\/debian-security\/?$/.test(address))
  if (!main || !security) throw new Error('no Debian mirror in /etc/apt: cross builds need a Debian machine, or a container of debian:bookworm')
  return { main, security }
}

export function run(command, args, options = {}) {
  const { status, error, stdout } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 2], ...options })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
  return stdout
}

/** A release of Debian for one architecture, seen by an apt whose lists and settings are in a folder of its own. */
export class Release {
  /**
   * @param {string} name  such as `bookworm`
   * @param {string} folder
   * @param {object} [options]
   * @param {string} [options.architecture]
   * @param {boolean} [options.updates]  with what its security team has added
   */
  constructor(name, folder, { architecture = 'amd64', updates = false } = {}) {
    this.folder = folder
    for (const part of ['lists/partial', 'archives/partial', 'debs']) mkdirSync(join(folder, part), { recursive: true })
    const { main, security } = mirrors()
    const added = updates ? `deb ${security} ${name}-security main\n` : ''
    writeFileSync(join(folder, 'sources.list'), `deb ${main} ${name} main\n${added}`)
    writeFileSync(join(folder, 'status'), '')
    const settings = {
      'Dir::State': folder,
      'Dir::State::status': join(folder, 'status'),
      'Dir::Cache': folder,
      'Dir::Etc::sourcelist': join(folder, 'sources.list'),
      'Dir::Etc::sourceparts': '/dev/null',
      // The folder is not the user's that apt would download as.
      'APT::Sandbox::User': 'root',
      'APT::Architecture': architecture,
      'Acquire::Languages': 'none',
    }
    const lines = Object.entries(settings).map(([key, value]) => `${key} "${value}";\n`)
    writeFileSync(join(folder, 'apt.conf'), [...lines, `#clear APT::Architectures;\nAPT::Architectures { "${architecture}"; };\n`].join(''))
    this.env = { ...process.env, APT_CONFIG: join(folder, 'apt.conf') }
    run('apt-get', ['update', '-q'], { env: this.env, stdio: ['ignore', 2, 2] })
  }

  /** The one that a package depends on whose name fits: names of libraries have their version in them. */
  dependency(name, pattern) {
    const found = run('apt-cache', ['depends', name], { env: this.env }).match(pattern)
    if (!found) throw new Error(`Debian's ${name} depends on nothing like ${pattern}`)
    return found[0]
  }

  /** Takes packages apart in `into`. */
  unpack(names, into) {
    const debs = join(this.folder, 'debs')
    rmSync(debs, { recursive: true, force: true })
    mkdirSync(debs)
    run('apt-get', ['download', '-q', ...names], { cwd: debs, env: this.env, stdio: ['ignore', 2, 2] })
    for (const deb of readdirSync(debs)) run('dpkg-deb', ['--extract', join(debs, deb), into])
    rmSync(debs, { recursive: true })
  }
}
