'use strict'
// Finds the addon: built in this folder, or in the optional package of this platform. What to do where there is none: no-addon.js.

const { existsSync } = require('node:fs')
const { join } = require('node:path')

const { isOldArm, target } = require('./platform.js')

function load() {
  const name = target()
  const local = join(__dirname, `ttn-auth.${name}.node`)
  if (existsSync(local)) return attempt(local, (cause) => explain().broken(local, cause))
  if (isOldArm()) throw explain().oldArm(name)
  const packaged = `@thingskey/ttn-auth-${name}`
  let path
  try {
    path = require.resolve(packaged)
  } catch {
    throw explain().missing(name)
  }
  const addon = attempt(path, (cause) => explain().unloadable(packaged, cause))
  const { version } = require('../package.json')
  if (addon.VERSION !== version) throw explain().otherVersion(packaged, addon.VERSION, version)
  return addon
}

const explain = () => require('./no-addon.js')

function attempt(path, problem) {
  try {
    return require(path)
  } catch (cause) {
    throw problem(cause)
  }
}

module.exports = { load }
