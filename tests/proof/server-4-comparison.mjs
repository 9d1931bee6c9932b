// 4. Secrets are compared in constant time: where, and that nothing goes around it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { root } from '../../scripts/prepare.mjs'
import { prove } from './proof.mjs'

/** Rust sources of the core and the addon, without tests: the sandbox's secrets are published. */
function sources() {
  return ['src', join('node', 'src')].flatMap((folder) =>
    readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
      .filter(({ name }) => name.endsWith('.rs') && !name.endsWith('_tests.rs'))
      .map(({ parentPath, name }) => ({ name, text: readFileSync(join(parentPath, name), 'utf8').split('#[cfg(test)]')[0] })),
  )
}

await prove(async (t) => {
  const all = sources()
  const [secret] = all.filter(({ name }) => name === 'secret.rs')
  const [, derived] = /#\[derive\(([^)]*)\)\]\s*pub struct Secret\b/.exec(secret.text) ?? []
  t.check(derived !== undefined && !derived.includes('PartialEq'), 'Secret derives PartialEq')
  t.check(/impl PartialEq for Secret [^}]*\.ct_eq\(/.test(secret.text), 'Secret is not compared by subtle::ConstantTimeEq')
  const exposed = all.flatMap(({ name, text }) =>
    text.split('\n').filter((line) => /expose\(\)\s*(==|!=)|(==|!=)[^;|&]*expose\(\)/.test(line)).map((line) => `${name}: ${line.trim()}`),
  )
  t.check(exposed.length === 0, `secrets are compared as texts: ${exposed.join('; ')}`)
  for (const name of ['exchange.rs', 'verified.rs']) {
    const { text } = all.find((source) => source.name === name) ?? { text: '' }
    t.check(/^type Id = \[u8; 32\];$/m.test(text) && text.includes('SHA256'), `${name} does not find secrets by their digest`)
  }
  return [
    `Secret (src/secret.rs), and every credential and token made of it, by subtle::ConstantTimeEq; keys and tokens that are`,
    `remembered are found by their SHA-256 (src/exchange.rs, src/verified.rs); ${all.length} source files searched for others:`,
    `${exposed.length} found`,
  ].join(' ')
})
