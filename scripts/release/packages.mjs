// The packages of a release, as `npm run pack` left them in a folder: read, and checked to belong together.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Those of the platforms first, the one that asks for them last: it must not be there before them.
 * @param {string} folder
 * @returns {{ name: string, version: string, file: string, integrity: string }[]}
 */
export function readPackages(folder) {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.tgz')).sort() : []
  if (names.length === 0) throw new Error(`${folder} has no packages: npm run pack makes them`)
  const all = names.map((name) => read(join(folder, name)))
  const [main, ...more] = all.filter(({ manifest }) => manifest.optionalDependencies)
  if (!main || more.length > 0) throw new Error(`${folder} must have one package that asks for those of the platforms; it has ${more.length + (main ? 1 : 0)}`)
  const asked = Object.entries(main.manifest.optionalDependencies).map(([name, version]) => `${name}@${version}`)
  const given = all.filter((one) => one !== main).map(({ name, version }) => `${name}@${version}`)
  const missing = asked.filter((name) => !given.includes(name))
  if (missing.length > 0) throw new Error(`${folder} lacks ${missing.join(', ')}`)
  const foreign = given.filter((name) => !asked.includes(name))
  if (foreign.length > 0) throw new Error(`${folder} has ${foreign.join(', ')}, which ${main.name}@${main.version} does not ask for`)
  return [...all.filter((one) => one !== main), main].map(({ manifest, ...known }) => known)
}

function read(file) {
  const { status, stdout, stderr, error } = spawnSync('tar', ['-xzOf', file, 'package/package.json'], { encoding: 'utf8' })
  if (error || status !== 0) throw new Error(`${file} is not a package: ${error?.message ?? stderr.trim()}`)
  const manifest = JSON.parse(stdout)
  const integrity = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
  return { name: manifest.name, version: manifest.version, file, integrity, manifest }
}
