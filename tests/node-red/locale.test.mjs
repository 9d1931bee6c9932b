// Every text that the nodes can show is in the locale, and the locale holds no other.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { root } from '../../scripts/prepare.mjs'

const nodes = join(root, 'node', 'nodes')
const read = (...path) => readFileSync(join(nodes, ...path), 'utf8')
const { ttn } = JSON.parse(read('locales', 'en-US', 'ttn.json'))
const sources = readdirSync(join(nodes, 'lib')).map((name) => read('lib', name)).join('\n') + read('ttn.js')
const html = read('ttn.html')
const all = (text, pattern) => new Set([...text.matchAll(pattern)].map((match) => match[1]))
const kinds = [...all(readFileSync(join(root, 'index.d.ts'), 'utf8'), /'AUTH_([A-Z_]+)'/g)].map((code) => code.toLowerCase().replaceAll('_', '-'))

test('keys in the templates', () => {
  for (const key of all(html, /data-i18n="(?:\[\w+\])?ttn\.([\w.-]+)"/g)) {
    const [group, name] = key.split('.')
    assert.equal(typeof ttn[group]?.[name], 'string', key)
  }
})

test('a text for every note, and no note that nothing shows', () => {
  const shown = [...html.matchAll(/(?:key: |const key = .* \? '([\w-]+)' : )'([\w-]+)'|data-i18n="(?:\[html\])?ttn\.note\.([\w-]+)"/g)]
  assert.deepEqual([...new Set(shown.flatMap((match) => match.slice(1).filter(Boolean)))].sort(), Object.keys(ttn.note).sort())
})

test('a status for every kind of error', () => {
  assert.ok(kinds.length > 20)
  const own = ['not-configured', 'connecting', 'requesting', 'requesting-many', 'ok', 'ok-expires', 'expires', 'attached', 'file', 'guard']
  assert.deepEqual(Object.keys(ttn.status).sort(), [...own, ...kinds].sort())
})

test('a sentence and a status for every problem', () => {
  const keys = all(sources, /(?:invalid\(|Problem\('AUTH_\w+', )'([\w-]+)'/g)
  for (const key of ['grpc-address-missing', 'http-address-missing', 'variable']) keys.add(key)
  assert.deepEqual(Object.keys(ttn.problem).sort(), [...keys, 'dropped'].sort())
  keys.delete('variable')
  assert.deepEqual(Object.keys(ttn['problem-short']).sort(), [...keys].sort())
})

test('a hint for every problem', () => {
  const [, set] = /HINTS = new Set\(\[([^\]]*)\]\)/.exec(read('lib', 'problem.js'))
  assert.deepEqual(Object.keys(ttn.hint).sort(), [...all(set, /'([\w-]+)'/g), 'argument'].sort())
})

test('help for every node', () => {
  const help = read('locales', 'en-US', 'ttn.html')
  for (const type of all(html, /data-template-name="([\w-]+)"/g)) assert.match(help, new RegExp(`data-help-name="${type}"`))
})

test('what the dialog of ttn-credentials says, and no text that it does not', () => {
  for (const key of all(html, /translate\((?:[^()]* \? )?'ttn\.([\w-]+\.[\w-]+)'/g)) {
    const [group, name] = key.split('.')
    assert.equal(typeof ttn[group]?.[name], 'string', key)
  }
  for (const group of ['preset', 'claims', 'time', 'test']) {
    for (const name of Object.keys(ttn[group])) {
      const used = html.includes(`'${name}'`) || html.includes(`ttn.${group}.${name}`) || sources.includes(`'${name}'`)
      assert.ok(used, `${group}.${name}`)
    }
  }
})
