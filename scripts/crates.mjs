// The crates that are linked into the addon: what the notices and the SBOM list.
import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'

import { root } from './prepare.mjs'

/** What is shipped as a binary. */
const ADDON = 'ttn-auth-node'

/**
 * Sorted by name and version, without the workspace's own.
 * @param {string} triple  what the addon is built for
 * @returns {{ name: string, version: string, license: string | null, authors: string[], repository: string | null, folder: string,
 *   licenseFile: string | null }[]}
 */
export function linkedCrates(triple) {
  // `cargo metadata` counts what other members and tests ask of a crate too, so it cannot say which are linked; `cargo tree` can.
  const tree = cargo('tree', '--package', ADDON, '--edges', 'normal,no-proc-macro', '--target', triple, '--prefix', 'none')
  const linked = new Set(tree.split('\n').map((line) => /^(\S+ v\S+)/.exec(line)?.[1]))
  const { packages } = JSON.parse(cargo('metadata', '--format-version', '1', '--filter-platform', triple))
  return packages
    .filter(({ name, version, source }) => source !== null && linked.has(`${name} v${version}`))
    .map(({ name, version, license, authors, repository, manifest_path, license_file }) => {
      return { name, version, license, authors, repository, folder: dirname(manifest_path), licenseFile: license_file }
    })
    .sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version))
}

/** By code points: the same in every locale. */
function compare(a, b) {
  return a < b ? -1 : Number(a > b)
}

function cargo(...args) {
  const { status, error, stdout, stderr } = spawnSync('cargo', [...args, '--locked'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (error?.code === 'ENOENT') throw new Error('Rust is needed to know what the addon is made of: https://rustup.rs')
  if (error) throw error
  if (status !== 0) throw new Error(`cargo ${args.join(' ')} ended with ${status}: ${stderr.trim()}`)
  return stdout
}
