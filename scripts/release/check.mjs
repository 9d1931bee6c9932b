// `npm run release:check [-- --tag v1.2.3]`: may this commit be released? Its version stands in many files, which have to agree.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { root } from '../prepare.mjs'
import { section } from './notes.mjs'

/** The crates that have the repository's version, in each lock file. */
const CRATES = { 'Cargo.lock': ['ttn-auth', 'ttn-auth-bench', 'ttn-auth-node', 'ttn-auth-sandbox'], 'fuzz/Cargo.lock': ['ttn-auth'] }

/**
 * What has to be put right before a release; empty if nothing.
 * @param {string} folder  a repository
 * @param {object} [options]
 * @param {string} [options.tag]  the tag that is released: `v1.2.3`
 * @param {string} [options.today]  the day, `2026-12-31`
 * @returns {string[]}
 */
export function problems(folder, { tag, today = new Date().toISOString().slice(0, 10) } = {}) {
  const read = (file) => readFileSync(join(folder, file), 'utf8')
  const { version } = JSON.parse(read('package.json'))
  const lock = JSON.parse(read('package-lock.json'))
  const places = [
    ['package-lock.json', lock.version],
    ['package-lock.json, packages', lock.packages[''].version],
    ['Cargo.toml', /^\[workspace\.package\]\n(?:.+\n)*?version = "(.+)"$/m.exec(read('Cargo.toml'))?.[1]],
    ['node/index.js', /^const VERSION = '(.+)'$/m.exec(read('node/index.js'))?.[1]],
    ...Object.entries(CRATES).flatMap(([file, crates]) => crates.map((crate) => [`${file}, ${crate}`, locked(read(file), crate)])),
  ]
  const found = places.filter(([, other]) => other !== version).map(([place, other]) => `${place} says ${other}, package.json ${version}`)
  if (tag !== undefined && tag !== `v${version}`) found.push(`the tag is ${tag}, package.json says ${version}`)
  return [...found, ...changelogProblems(read('CHANGELOG.md'), version, today), ...gitProblems(folder)]
}

const locked = (lock, crate) => new RegExp(`^name = "${crate}"\\nversion = "(.+)"$`, 'm').exec(lock)?.[1]

function changelogProblems(changelog, version, today) {
  try {
    const { date } = section(changelog, version)
    if (!/^\d{4}-\d\d-\d\d$/.test(date)) return [`CHANGELOG.md has no date for ${version}: "## [${version}] - ${today}"`]
    return date > today ? [`CHANGELOG.md dates ${version} ${date}, which is not yet`] : []
  } catch (error) {
    return [error.message]
  }
}

function gitProblems(folder) {
  const { status, stdout, stderr, error } = spawnSync('git', ['status', '--porcelain'], { cwd: folder, encoding: 'utf8' })
  if (error || status !== 0) return [`git status: ${error?.message ?? stderr.trim()}`]
  return stdout === '' ? [] : [`not committed:\n${stdout.trimEnd()}`]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({ options: { tag: { type: 'string' } }, allowPositionals: true })
  const folder = resolve(positionals[0] ?? root)
  const found = problems(folder, values)
  for (const problem of found) console.error(problem)
  if (found.length === 0) console.log(`${JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version} can be released`)
  process.exitCode = found.length === 0 ? 0 : 1
}
