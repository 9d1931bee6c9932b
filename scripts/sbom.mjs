// `npm run sbom`: dist/ttn-auth.cdx.json, a bill of materials (CycloneDX) of what is published: the package, the package of each
// platform, and the Rust crates that are linked into its addon.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { linkedCrates } from './crates.mjs'
import { targets } from './pack.mjs'
import { root } from './prepare.mjs'

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** The document. The same commit gives the same one, so it has no serial number, and the commit's time. */
export function sbom() {
  // `npm sbom` would list them; so far it would list nothing.
  if (Object.keys(manifest.dependencies ?? {}).length > 0) throw new Error('package.json has dependencies, which the SBOM lacks')
  const platforms = targets.map(({ platform, triple }) => ({ name: `${manifest.name}-${platform}`, crates: linkedCrates(triple) }))
  const crates = merge(platforms.flatMap((platform) => platform.crates))
  const own = platforms.map(({ name }) => npmPackage(name))
  const main = npmPackage(manifest.name)
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { timestamp: committed(), lifecycles: [{ phase: 'build' }], component: { ...main, description: manifest.description } },
    components: [...own, ...crates.map(component)],
    dependencies: [
      { ref: main['bom-ref'], dependsOn: own.map((platform) => platform['bom-ref']) },
      ...platforms.map(({ name, crates }) => ({
        ref: npmPurl(name),
        dependsOn: crates.filter(({ direct }) => direct).map(({ id }) => cratePurl(id)),
      })),
      ...crates.map(({ id, dependencies }) => ({ ref: cratePurl(id), dependsOn: dependencies.map(cratePurl) })),
    ],
  }
}

function committed() {
  return execFileSync('git', ['log', '-1', '--format=%cI'], { cwd: root, encoding: 'utf8' }).trim()
}

/** Each crate once, with what it asks for on any platform. */
function merge(crates) {
  const merged = new Map()
  for (const crate of crates) {
    const dependencies = [...(merged.get(crate.id)?.dependencies ?? []), ...crate.dependencies]
    merged.set(crate.id, { ...crate, dependencies: [...new Set(dependencies)].sort() })
  }
  return [...merged.keys()].sort().map((id) => merged.get(id))
}

const npmPurl = (name) => `pkg:npm/${name.replace('@', '%40')}@${manifest.version}`
const cratePurl = (id) => `pkg:cargo/${id.replace(' ', '@').replaceAll('+', '%2B')}`

function npmPackage(name) {
  const [group, rest] = name.split('/')
  const purl = npmPurl(name)
  return { type: 'library', 'bom-ref': purl, group, name: rest, version: manifest.version, licenses: [{ expression: manifest.license }], purl }
}

function component({ id, name, version, license, authors, repository }) {
  const purl = cratePurl(id)
  return {
    type: 'library',
    'bom-ref': purl,
    ...(authors.length > 0 && { authors: authors.map((author) => ({ name: author })) }),
    ...{ name, version },
    hashes: [{ alg: 'SHA-256', content: checksum(name, version) }],
    ...(license && { licenses: [{ expression: license }] }),
    purl,
    ...(repository && { externalReferences: [{ type: 'vcs', url: repository }] }),
  }
}

const lock = readFileSync(join(root, 'Cargo.lock'), 'utf8')

/** Of the file that the registry serves. */
function checksum(name, version) {
  const entry = lock.split('[[package]]\n').find((text) => text.startsWith(`name = "${name}"\nversion = "${version}"\n`))
  const found = /^checksum = "([0-9a-f]{64})"$/m.exec(entry ?? '')
  if (!found) throw new Error(`Cargo.lock has no checksum of ${name} ${version}`)
  return found[1]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = join(root, 'dist', 'ttn-auth.cdx.json')
  mkdirSync(join(root, 'dist'), { recursive: true })
  const document = sbom()
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`)
  console.log(`${file.replace(root, '.')}: ${document.components.length} components`)
}
