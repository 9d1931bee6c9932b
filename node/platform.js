'use strict'
// What this machine is, as far as it decides which addon fits.

const { existsSync } = require('node:fs')

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
  return !glibcVersion()
}

/**
 * Of the glibc that Node runs on; undefined where that is none. It takes longer than all the rest of loading, and would take
 * name look-ups, were the report's network part not left out.
 */
function glibcVersion() {
  const report = process.report
  const before = report.excludeNetwork
  report.excludeNetwork = true
  try {
    return report.getReport().header.glibcVersionRuntime
  } finally {
    report.excludeNetwork = before
  }
}

/**
 * Whether the processor is older than what the addon for 32-bit ARM is built for: it would end Node by a signal. Node was built
 * for ARMv6 on newer ones, too, by Raspberry Pi OS, so its own `arm_version` does not tell.
 */
const isOldArm = () => process.arch === 'arm' && /^armv[1-6]/.test(require('node:os').machine())

module.exports = { glibcVersion, isOldArm, target }
