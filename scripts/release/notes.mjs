// `npm run release:notes`: what CHANGELOG.md says of the version in package.json, or of the one that is named.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { root } from '../prepare.mjs'

/**
 * A version's part of a changelog in the form of Keep a Changelog.
 * @param {string} changelog
 * @param {string} version  without a `v`
 * @returns {{ date: string, notes: string }}  the date as it stands there, or `unreleased`
 */
export function section(changelog, version) {
  const parts = changelog.split(/^## /m).slice(1)
  const of = (part) => /^\[(\S+)\] - (\S+)\n/.exec(part)
  const part = parts.find((text) => of(text)?.[1] === version)
  if (!part) {
    const there = parts.map((text) => of(text)?.[1]).filter(Boolean)
    throw new Error(`CHANGELOG.md has no section "## [${version}] - DATE"; it has ${there.join(', ') || 'none of that form'}`)
  }
  const [heading, , date] = of(part)
  const notes = part.slice(heading.length).trim()
  if (notes === '') throw new Error(`CHANGELOG.md says nothing of ${version}`)
  return { date, notes }
}

/** The file in the repository; the version in package.json if none is given. */
export function releaseNotes(version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version) {
  return section(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), version)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(releaseNotes(process.argv[2]?.replace(/^v/, '')).notes)
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
