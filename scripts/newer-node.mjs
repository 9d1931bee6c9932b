// Another Node.js than this one, whole, from npm: for the tests that need a newer one, and for benches.
import { join } from 'node:path'

import { cachedPackage } from './cached-package.mjs'

/** The executable of one of 22.9 or newer: this one, if it is. */
export function newerNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 9) ? process.execPath : installNode('22')
}

/** The executable of this version; installed on the first call where it is missing. */
export function installNode(version) {
  const file = join('bin', 'node')
  return join(cachedPackage('node', version, { file }), file)
}
