// A compiler for platforms that this machine is not: Debian's rustc, because its standard library comes with its sources and is
// built for each platform from them; zig as linker and C compiler, which has every platform's libc, in the version that is asked for.
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

import { pipProgram } from '../pip-program.mjs'
import { root } from '../prepare.mjs'
import { Release, run } from './debian.mjs'

/** Where all of it is. */
export const cache = join(root, '.cache', 'cross')

/** Debian's Rust for its browser: the newest that its stable releases have. */
const SUITE = 'bookworm'
const DEV = 'libstd-rust-web-dev'

/** Installs what is missing; the environment that cargo needs, but for what differs by platform. */
export function toolchain() {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('cross builds run on 64-bit x86 Linux')
  const zigbuild = dirname(pipProgram('cargo-zigbuild'))
  const place = join(cache, 'toolchain')
  const done = join(place, 'done')
  if (!existsSync(done)) {
    rmSync(place, { recursive: true, force: true })
    install(place)
    writeFileSync(done, '')
  }
  const { RUSTFLAGS, CARGO_ENCODED_RUSTFLAGS, ...env } = process.env
  return {
    ...env,
    PATH: [zigbuild, process.env.PATH].join(delimiter),
    // Where its zig is.
    PYTHONPATH: dirname(zigbuild),
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
}

/** The addon says of its own panics where in the sources they are, but not where those were on this machine. */
export function unnamed() {
  run('cargo', ['fetch', '--locked'], { cwd: root, stdio: ['ignore', 2, 2] })
  const sources = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'registry', 'src')
  const crates = readdirSync(sources).map((name) => [join(sources, name), '/crates'])
  const std = join(cache, 'toolchain', 'debian', 'usr', 'lib', 'rustlib', 'src', 'rust')
  // Of those that fit, the last counts.
  const places = [[root.replace(/\/$/, ''), '/ttn-auth'], ...crates, [std, '/rustc']]
  return places.map(([from, to]) => `--remap-path-prefix=${from}=${to}`)
}
