// THIRD-PARTY-NOTICES of a prebuilt addon: the licences of the Rust crates, and of their C code, that are linked into it.
// `node scripts/notices.mjs TRIPLE` prints it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { linkedCrates } from './crates.mjs'

const LICENCE = /^(licen[cs]e|copying|copyright|notice|unlicense)([-._].*)?$/i
/** What is not linked: its licences concern nobody who has the addon only. */
const NOT_SHIPPED = new Set(['benches', 'examples', 'tests'])
const RULE = '-'.repeat(80)

/**
 * The text for one platform.
 * @param {string} triple  a target as Rust calls it
 */
export function notices(triple) {
  const crates = linkedCrates(triple)
  const silent = crates.filter((crate) => licences(crate).length === 0)
  return `${[
    intro(triple, crates),
    ...[...texts(crates)].map(({ of, text }) => `${RULE}\n${of.join(', ')}\n${RULE}\n\n${text}`),
    ...silent.map((crate) => `${RULE}\n${crate.id}\n${RULE}\n\n${withoutText(crate)}`),
  ].join('\n\n')}\n`
}

function intro(triple, crates) {
  return `THIRD-PARTY NOTICES

The addon of @thingskey/ttn-auth for ${triple} is built from its own sources, under the MIT licence, from
the crates below, and from Rust's standard library (The Rust Project Developers; MIT OR Apache-2.0).

${crates.map((crate) => `${crate.id}: ${crate.license ?? 'see its licence below'}`).join('\n')}`
}

/** Each text once, with the crates that have it. */
function texts(crates) {
  const found = new Map()
  for (const crate of crates) {
    for (const text of licences(crate)) {
      // Many differ in how their lines are broken only.
      const key = text.replace(/\s+/g, ' ').trim()
      if (!found.has(key)) found.set(key, { of: [], text })
      const { of } = found.get(key)
      if (!of.includes(crate.id)) of.push(crate.id)
    }
  }
  return found.values()
}

/** All that a crate's folder has: C code in it has licences of its own. */
function licences({ folder, licenseFile }, within = '') {
  const entries = readdirSync(join(folder, within), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  return entries.flatMap((entry) => {
    const path = join(within, entry.name)
    if (entry.isDirectory()) return NOT_SHIPPED.has(entry.name) ? [] : licences({ folder, licenseFile }, path)
    if (!LICENCE.test(entry.name) && path !== licenseFile) return []
    return [readFileSync(join(folder, path), 'utf8').replace(/\r\n?/g, '\n').replace(/^\n+|\s+$/g, '')]
  })
}

function withoutText({ name, license, authors, repository }) {
  const by = authors.length > 0 ? ` by ${authors.join(', ')}` : ''
  return `${name} comes without a licence file. It is${by}, under ${license}${repository ? `, from ${repository}` : ''}.`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [triple] = process.argv.slice(2)
  if (!triple) {
    console.error('Whose? node scripts/notices.mjs TRIPLE, such as x86_64-unknown-linux-gnu')
    process.exit(2)
  }
  process.stdout.write(notices(triple))
}
