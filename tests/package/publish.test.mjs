// What the release workflow publishes, published to a real npm registry on loopback, and installed from it.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, test } from 'node:test'

import { targets } from '../../scripts/pack.mjs'
import { root } from '../../scripts/prepare.mjs'
import { readPackages } from '../../scripts/release/packages.mjs'
import { NAME, PLATFORM, packed } from './packed.mjs'
import { startRegistry } from './registry.mjs'

const { version: VERSION } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const PLATFORMS = targets.map(({ platform }) => `${NAME}-${platform}`)

const scratch = mkdtempSync(join(tmpdir(), 'ttn-publish-'))
const packages = join(scratch, 'packages')
let registry

before(async () => {
  mkdirSync(packages)
  const made = await packed()
  for (const { file } of [made.package, made.addon]) cpSync(file, join(packages, basename(file)))
  // Those of other platforms are not built here: they have everything but the addon.
  for (const { platform, system, arch, abi } of targets.filter(({ platform }) => platform !== PLATFORM)) {
    const libc = system === 'linux' ? { libc: [abi.startsWith('musl') ? 'musl' : 'glibc'] } : {}
    packOther(platform, { name: `${NAME}-${platform}`, version: VERSION, os: [system], cpu: [arch], ...libc })
  }
  registry = await startRegistry()
})

after(() => {
  registry?.stop()
  rmSync(scratch, { recursive: true, force: true })
})

const fileOf = (platform) => join(packages, `${NAME.slice(1).replace('/', '-')}-${platform}-${VERSION}.tgz`)

function packOther(platform, manifest) {
  mkdirSync(join(scratch, platform, 'package'), { recursive: true })
  writeFileSync(join(scratch, platform, 'package', 'package.json'), JSON.stringify(manifest))
  execFileSync('tar', ['-czf', fileOf(platform), '-C', join(scratch, platform), 'package'])
}

/** Runs a command with this registry; how it ended and what it said. */
function run(command, args, options = {}) {
  const env = { ...process.env, ...registry.env, ...options.env }
  return new Promise((resolve) => {
    execFile(command, args, { ...options, env }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }))
  })
}

const publish = (...args) => run(process.execPath, [join(root, 'scripts', 'release', 'npm.mjs'), ...args, packages])

test('a publication that fails half way ends; a dry run says what is left; the next run finishes it, with the package itself last', async () => {
  const order = readPackages(packages).map(({ name }) => name)
  assert.deepEqual([order.at(-1), order.toSorted()], [NAME, [NAME, ...PLATFORMS].sort()])
  const bad = order.at(-2)
  registry.failing.add(bad)
  const failed = await publish()
  assert.equal(failed.code, 1)
  assert.match(failed.stderr, /^npm publish .*500/s)
  assert.doesNotMatch(failed.stderr, /^\s+at /m)
  assert.deepEqual(registry.puts, order.slice(0, -1))

  registry.failing.clear()
  const done = order.slice(0, -2).map((name) => `${name}@${VERSION} is there already`)
  const says = (words) => `${[...done, `${bad}@${VERSION} ${words}`, `${NAME}@${VERSION} ${words}`].join('\n')}\n`
  assert.deepEqual(await publish('--dry-run'), { code: 0, stdout: says('can be published as latest'), stderr: '' })
  assert.deepEqual(registry.puts, order.slice(0, -1))

  assert.deepEqual(await publish(), { code: 0, stdout: says('is published as latest'), stderr: '' })
  assert.deepEqual(registry.puts.slice(order.length - 1), [bad, NAME])
})

test('both say where they come from, without which npm takes no provenance', async () => {
  for (const name of [NAME, `${NAME}-${PLATFORM}`]) {
    const { versions } = await (await fetch(`${registry.env.npm_config_registry}${name.replace('/', '%2f')}`)).json()
    assert.equal(versions[VERSION].repository.url, 'git+https://github.com/thingskey/ttn-auth.git')
  }
})

test('an empty folder gets the package and the addon of its platform, which works', async () => {
  const folder = join(scratch, 'installed')
  mkdirSync(folder)
  const { code, stderr } = await run('npm', ['install', '--no-audit', '--no-fund', NAME], { cwd: folder })
  assert.equal(code, 0, stderr)
  const scope = NAME.split('/')[0]
  assert.deepEqual(readdirSync(join(folder, 'node_modules', scope)).sort(), ['ttn-auth', `ttn-auth-${PLATFORM}`])
  const script = `const { Credentials } = require('${NAME}'); console.log(Credentials.accessKey('issuer.secret').kind)`
  assert.deepEqual(await run(process.execPath, ['-e', script], { cwd: folder }), { code: 0, stdout: 'access-key\n', stderr: '' })
})

test('what is published with other contents is not taken for a success', async () => {
  const other = targets.find(({ platform }) => platform !== PLATFORM).platform
  packOther(other, { ...JSON.parse(readFileSync(join(scratch, other, 'package', 'package.json'), 'utf8')), description: 'rebuilt' })
  const { code, stderr } = await publish()
  assert.equal(code, 1)
  assert.match(stderr, new RegExp(`^${NAME}-${other}@${VERSION} is there already with other contents\\. Run again only what failed`))
})

test('provenance is refused where nothing could sign it', async () => {
  const { code, stderr } = await publish('--provenance')
  assert.equal(code, 1)
  assert.match(stderr, /^(npm \S+ cannot publish without a token; 11\.5\.1 or newer can|--provenance needs a GitHub workflow with `id-token: write`)$/m)
})

test('a platform that is missing, and one too many, are named before anything is published', async () => {
  const before = registry.puts.length
  packOther('freebsd-x64', { name: `${NAME}-freebsd-x64`, version: VERSION })
  assert.match((await publish()).stderr, /has @thingskey\/ttn-auth-freebsd-x64@\S+, which .+ does not ask for/)
  rmSync(fileOf('freebsd-x64'))
  rmSync(fileOf(targets.find(({ platform }) => platform !== PLATFORM).platform))
  assert.match((await publish()).stderr, /lacks @thingskey\/ttn-auth-\S+@/)
  assert.equal(registry.puts.length, before)
})
