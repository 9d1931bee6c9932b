// deny.toml refuses what it is there to refuse: tried on an app with four bad dependencies.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'

import { cargoDeny } from '../../scripts/deny.mjs'
import { root } from '../../scripts/prepare.mjs'

const folder = mkdtempSync(join(tmpdir(), 'ttn-deny-'))
after(() => rmSync(folder, { recursive: true }))

function crate(path, name, { license = 'MIT', version = '1.0.0', dependencies = '' } = {}) {
  mkdirSync(join(folder, path, 'src'), { recursive: true })
  writeFileSync(join(folder, path, 'src', 'lib.rs'), '')
  writeFileSync(
    join(folder, path, 'Cargo.toml'),
    `[package]\nname = "${name}"\nversion = "${version}"\nedition = "2024"\nlicense = "${license}"\n\n${dependencies}\n`
  )
}

/** What cargo-deny says is wrong with the app: its codes, and of which crate. */
function wrong() {
  const args = ['--manifest-path', join(folder, 'app', 'Cargo.toml'), '--config', join(root, 'deny.toml'), '--format', 'json']
  const { stderr } = spawnSync(cargoDeny(), [...args, 'check', 'bans', 'licenses', 'sources'], { encoding: 'utf8' })
  const told = stderr.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
  assert.ok(told.some(({ type }) => type === 'summary'), stderr)
  return told
    .filter(({ type, fields }) => type === 'diagnostic' && fields.severity === 'error')
    // The app does not need each of the licences that we do.
    .filter(({ fields }) => !fields.code.endsWith('-not-encountered'))
    .map(({ fields }) => `${fields.code}: ${fields.graphs[0].Krate.name}`)
    .sort()
}

test('a licence, a source, a version left open and a crate that comes twice', () => {
  crate('app', 'app')
  assert.deepEqual(wrong(), [])

  crate('copyleft', 'copyleft', { license: 'GPL-3.0-only' })
  crate('twice-1', 'twice')
  crate('twice-2', 'twice', { version: '2.0.0' })
  crate('elsewhere', 'elsewhere')
  const git = (...args) => execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], { cwd: join(folder, 'elsewhere') })
  git('init', '--quiet')
  git('add', '.')
  git('commit', '--quiet', '--message', 'one')
  const dependencies = `[dependencies]
copyleft = { path = "../copyleft", version = "1" }
elsewhere = { git = "${pathToFileURL(join(folder, 'elsewhere'))}" }
twice-1 = { path = "../twice-1", package = "twice", version = "1" }
twice-2 = { path = "../twice-2", package = "twice", version = "2" }`
  crate('app', 'app', { dependencies })
  assert.deepEqual(wrong(), ['duplicate: twice', 'rejected: copyleft', 'source-not-allowed: elsewhere', 'wildcard: app'])
})
