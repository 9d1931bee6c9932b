'use strict'
// Why there is no addon, and what to do: the errors of load.js. Each is one line, as Node-RED's log has one for each node.

const { existsSync } = require('node:fs')
const { join } = require('node:path')

const { glibcVersion } = require('./platform.js')

const NAME = '@thingskey/ttn-auth'

/** What there are packages for; package.json's `napi.targets` are the same. */
const PLATFORMS = [
  'linux-x64-gnu',
  'linux-x64-musl',
  'linux-arm64-gnu',
  'linux-arm64-musl',
  'linux-arm-gnueabihf',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64-msvc',
]

/** Where another Node.js or another system is the simplest way out. */
const OTHER_WAY = {
  'linux-arm-musleabihf': '32-bit ARM needs glibc: take an image of Debian instead of Alpine, or a 64-bit one. ',
  'win32-arm64-msvc': 'Install the x64 build of Node.js, which Windows runs here, too. ',
  'win32-ia32-msvc': 'Install the x64 build of Node.js. ',
}

const BUILD = 'npm ci && npm run build in a clone of the repository on such a machine (needs Rust), and npm install that folder'

function runtime() {
  const { bun, deno } = process.versions
  if (bun) return `Bun ${bun}`
  return deno ? `Deno ${deno}` : `Node ${process.version}`
}

const none = (name) => `${NAME} has no addon for ${name} (${runtime()})`

/** Node-RED's palette shows the message if it is still there in JSON, which has what is enumerable. */
function problem(message, options) {
  return Object.defineProperty(new Error(message, options), 'message', { enumerable: true })
}

/** No package of this platform is installed. */
function missing(name) {
  const packaged = `${NAME}-${name}`
  if (existsSync(join(__dirname, 'Cargo.toml'))) return problem(`${none(name)} in this clone. Build it: npm run build (needs Rust).`)
  if (!PLATFORMS.includes(name)) {
    return problem(`${none(name)}. There are some for ${PLATFORMS.join(', ')}. ${OTHER_WAY[name] ?? ''}To build one: ${BUILD}.`)
  }
  const others = PLATFORMS.filter(isInstalled)
  if (others.length > 0) {
    return problem(
      `${none(name)}, but for ${others.join(', ')}: node_modules was made on another machine or image. ` +
        'Delete node_modules, and run npm install on this one.',
    )
  }
  return problem(
    `${none(name)}: ${packaged} is not installed. npm leaves it out with --omit=optional, and with a package-lock.json that was ` +
      'made on another platform (https://github.com/npm/cli/issues/4828). Run npm install --include=optional; if that does not ' +
      'help, delete node_modules and package-lock.json, and run npm install again.',
  )
}

function isInstalled(name) {
  try {
    require.resolve(`${NAME}-${name}`)
    return true
  } catch {
    return false
  }
}

/** The processor lacks instructions that the addon has. */
function oldArm(name) {
  return problem(
    `${none(name)} on ARMv6, the processor of a Raspberry Pi 1 or Zero: it is built for ARMv7, which a Raspberry Pi 2 and newer ` +
      `ones and the Zero 2 have. To build one: ${BUILD}.`,
  )
}

/** The package of another release than the one that loads it. */
function otherVersion(packaged, found, wanted) {
  return problem(
    `${NAME} is ${wanted}, but ${packaged} ${found}; they have to be the same. Install both again: npm install ${NAME}@${wanted}. ` +
      `If your package.json names ${packaged}, take it out first: npm uninstall ${packaged}.`,
  )
}

/** The package is there, and cannot be loaded. */
function unloadable(packaged, cause) {
  return problem(`${packaged} is installed, but cannot be loaded (${runtime()}): ${cause.message}. ${remedy(packaged, cause)}`, { cause })
}

function remedy(packaged, { code, message }) {
  if (code === 'ERR_DLOPEN_DISABLED') return 'Start Node without --no-addons, and with --allow-addons where it has --permission.'
  const [, glibc] = /version [`'"]?GLIBC_([\d.]+)[`'"]? not found/.exec(message) ?? []
  if (glibc) {
    const here = `It needs glibc ${glibc}, and this system has ${glibcVersion() ?? 'none'}`
    return `${here}. Use a newer one (Debian 10, Ubuntu 20.04 and RHEL 8 will do). To build it: ${BUILD}.`
  }
  return `Install it again: npm install ${packaged}.`
}

/** One that was built here. */
function broken(path, cause) {
  return problem(`${path} is there, but cannot be loaded: ${cause.message}. Build it again on this machine: npm run build.`, { cause })
}

module.exports = { PLATFORMS, broken, missing, oldArm, otherVersion, unloadable }
