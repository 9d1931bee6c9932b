// The steps of a release before and after publishing: what they find, what they refuse.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, describe, test } from 'node:test'

import { root } from '../../scripts/prepare.mjs'
import { problems } from '../../scripts/release/check.mjs'
import { gather } from '../../scripts/release/files.mjs'
import { releaseNotes, section } from '../../scripts/release/notes.mjs'

const scratch = mkdtempSync(join(tmpdir(), 'ttn-release-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

const { name: NAME, version: VERSION } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const TODAY = '2030-06-15'
const CHANGELOG = `# Changelog

## [${VERSION}] - ${TODAY}

### Added

- One thing.

## [0.0.9] - 2029-01-01

- Older.
`
const script = (name, ...args) => spawnSync(process.execPath, [join(root, 'scripts', 'release', name), ...args], { encoding: 'utf8' })

describe('release notes', () => {
  test('are the section of the version, without its heading', () => {
    assert.deepEqual(section(CHANGELOG, VERSION), { date: TODAY, notes: '### Added\n\n- One thing.' })
    assert.deepEqual(section(CHANGELOG, '0.0.9'), { date: '2029-01-01', notes: '- Older.' })
  })

  test('of a version that is not there: says which are', () => {
    assert.throws(() => section(CHANGELOG, '9.9.9'), { message: `CHANGELOG.md has no section "## [9.9.9] - DATE"; it has ${VERSION}, 0.0.9` })
    assert.throws(() => section('# Changelog\n\n## 1.0.0 (today)\n\n- X\n', '1.0.0'), /has none of that form/)
    assert.throws(() => section('## [1.0.0] - 2030-01-01\n\n## [0.9.0] - 2029-01-01\n\n- X\n', '1.0.0'), /says nothing of 1\.0\.0/)
  })

  test('the repository’s own changelog has them', () => {
    assert.match(releaseNotes().notes, /^### Added\n\n- /)
    assert.equal(script('notes.mjs', `v${VERSION}`).stdout.trim(), releaseNotes().notes)
    const unknown = script('notes.mjs', '9.9.9')
    assert.deepEqual([unknown.status, unknown.stdout], [1, ''])
    assert.match(unknown.stderr, /^CHANGELOG\.md has no section[^\n]*\n$/)
  })
})

describe('release:check', () => {
  /** The files of the repository that have its version, committed; `edit` changes one before. */
  function repository(name, edit = {}) {
    const folder = join(scratch, name)
    for (const name of ['fuzz', 'node']) mkdirSync(join(folder, name), { recursive: true })
    for (const file of ['package.json', 'package-lock.json', 'Cargo.toml', 'Cargo.lock', 'fuzz/Cargo.lock', 'node/index.js']) cpSync(join(root, file), join(folder, file))
    writeFileSync(join(folder, 'CHANGELOG.md'), CHANGELOG)
    for (const [file, change] of Object.entries(edit)) {
      const text = readFileSync(join(folder, file), 'utf8')
      assert.notEqual(change(text), text, file)
      writeFileSync(join(folder, file), change(text))
    }
    const git = (...args) => execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: folder })
    git('init', '-q')
    git('add', '.')
    git('commit', '-qm', 'A release')
    return folder
  }

  test('finds nothing where all agree', () => {
    const folder = repository('good')
    assert.deepEqual(problems(folder, { tag: `v${VERSION}`, today: TODAY }), [])
    // By command the day is today's, which is before the changelog's.
    const { status, stderr } = script('check.mjs', folder)
    assert.deepEqual([status, stderr], [1, `CHANGELOG.md dates ${VERSION} ${TODAY}, which is not yet\n`])
  })

  const OTHER = '7.7.7'
  const inLock = (crate) => (text) => text.replace(`name = "${crate}"\nversion = "${VERSION}"`, `name = "${crate}"\nversion = "${OTHER}"`)
  const CASES = {
    'package-lock.json': ['package-lock.json', (text) => text.replace(VERSION, OTHER), ''],
    'package-lock.json, packages': ['package-lock.json', (text) => text.replace(new RegExp(`("": \\{[^}]*?"version": )"${VERSION}"`), `$1"${OTHER}"`), ''],
    'node/index.js': ['node/index.js', (text) => text.replace(`VERSION = '${VERSION}'`, `VERSION = '${OTHER}'`), ''],
    'Cargo.toml': ['Cargo.toml', (text) => text.replace(`version = "${VERSION}"`, `version = "${OTHER}"`), ''],
    'Cargo.lock, ttn-auth': ['Cargo.lock', inLock('ttn-auth')],
    'Cargo.lock, ttn-auth-node': ['Cargo.lock', inLock('ttn-auth-node')],
    'fuzz/Cargo.lock, ttn-auth': ['fuzz/Cargo.lock', inLock('ttn-auth')],
  }
  for (const [place, [file, change]] of Object.entries(CASES)) {
    test(`another version in ${place} is found`, () => {
      const folder = repository(place.replace(/\W/g, '-'), { [file]: change })
      assert.deepEqual(problems(folder, { today: TODAY }), [`${place} says ${OTHER}, package.json ${VERSION}`])
    })
  }

  test('a tag of another version, a changelog without a date or of tomorrow, and what is not committed are found', () => {
    const folder = repository('bad')
    const found = (options) => problems(folder, { today: TODAY, ...options })
    assert.deepEqual(found({ tag: 'v7.7.7' }), [`the tag is v7.7.7, package.json says ${VERSION}`])
    assert.deepEqual(found({ today: '2030-06-14' }), [`CHANGELOG.md dates ${VERSION} ${TODAY}, which is not yet`])
    writeFileSync(join(folder, 'CHANGELOG.md'), CHANGELOG.replace(TODAY, 'unreleased'))
    assert.deepEqual(found(), [`CHANGELOG.md has no date for ${VERSION}: "## [${VERSION}] - ${TODAY}"`, 'not committed:\n M CHANGELOG.md'])
    assert.match(problems(mkCopyWithoutGit(folder), { today: TODAY }).at(-1), /^git status: /)
  })

  function mkCopyWithoutGit(folder) {
    const copy = mkdtempSync(join(scratch, 'plain-'))
    cpSync(folder, copy, { recursive: true, filter: (path) => !path.endsWith('.git') })
    return copy
  }
})

/** A folder as `npm run pack` and `npm run sbom` leave it, with a single platform. */
function packed() {
  const dist = mkdtempSync(join(scratch, 'dist-'))
  mkdirSync(join(dist, 'packages'))
  const optionalDependencies = { [`${NAME}-linux-x64-gnu`]: VERSION }
  for (const manifest of [{ name: NAME, version: VERSION, optionalDependencies }, { name: `${NAME}-linux-x64-gnu`, version: VERSION }]) {
    mkdirSync(join(dist, 'package'), { recursive: true })
    writeFileSync(join(dist, 'package', 'package.json'), JSON.stringify(manifest))
    execFileSync('tar', ['-czf', join(dist, 'packages', `${manifest.name.slice(1).replace('/', '-')}-${VERSION}.tgz`), '-C', dist, 'package'])
  }
  writeFileSync(join(dist, 'ttn-auth.cdx.json'), '{}')
  return dist
}

describe('release:files', () => {
  test('gathers packages, bill of materials and notes; SHA256SUMS is what sha256sum checks', () => {
    const dist = packed()
    const names = gather(dist, 'Notes.')
    const packages = [`thingskey-ttn-auth-${VERSION}.tgz`, `thingskey-ttn-auth-linux-x64-gnu-${VERSION}.tgz`]
    assert.deepEqual(names.toSorted(), ['RELEASE-NOTES.md', 'SHA256SUMS', ...packages, 'ttn-auth.cdx.json'])
    assert.equal(readFileSync(join(dist, 'release', 'RELEASE-NOTES.md'), 'utf8'), 'Notes.\n')
    // macOS has shasum only.
    const [command, ...args] = process.platform === 'darwin' ? ['shasum', '-a', '256'] : ['sha256sum']
    const sums = () => spawnSync(command, [...args, '-c', 'SHA256SUMS'], { cwd: join(dist, 'release'), encoding: 'utf8' })
    assert.equal(sums().stdout.match(/: OK$/gm).length, 3)
    writeFileSync(join(dist, 'release', packages[0]), 'something else')
    assert.equal(sums().status, 1)
  })

  test('leaves nothing of an earlier release, and says what is missing', () => {
    const dist = packed()
    mkdirSync(join(dist, 'release'))
    writeFileSync(join(dist, 'release', 'old.tgz'), '')
    assert.ok(!gather(dist, 'Notes.').includes('old.tgz'))
    rmSync(join(dist, 'ttn-auth.cdx.json'))
    assert.throws(() => gather(dist, 'Notes.'), /no bill of materials: npm run sbom/)
    rmSync(join(dist, 'packages'), { recursive: true })
    assert.throws(() => gather(dist, 'Notes.'), /no packages: npm run pack/)
  })
})

describe('release:github', () => {
  /** Runs it with a `gh` that notes how it is called, and knows the releases that are in `existing`. */
  function github(tag, { existing = [], failing = 'nothing', dist = packed() } = {}) {
    gather(dist, 'Notes.')
    const bin = mkdtempSync(join(scratch, 'bin-'))
    writeFileSync(join(bin, 'gh'), `#!/bin/sh
echo "$*" >> ${bin}/calls
case "$2" in view) case " ${existing.join(' ')} " in *" $3 "*) exit 0;; *) exit 1;; esac;; ${failing}) echo "HTTP 502" >&2; exit 1;; esac
`)
    chmodSync(join(bin, 'gh'), 0o755)
    const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'release', 'github.mjs'), tag, join(dist, 'release')], { env, encoding: 'utf8' })
    const calls = readdirSync(bin).includes('calls') ? readFileSync(join(bin, 'calls'), 'utf8').trim().split('\n') : []
    return { status, stdout, stderr, calls: calls.map((call) => call.replace(/ \/\S+\//g, ' ')) }
  }

  test('a draft, everything uploaded, then published', () => {
    const { status, stdout, calls } = github('v1.2.3')
    assert.deepEqual([status, stdout], [0, 'v1.2.3 is released with 4 files\n'])
    assert.deepEqual(calls, [
      'release view v1.2.3',
      'release create v1.2.3 --verify-tag --draft --title v1.2.3 --notes-file RELEASE-NOTES.md',
      `release upload v1.2.3 --clobber SHA256SUMS thingskey-ttn-auth-${VERSION}.tgz thingskey-ttn-auth-linux-x64-gnu-${VERSION}.tgz ttn-auth.cdx.json`,
      'release edit v1.2.3 --draft=false',
    ])
    assert.match(github('v1.2.3-rc.1').calls[1], / --prerelease$/)
  })

  test('a second run makes no second release; a failed upload publishes nothing', () => {
    const verbs = ({ calls }) => calls.map((call) => call.split(' ')[1])
    assert.deepEqual(verbs(github('v1.2.3', { existing: ['v1.2.3'] })), ['view', 'upload', 'edit'])
    const failed = github('v1.2.3', { failing: 'upload' })
    assert.deepEqual([failed.status, failed.stderr], [1, 'gh release upload: HTTP 502\n'])
    assert.deepEqual(verbs(failed), ['view', 'create', 'upload'])
  })

  test('without a tag, or without files, it says what is needed', () => {
    assert.match(github('main').stderr, /^usage: /)
    assert.match(script('github.mjs', 'v1.2.3', join(scratch, 'nowhere')).stderr, /npm run release:files/)
  })
})
