// THIRD-PARTY-NOTICES: whose code is in an addon, and under which licences.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'

import { notices } from '../../scripts/notices.mjs'
import { root } from '../../scripts/prepare.mjs'

const host = /^host: (.+)$/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' }))[1]
let text

before(() => {
  text = notices(host)
})

/** Names and versions in the list at its beginning. */
function listed(notice) {
  return [...notice.slice(0, notice.indexOf('\n---')).matchAll(/^(\S+ \d\S*): \S/gm)].map(([, crate]) => crate)
}

/** Those that a text, or a sentence instead of one, is attributed to. */
function attributed(notice) {
  return new Set([...notice.matchAll(/^-{80}\n(.+)\n-{80}$/gm)].flatMap(([, crates]) => crates.split(', ')))
}

test('every crate whose sources the addon names, in panics and debug information, is listed', () => {
  const addon = readdirSync(join(root, 'node')).find((name) => name.endsWith('.node'))
  const binary = readFileSync(join(root, 'node', addon), 'latin1')
  const inside = new Set([...binary.matchAll(/registry.src.[\w.-]+?-[0-9a-f]{16}[/\\]([\w-]+?)-(\d+\.\d+\.\d+[\w.+-]*)/g)].map(([, name, version]) => `${name} ${version}`))
  assert.ok(inside.size > 20, `${addon} names ${inside.size} crates`)
  const crates = new Set(listed(text))
  assert.deepEqual([...inside].filter((crate) => !crates.has(crate)), [])
})

test('what only builds or tests the addon, and what is ours, is not', () => {
  const names = listed(text).map((crate) => crate.split(' ')[0])
  for (const name of ['cc', 'napi-build', 'napi-derive', 'proptest', 'prost-build', 'protox', 'serde_derive', 'syn', 'tempfile', 'ttn-auth']) {
    assert.ok(!names.includes(name), name)
  }
})

test('each crate has its text, each text is there once', () => {
  assert.deepEqual(listed(text).filter((crate) => !attributed(text).has(crate)), [])
  const texts = text.split(/^-{80}\n.+\n-{80}$/m).map((part) => part.replace(/\s+/g, ' '))
  assert.equal(new Set(texts).size, texts.length)
})

test('C code, tables and data have licences of their own', () => {
  const has = (crate, words) => {
    const parts = text.split(/^-{80}\n(?=.+\n-{80}$)/m).filter((part) => part.slice(0, part.indexOf('\n')).split(', ').some((name) => name.startsWith(`${crate} `)))
    assert.ok(parts.some((part) => words.test(part)), `${crate}: ${words}`)
  }
  has('libmimalloc-sys', /Microsoft Corporation, Daan Leijen/)
  has('ring', /fiat-crypto authors/)
  has('ring', /code linked against BoringSSL/)
  has('webpki-roots', /Community Data License Agreement/)
  has('icu_properties_data', /UNICODE LICENSE V3/)
  has('napi', /without a licence file.+MIT/)
})

test('each platform has its own, the same each time', () => {
  const windows = notices('x86_64-pc-windows-msvc')
  assert.match(windows, /^windows-sys \d/m)
  assert.doesNotMatch(text, /^windows-sys \d/m)
  assert.match(notices('aarch64-apple-darwin'), /^security-framework \d/m)
  assert.equal(notices(host), text)
})
