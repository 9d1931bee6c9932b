// A compiler for platforms that this machine is not: Debian's rustc, because its standard library comes with its sources and is
// built for each platform from them; zig as linker and C compiler, which has every platform's libc, in the version that is asked for.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

import { root } from '../prepare.mjs'
import { Release, run } from './debian.mjs'

/** Where all of it is. */
export const cache = join(root, '.cache', 'cross')

const requirements = join(root, 'scripts', 'cross', 'requirements.txt')

/** Debian's Rust for its browser: the newest that its stable releases have. */
const SUITE = 'bookworm'
const DEV = 'libstd-rust-web-dev'

/** Installs what is missing, and resolves to the environment that cargo needs, but for what differs by platform. */
export function toolchain() {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('cross builds run on 64-bit x86 Linux')
  const place = join(cache, 'toolchain')
  const done = join(place, 'done')
  const wanted = readFileSync(requirements, 'utf8')
  if (!existsSync(done) || readFileSync(done, 'utf8') !== wanted) {
    rmSync(place, { recursive: true, force: true })
    install(place)
    writeFileSync(done, wanted)
  }
  const python = join(place, 'python')
  const { RUSTFLAGS, CARGO_ENCODED_RUSTFLAGS, ...env } = process.env
  return {
    ...env,
    PATH: [join(python, 'bin'), process.env.PATH].join(delimiter),
    PYTHONPATH: python,
    RUSTC: join(place, 'rustc'),
    // The sources of the standard library may use what is not stable.
    RUSTC_BOOTSTRAP: '1',
    CARGO_TARGET_DIR: join(cache, 'target'),
    CARGO_ZIGBUILD_CACHE_DIR: join(cache, 'zigbuild'),
    ZIG_GLOBAL_CACHE_DIR: join(cache, 'zig'),
  }
}

function install(place) {
  const debian = join(place, 'debian')
  const release = new Release(SUITE, join(place, 'apt'), { updates: true })
  const std = release.dependency(DEV, /libstd-rust-web-\d[\d.]*/)
  release.unpack(['rustc-web', DEV, std, release.dependency(std, /libllvm\d+/), 'rust-web-src'], debian)
  const libraries = join(debian, 'usr', 'lib', 'x86_64-linux-gnu')
  run('ldconfig', ['-n', libraries])
  writeFileSync(join(place, 'rustc'), `#!/bin/sh\nLD_LIBRARY_PATH='${libraries}' exec '${join(debian, 'usr', 'bin', 'rustc')}' "$@"\n`, { mode: 0o755 })
  const python = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--require-hashes', '--only-binary', ':all:']
  run('python3', [...python, '--target', join(place, 'python'), '--requirement', requirements], { stdio: ['ignore', 2, 2] })
}

/** The addon says of its own panics where in the sources they are, but not where those were on this machine. */
export function unnamed() {
  run('cargo', ['fetch', '--locked'], { cwd: root, stdio: ['ignore', 2, 2] })
  const sources = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'registry', 'src')
  const places = Object.fromEntries(readdirSync(sources).map((name) => [join(sources, name), '/crates']))
  places[join(cache, 'toolchain', 'debian', 'usr', 'lib', 'rustlib', 'src', 'rust')] = '/rustc'
  places[root.replace(/\/$/, '')] = '/ttn-auth'
  return Object.entries(places).map(([from, to]) => `--remap-path-prefix=${from}=${to}`)
}
