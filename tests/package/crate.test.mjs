// The crate as it is published: what is in it, that it builds from that alone, and what its documentation says of it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { appendFileSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'

import { root } from '../../scripts/prepare.mjs'

const read = (...path) => readFileSync(join(root, ...path), 'utf8')

function run(command, args, options = {}) {
  // From the repository, as everything: its .cargo/config.toml counts, and what was built before is of use.
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, ...options })
  assert.ifError(error)
  assert.equal(status, 0, stderr)
  return { stdout, stderr }
}

const { packages, target_directory: target } = JSON.parse(run('cargo', ['metadata', '--format-version', '1', '--locked']).stdout)
const crate = packages.find(({ name }) => name === 'ttn-auth')
const folder = join(target, 'package')
const unpacked = join(folder, `ttn-auth-${crate.version}`)
const file = `${unpacked}.crate`

before(() => {
  const { stderr } = run('cargo', ['package', '--package', 'ttn-auth', '--no-verify', '--allow-dirty'])
  // The tests need the sandbox, which is not published.
  const warnings = stderr.split('\n').filter((line) => line.startsWith('warning') && !line.startsWith('warning: ignoring test `'))
  assert.deepEqual(warnings, [])
  rmSync(unpacked, { recursive: true, force: true })
  // As files of now: cargo would take those with the archive's times for the ones that it has built before.
  run('tar', ['-xzmf', file, '-C', folder])
  // Not a member of the workspace that it lies in.
  appendFileSync(join(unpacked, 'Cargo.toml'), '\n[workspace]\n')
})

test('it has what it is built from, and what is read of it', () => {
  const files = run('tar', ['-tzf', file]).stdout.trim().split('\n').map((path) => path.slice(path.indexOf('/') + 1))
  assert.deepEqual(
    files.filter((path) => !/^src\/[\w/]+\.rs$/.test(path)).sort(),
    [
      ...['.cargo_vcs_info.json', 'CHANGELOG.md', 'Cargo.lock', 'Cargo.toml', 'Cargo.toml.orig', 'LICENSE', 'build.rs'],
      ...['guard_axum.rs', 'guard_tonic.rs', 'read_device.rs', 'reqwest_client.rs', 'tonic_channel.rs'].map((name) => `examples/rust/${name}`),
      ...['discovery.proto', 'handler.proto', 'lorawan.proto', 'rpc.proto'].map((name) => `proto/${name}`),
      ...['application', 'auth_info', 'end_device', 'error', 'events', 'identifiers', 'rights'].map((name) => `proto/stack/${name}.proto`),
      'src/README.md',
    ].sort()
  )
  assert.deepEqual(files.filter((path) => path.endsWith('_tests.rs')), [])
  assert.ok(statSync(file).size < 250_000, `${statSync(file).size} bytes`)
})

for (const features of ['default', 'all']) {
  test(`it builds from that, with ${features} features, and warns of nothing`, () => {
    const manifest = join(unpacked, 'Cargo.toml')
    const { stderr } = run('cargo', ['check', '--locked', '--manifest-path', manifest, '--target-dir', target, ...(features === 'all' ? ['--all-features'] : [])])
    assert.match(stderr, /Finished/)
    assert.doesNotMatch(stderr, /^warning/m)
  })
}

for (const [name, text] of [['src/lib.rs', read('src', 'lib.rs').replace(/^\/\/! ?/gm, '')], ['src/README.md', read('src', 'README.md')]]) {
  test(`${name} tells of each feature, and which Rust is needed`, () => {
    const { default: defaults, ...features } = crate.features
    const told = [...text.matchAll(/^\| `([\w-]+)` \| (yes)? ?\| (?:`(\w+)`)? ?\| \S/gm)].map(([, feature, yes, needs]) => [feature, Boolean(yes), needs])
    const needs = (feature) => features[feature].find((other) => Object.hasOwn(features, other))
    assert.deepEqual(told.sort(), Object.keys(features).sort().map((feature) => [feature, defaults.includes(feature), needs(feature)]))
    assert.ok(text.includes(`Rust ${crate.rust_version} is the oldest`))
  })
}

test('its README shows what the examples are', () => {
  const examples = ['read_device', 'guard_axum'].map((name) => read('examples', 'rust', `${name}.rs`))
  const shown = [...read('src', 'README.md').matchAll(/^```rust\n([\s\S]*?)^```$/gm)].map(([, code]) => code)
  assert.equal(shown.length, examples.length)
  for (const [n, code] of shown.entries()) assert.ok(examples[n].includes(code), code)
})

test('no dependency asks for a newer Rust', () => {
  const number = (version) => version.split('.').slice(0, 2).reduce((all, part) => all * 1000 + Number(part), 0)
  const newer = packages.filter(({ rust_version: asked }) => asked && number(asked) > number(crate.rust_version))
  assert.deepEqual(newer.map(({ name, version, rust_version: asked }) => `${name} ${version} asks for ${asked}`), [])
})
