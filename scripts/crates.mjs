// The crates that are linked into the addon: what the notices and the SBOM list.
import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'

import { root } from './prepare.mjs'

/** What is shipped as a binary. */
const ADDON = 'ttn-auth-node'

/**
 * @typedef {object} Crate
 * @property {string} id  name and version, with a space
 * @property {string} name
 * @property {string} version
 * @property {string | null} license  an SPDX expression
 * @property {string[]} authors
 * @property {string | null} repository
 * @property {string} folder  its sources
 * @property {string | null} licenseFile  if its manifest names one
 * @property {boolean} direct  whether our own crates ask for it
 * @property {string[]} dependencies  the ids of those that it asks for
 */

/**
 * Sorted by name and version, without the workspace's own.
 * @param {string} triple  what the addon is built for
 * @returns {Crate[]}
 */
export function linkedCrates(triple) {
  // `cargo metadata` counts what other members and tests ask of a crate too, so it cannot say which are linked; `cargo tree` can.
  const linked = parseTree(cargo('tree', '--package', ADDON, '--edges', 'normal,no-proc-macro', '--target', triple, '--prefix', 'depth'))
  const { packages } = JSON.parse(cargo('metadata', '--format-version', '1', '--filter-platform', triple))
  const known = new Map(packages.map((found) => [`${found.name} ${found.version}`, found]))
  const ours = (id) => known.get(id).source === null
  const direct = new Set([...linked].flatMap(([id, dependencies]) => (ours(id) ? [...dependencies] : [])))
  return [...linked.keys()]
    .filter((id) => !ours(id))
    .sort()
    .map((id) => {
      const { name, version, license, authors, repository, manifest_path, license_file } = known.get(id)
      return {
        ...{ id, name, version, authors, repository },
        // What SPDX has for the slash of older manifests.
        license: license?.replace(/\s*\/\s*/g, ' OR ') ?? null,
        folder: dirname(manifest_path),
        licenseFile: license_file,
        direct: direct.has(id),
        dependencies: [...linked.get(id)].sort(),
      }
    })
}

/** Each crate, and what it asks for: lines begin with how deep they are. A crate that comes again comes without what is below it. */
function parseTree(text) {
  const linked = new Map()
  const path = []
  for (const [, depth, name, version] of text.matchAll(/^(\d+)(\S+) v(\S+)/gm)) {
    const id = `${name} ${version}`
    if (!linked.has(id)) linked.set(id, new Set())
    path[depth] = id
    if (depth > 0) linked.get(path[depth - 1]).add(id)
  }
  return linked
}

function cargo(...args) {
  const { status, error, stdout, stderr } = spawnSync('cargo', [...args, '--locked'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (error?.code === 'ENOENT') throw new Error('Rust is needed to know what the addon is made of: https://rustup.rs')
  if (error) throw error
  if (status !== 0) throw new Error(`cargo ${args.join(' ')} ended with ${status}: ${stderr.trim()}`)
  return stdout
}
