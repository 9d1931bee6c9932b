// What is in the packages: what runs, and nothing else.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { join } from 'node:path'
import { before, test } from 'node:test'

import { targets } from '../../scripts/pack.mjs'
import { root } from '../../scripts/prepare.mjs'
import { NAME, PLATFORM, packed } from './packed.mjs'

const FILES = {
  '': 'LICENSE README.md index.d.ts package.json',
  'examples/node-red/': 'mqtt.json the-things-stack.json ttn-auth-headers.json ttn-credentials.json ttn-guard.json ttn-request.json',
  'node/':
    'bridge.js bulk.js check.js claims.js cli.js error.js express.js fastify.js flat.js grpc-server.js guard.js hooks.js index.js load.js ' +
    'no-addon.js platform.js presented.js request.js seen.js stack.js',
  'node/adapters/':
    'auth.d.ts auth.js codes.js connect-error.js connect-transport.js connect.d.mts connect.d.ts connect.js connect.mjs fetch.js ' +
    'grpc-js-call.js grpc-js.d.ts grpc-js.js http.js undici-request.js undici.d.ts undici.js',
  'node/cli/':
    'account.js arguments.js check.js exchange.js findings.js inspect.js limit.js output.js prepare.js sandbox.js secret.js span.js ' +
    'token.js',
  'node/nodes/': 'ttn.html ttn.js',
  'node/nodes/icons/': 'ttn-events.svg ttn-guard.svg ttn-headers.svg ttn.svg',
  'node/nodes/lib/':
    'admin.js allowed.js attach.js caller.js calls.js clients.js connection.js credential.js deployed.js discovery.js exchange.js ' +
    'events.js expiry.js guard.js headers.js health.js network.js path.js pool.js problem.js request.js setting.js stack-calls.js ' +
    'stack-request.js stack.js status.js tally.js term.js tls.js',
  'node/nodes/locales/en-US/': 'ttn.html ttn.json',
  'node/nodes/locales/nl/': 'ttn.html ttn.json',
  'resources/': 'addresses.js claims.js connection.js credentials.js fields.js stack.js variables.js',
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
let made, installed, addon
before(async () => {
  made = await packed()
  installed = join(made.project, 'node_modules', NAME)
  addon = `${installed}-${PLATFORM}`
})

test('the package: nothing that builds it, none of its sources and tests, and no addon', () => {
  const expected = Object.entries(FILES).flatMap(([folder, names]) => names.split(' ').map((name) => folder + name))
  assert.deepEqual(made.package.files, expected.sort())
})

test('all that its files require is in it, of Node.js, or what an adapter is for', () => {
  const scripts = made.package.files.filter((name) => /^node\/.*\.js$/.test(name))
  const peers = Object.keys(manifest.peerDependencies)
  let checked = 0
  for (const name of scripts) {
    const file = join(installed, name)
    for (const [, wanted] of readFileSync(file, 'utf8').matchAll(/require\(\s*['"]([^'"]+)['"]\s*\)/g)) {
      checked += 1
      const adapted = name.startsWith('node/adapters/') && peers.some((peer) => wanted === peer || wanted.startsWith(`${peer}/`))
      if (!wanted.startsWith('.')) assert.ok(isBuiltin(wanted) || adapted, `${name} requires ${wanted}`)
      else assert.ok(createRequire(file).resolve(wanted).startsWith(installed), `${name} requires ${wanted}`)
    }
  }
  assert.ok(checked > 50, `${checked}`)
})

test('its package.json: the packages of all platforms, of exactly this version; no scripts, nothing of the repository', () => {
  const { optionalDependencies, ...published } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  const { devDependencies, scripts, napi, ...own } = manifest
  assert.deepEqual(published, own)
  assert.deepEqual(optionalDependencies, Object.fromEntries(targets.map(({ platform }) => [`${NAME}-${platform}`, manifest.version])))
  assert.ok(!('dependencies' in own))
  assert.ok(Object.keys(own.peerDependencies).every((name) => own.peerDependenciesMeta[name].optional))
})

test('the repository asks for no package that does not exist before a release', () => {
  assert.ok(!('optionalDependencies' in manifest))
})

test('the package of a platform: the addon, what it is, and its licences', () => {
  const file = `ttn-auth.${PLATFORM}.node`
  assert.deepEqual(made.addon.files, ['LICENSE', 'README.md', 'THIRD-PARTY-NOTICES', 'package.json', file])
  const text = (name) => readFileSync(join(addon, name), 'utf8')
  assert.ok(text('README.md').includes(`addon of [${NAME}]`) && text('README.md').includes(`for ${PLATFORM}. Do not install it`))
  assert.equal(text('LICENSE'), readFileSync(join(root, 'LICENSE'), 'utf8'))
  const { triple, system, arch, abi } = targets.find(({ platform }) => platform === PLATFORM)
  assert.ok(text('THIRD-PARTY-NOTICES').includes(triple) && text('THIRD-PARTY-NOTICES').includes('rustls'))
  const { name, version, license, repository, engines, os, cpu, libc, main, scripts, dependencies } = JSON.parse(text('package.json'))
  assert.deepEqual([name, version, main], [`${NAME}-${PLATFORM}`, manifest.version, file])
  assert.deepEqual([license, repository, engines], [manifest.license, manifest.repository, manifest.engines])
  assert.deepEqual([os, cpu], [[system], [arch]])
  assert.deepEqual(libc, system === 'linux' ? [abi === 'musl' ? 'musl' : 'glibc'] : undefined)
  assert.deepEqual([scripts, dependencies], [undefined, undefined])
})
