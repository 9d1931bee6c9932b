// `npm run release:files`: all that a release consists of, in dist/release: the packages, the bill of materials, what the changelog
// says, and SHA256SUMS of them.
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { root } from '../prepare.mjs'
import { releaseNotes } from './notes.mjs'
import { readPackages } from './packages.mjs'

/** What the changelog says, beside the rest. */
export const NOTES = 'RELEASE-NOTES.md'

/**
 * @param {string} dist  the folder that `npm run pack` and `npm run sbom` wrote to
 * @param {string} notes  what the changelog says
 * @returns {string[]}  the names of the files in its `release`
 */
export function gather(dist, notes) {
  const folder = join(dist, 'packages')
  const packages = readPackages(folder).map(({ file }) => file)
  const sbom = readdirSync(dist).filter((name) => name.endsWith('.cdx.json')).map((name) => join(dist, name))
  if (sbom.length === 0) throw new Error(`${dist} has no bill of materials: npm run sbom`)
  const release = join(dist, 'release')
  rmSync(release, { recursive: true, force: true })
  mkdirSync(release)
  const files = [...packages, ...sbom]
  for (const file of files) cpSync(file, join(release, basename(file)))
  const sums = files.map((file) => `${createHash('sha256').update(readFileSync(file)).digest('hex')}  ${basename(file)}\n`)
  writeFileSync(join(release, 'SHA256SUMS'), sums.join(''))
  writeFileSync(join(release, NOTES), `${notes}\n`)
  return readdirSync(release)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    for (const name of gather(join(root, 'dist'), releaseNotes().notes)) console.log(`dist/release/${name}`)
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
