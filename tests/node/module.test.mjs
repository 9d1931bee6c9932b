// The package as others load it: require, import, and the same names as in index.d.ts.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import * as imported from '@thingskey/ttn-auth'

const root = fileURLToPath(new URL('../..', import.meta.url))
const required = createRequire(import.meta.url)('@thingskey/ttn-auth')
const types = readFileSync(join(root, 'index.d.ts'), 'utf8')
const NAMES = ['AuthCall', 'AuthError', 'Authenticator', 'CallAuth', 'Client', 'Credentials', 'Sandbox', 'SandboxStack', 'TokenSource', 'authFetch', 'bulk', 'version']

test('require and import give the same', () => {
  assert.deepEqual(Object.keys(required).sort(), NAMES)
  for (const name of NAMES) assert.equal(imported[name], required[name], name)
  assert.equal(required.version, JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version)
})

test('what index.d.ts declares exists, and what exists is declared', () => {
  const declared = [...types.matchAll(/^export declare (?:class|const|function) (\w+)/gm)].map(([, name]) => name)
  assert.deepEqual(declared.sort(), NAMES)
  for (const [, name, body] of types.matchAll(/^export declare class (\w+)[^{]*\{\n([\s\S]*?)^\}/gm)) {
    const Class = required[name]
    const members = [...body.matchAll(/^ {2}(static |get )?(\w+)\(/gm)].filter(([, , member]) => member !== 'constructor')
    for (const [, modifier, member] of members) {
      if (modifier === 'static ') assert.equal(typeof Class[member], 'function', `${name}.${member}`)
      else if (modifier) assert.ok(Object.getOwnPropertyDescriptor(Class.prototype, member).get, `${name}.${member}`)
      else assert.equal(typeof Class.prototype[member], 'function', `${name}.${member}`)
    }
    // What JavaScript adds to a class of the addon is declared beside it.
    const added = [...types.matchAll(new RegExp(`^export interface ${name} \\{\\n([\\s\\S]*?)^\\}`, 'gm'))].map(([, body]) => body).join('')
    const getters = [...added.matchAll(/^ {2}readonly (\w+):/gm)].map(([, member]) => member)
    for (const member of getters) assert.ok(Object.getOwnPropertyDescriptor(Class.prototype, member).get, `${name}.${member}`)
    const methods = [...added.matchAll(/^ {2}(\w+)[<(]/gm)].map(([, member]) => member)
    for (const member of methods) assert.equal(typeof Class.prototype[member], 'function', `${name}.${member}`)
    const shown = new Set(members.map(([, , member]) => member).concat(methods, getters)).add('constructor').add('toJSON').add('name')
    for (const member of Object.getOwnPropertyNames(Class.prototype)) assert.ok(shown.has(member), `${name}.${member} is not declared`)
  }
})

test('the codes in index.d.ts are those of the core', () => {
  const core = [...readFileSync(join(root, 'src', 'error_kind.rs'), 'utf8').matchAll(/^ {4}\w+ "(AUTH_\w+)"/gm)].map(([, code]) => code)
  const union = /export type AuthErrorCode =\n([\s\S]*?)\n\n/.exec(types)[1]
  assert.deepEqual([...union.matchAll(/'(\w+)'/g)].map(([, code]) => code), core)
  assert.ok(core.length > 20)
})
