'use strict'
// Finds the addon: built in this folder, or in the optional package of this platform.

const { existsSync } = require('node:fs')
const { join } = require('node:path')

/** The platform as napi names it: `linux-x64-gnu`, `darwin-arm64`, `win32-x64-msvc`. */
function target() {
  const { platform, arch } = process
  if (platform === 'linux') {
    const suffix = arch === 'arm' ? 'eabihf' : ''
    return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}${suffix}`
  }
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`
}

/** As musl names its loader, which programs that are linked with it name in turn. */
const LOADERS = { x64: 'x86_64', arm64: 'aarch64', arm: 'armhf' }

function isMusl() {
  const loader = LOADERS[process.arch]
  // Seldom there, and then Node may be linked with glibc all the same.
  if (loader && !existsSync(`/lib/ld-musl-${loader}.so.1`)) return false
  // The report names glibc's version where Node runs on glibc. It takes longer than all the rest of loading, without the
  // network part, which would take name look-ups.
  const report = process.report
  const before = report.excludeNetwork
  report.excludeNetwork = true
  try {
    return !report.getReport().header.glibcVersionRuntime
  } finally {
    report.excludeNetwork = before
  }
}

function load() {
  const name = target()
  const local = join(__dirname, `ttn-auth.${name}.node`)
  const packaged = `@thingskey/ttn-auth-${name}`
  if (existsSync(local)) {
    return attempt(local, `${local} is there, but Node cannot load it`, 'Build it again on this machine: npm run build.')
  }
  try {
    require.resolve(packaged)
  } catch {
    throw new Error(
      `@thingskey/ttn-auth has no addon for ${name} (Node ${process.version}). ` +
        `Install ${packaged}, without --omit=optional; where there is no such package, or in a clone of the ` +
        'repository, build it: npm run build (needs Rust).',
    )
  }
  return attempt(packaged, `${packaged} is installed, but Node cannot load it`, `Install it again: npm install ${packaged}.`)
}

function attempt(path, problem, remedy) {
  try {
    return require(path)
  } catch (cause) {
    throw new Error(`${problem}: ${cause.message}. ${remedy}`, { cause })
  }
}

module.exports = { load, target }
