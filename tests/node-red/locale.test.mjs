// Every text that the nodes can show is in the locale, and the locale holds no other.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { root } from '../../scripts/prepare.mjs'

const nodes = join(root, 'node', 'nodes')
const read = (...path) => readFileSync(join(nodes, ...path), 'utf8')
const { ttn } = JSON.parse(read('locales', 'en-US', 'ttn.json'))
/** All that runs in Node-RED. The attempt of Test connection is the command line's, too. */
const sources = [...readdirSync(join(nodes, 'lib')).map((name) => read('lib', name)), read('ttn.js'), read('..', 'check.js')].join('\n')
const resources = join(root, 'resources')
/** All that runs in the editor. */
const html = read('ttn.html') + readdirSync(resources).map((name) => readFileSync(join(resources, name), 'utf8')).join('\n')
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
  const own = ['not-configured', 'connecting', 'requesting', 'requesting-many', 'ok', 'ok-expires', 'expires', 'ok-key-expires', 'key-expires', 'attached', 'file', 'guard',
    'api-key-refused', 'connected', 'connected-expires', 'reconnecting', 'events-right']
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

const locales = readdirSync(join(nodes, 'locales')).filter((name) => name !== 'en-US')
const placeholders = (text) => text.match(/__\w+__|<[^>]+>/g)?.toSorted()
/** What is no language: a help's elements but those of mere emphasis, and the code in it. */
const skeleton = (help) => [...help.matchAll(/<code>[^]*?<\/code>|<(?!\/?i>)[^>]+>/g)].map(([part]) => part.replace(/\s+/g, ' ')).toSorted()

test('there is another language', () => assert.deepEqual(locales, ['nl']))

for (const locale of locales) {
  test(`${locale}: the same texts, in the same order, with the same values in them`, () => {
    const other = JSON.parse(read('locales', locale, 'ttn.json')).ttn
    assert.deepEqual(Object.keys(other), Object.keys(ttn))
    for (const [group, texts] of Object.entries(ttn)) {
      assert.deepEqual(Object.keys(other[group]), Object.keys(texts), group)
      for (const [name, text] of Object.entries(texts)) assert.deepEqual(placeholders(other[group][name]), placeholders(text), `${group}.${name}`)
    }
  })

  test(`${locale}: the same help, part by part`, () => {
    const parts = (language) =>
      new Map([...read('locales', language, 'ttn.html').matchAll(/data-help-name="([\w-]+)">([^]*?)<\/script>/g)].map(([, name, help]) => [name, help]))
    const [ours, theirs] = [parts('en-US'), parts(locale)]
    assert.deepEqual([...theirs.keys()].toSorted(), [...ours.keys()].toSorted())
    for (const [name, help] of ours) assert.deepEqual(skeleton(theirs.get(name)), skeleton(help), name)
  })
}
