// The SBOM: as CycloneDX's own schema wants it, and of all that is in each platform's package.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'

import { cachedPackage } from '../../scripts/cached-package.mjs'
import { linkedCrates } from '../../scripts/crates.mjs'
import { targets } from '../../scripts/pack.mjs'
import { sbom } from '../../scripts/sbom.mjs'

const document = sbom()
const { version } = document.metadata.component
const dependsOn = new Map(document.dependencies.map(({ ref, dependsOn: refs }) => [ref, refs]))

/** All below one component. */
function below(ref, found = new Set()) {
  for (const next of dependsOn.get(ref)) if (!found.has(next)) below(next, found.add(next))
  return found
}

test('it is valid', async () => {
  const validators = ['ajv@8.20.0', 'ajv-formats@3.0.1', 'ajv-formats-draft2019@1.6.1']
  const library = cachedPackage('@cyclonedx/cyclonedx-library', '10.3.0', { args: validators })
  const { Spec, Validation } = createRequire(import.meta.url)(library)
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6)
  assert.equal(await validator.validate(JSON.stringify(document)), null)
  const wrong = { ...document, components: document.components.map(({ name, ...nameless }) => nameless) }
  assert.notEqual(await validator.validate(JSON.stringify(wrong)), null)
})

test('every component is named once, and reached from the package', () => {
  const refs = document.components.map((component) => component['bom-ref'])
  assert.equal(new Set(refs).size, refs.length)
  assert.deepEqual([...below(`pkg:npm/%40thingskey/ttn-auth@${version}`)].sort(), refs.sort())
})

test("a platform's package has the crates of its addon", () => {
  for (const { platform, triple } of targets.filter(({ arch }) => arch === 'arm64')) {
    const found = below(`pkg:npm/%40thingskey/ttn-auth-${platform}@${version}`)
    const crates = linkedCrates(triple).map((crate) => `pkg:cargo/${crate.name}@${crate.version}`)
    assert.ok(crates.length > 100, platform)
    assert.deepEqual(crates.filter((purl) => !found.has(purl)), [], platform)
  }
  for (const { platform } of targets) assert.ok([...below(`pkg:npm/%40thingskey/ttn-auth-${platform}@${version}`)].some((purl) => purl.startsWith('pkg:cargo/ring@')))
})

test('crates have a licence and the checksum of what was built', () => {
  for (const { purl, licenses, hashes } of document.components.filter(({ purl }) => purl.startsWith('pkg:cargo/'))) {
    assert.match(licenses[0].expression, /^[\w.() -]+$/, purl)
    assert.match(hashes[0].content, /^[0-9a-f]{64}$/, purl)
  }
})
