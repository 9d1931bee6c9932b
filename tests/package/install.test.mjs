// The packed packages install into an empty folder without a network and without a compiler, and work there: on every Node.js
// that is supported, in Bun and in Deno.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { cachedPackage } from '../../scripts/cached-package.mjs'
import { installNode } from '../../scripts/newer-node.mjs'
import { NAME, PLATFORM, copyInstalled, install, packed } from './packed.mjs'

/** What imports see: names, the default, and one identity of each class, whichever way it comes. */
const IMPORTS = `
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import whole, { AuthCall, AuthError, Authenticator, CallAuth, Client, Credentials, Sandbox, SandboxStack, TokenSource, authFetch, bulk, version } from '${NAME}'

const required = createRequire(import.meta.url)('${NAME}')
const named = { AuthCall, AuthError, Authenticator, CallAuth, Client, Credentials, Sandbox, SandboxStack, TokenSource, authFetch, bulk, version }
assert.deepEqual(Object.keys(required).sort(), Object.keys(named).sort())
for (const [name, value] of Object.entries(named)) {
  assert.ok(value, name)
  assert.equal(value, required[name], name)
  assert.equal(value, whole[name], name)
}
assert.throws(() => Credentials.parse('junk'), AuthError)
// What they are for is not installed here, and not needed before they are used.
for (const path of ['grpc-js', 'connect', 'undici']) assert.equal(typeof (await import(\`${NAME}/\${path}\`)).interceptor, 'function', path)
console.log('imported', version)
`

const folder = mkdtempSync(join(tmpdir(), 'ttn-installed-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let made
before(async () => (made = await packed()))

/** Runs a script of a project, which finds no other command. */
function run(project, command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: project, encoding: 'utf8', env: { PATH: '', HOME: project } })
  assert.ifError(error)
  assert.deepEqual([status, stderr], [0, ''], stdout)
  return stdout
}

/** Four calls, and everything imported; what the script says that it ran on. */
function works(project, command, args = []) {
  copyFileSync(fileURLToPath(new URL('four-calls.cjs', import.meta.url)), join(project, 'four-calls.cjs'))
  writeFileSync(join(project, 'imports.mjs'), IMPORTS)
  const { calls, ok, ...where } = JSON.parse(run(project, command, [...args, 'four-calls.cjs']))
  assert.deepEqual([calls.length, ok], [4, true])
  assert.equal(run(project, command, [...args, 'imports.mjs']), `imported ${made.package.version}\n`)
  return where
}

for (const major of ['20', '22', '24', '26']) {
  test(`Node ${major}`, () => {
    const node = process.version.startsWith(`v${major}.`) ? process.execPath : installNode(major)
    const project = join(folder, major)
    install(project, [made.package.file, made.addon.file], node)
    assert.deepEqual(readdirSync(join(project, 'node_modules', '@thingskey')).sort(), ['ttn-auth', `ttn-auth-${PLATFORM}`])
    const { node: version } = works(project, node)
    assert.ok(version.startsWith(`v${major}.`), version)
    assert.equal(run(project, node, [join('node_modules', '.bin', 'ttn-auth'), '--version']), `${made.package.version}\n`)
  })
}

const OTHERS = {
  bun: { version: '1.4.5', file: join('bin', 'bun.exe'), args: [] },
  deno: { version: '2.9.6', file: 'deno', args: ['run', '--quiet', '--allow-all'] },
}
for (const [name, { version, file, args }] of Object.entries(OTHERS)) {
  test(`${name} ${version}`, () => {
    const project = mkdtempSync(join(folder, name))
    copyInstalled(made.project, project)
    assert.equal(works(project, join(cachedPackage(name, version, { file }), file), args)[name], version)
  })
}

test('without the package of the platform: an error that says so', () => {
  const project = join(folder, 'alone')
  install(project, [made.package.file])
  const code = `try { require('${NAME}') } catch ({ message }) { console.log(message) }`
  assert.ok(run(project, process.execPath, ['-e', code]).includes(`${NAME}-${PLATFORM} is not installed`))
})

test('with a package of the platform that has another version: an error that names both', () => {
  const project = mkdtempSync(join(folder, 'versions-'))
  copyInstalled(made.project, project)
  for (const name of ['package.json', join('node', 'index.js')]) {
    const file = join(project, 'node_modules', NAME, name)
    writeFileSync(file, readFileSync(file, 'utf8').replace(made.package.version, '9.8.7'))
  }
  const code = `try { require('${NAME}') } catch ({ message }) { console.log(message) }`
  const message = run(project, process.execPath, ['-e', code])
  assert.ok(message.startsWith(`${NAME} is 9.8.7, but ${NAME}-${PLATFORM} ${made.package.version}`), message)
})

test('where npm puts the addon it is found without looking for it', () => {
  const found = `require('${NAME}'); console.log(Object.keys(require.cache).filter((name) => name.endsWith('load.js')).length)`
  // On musl both could be there, one of them for glibc.
  assert.equal(run(made.project, process.execPath, ['-e', found]), PLATFORM.includes('musl') ? '1\n' : '0\n')
})
