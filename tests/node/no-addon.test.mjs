// Where there is no addon that fits, the error says what was seen and what to do. Each case is the installed package, without
// an addon or with a wrong one, in a Node.js that is told what it runs on.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { targets } from '../../scripts/pack.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const { PLATFORMS } = createRequire(import.meta.url)('../../node/no-addon.js')

const project = mkdtempSync(join(tmpdir(), 'ttn-auth-'))
const packages = join(project, 'node_modules', '@thingskey')
const installed = join(packages, 'ttn-auth')
beforeEach(() => {
  rmSync(packages, { recursive: true, force: true })
  cpSync(join(root, 'package.json'), join(installed, 'package.json'))
  cpSync(join(root, 'node'), join(installed, 'node'), { recursive: true, filter: (path) => /node$|\.js$/.test(path) && !path.endsWith('.node') })
})
after(() => rmSync(project, { recursive: true, force: true }))

/** The error that loading the package ends with on that machine. */
function refused({ platform = 'linux', arch = 'x64', glibc = '2.41', machine = 'armv7l', loader = glibc === null, prepare = '', args = [] } = {}) {
  const code = `
    Object.defineProperties(process, { platform: { value: '${platform}' }, arch: { value: '${arch}' } })
    const fs = require('node:fs'), { existsSync } = fs
    fs.existsSync = (path) => path.startsWith('/lib/ld-musl-') ? ${loader} : existsSync(path)
    require('node:os').machine = () => '${machine}'
    process.report.getReport = () => ({ header: { glibcVersionRuntime: ${JSON.stringify(glibc)} ?? undefined } })
    ${prepare}
    try {
      require('@thingskey/ttn-auth')
    } catch (error) {
      console.log(error.message)
    }
  `
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, [...args, '-e', code], { encoding: 'utf8', cwd: project })
  assert.deepEqual([status, signal, stderr], [0, null, ''])
  assert.match(stdout, /^\S.*\n$/, 'an error of one line')
  return stdout.trim()
}

/** Installs a package of a platform: with an addon that is JavaScript, or with this text in the place of one. */
function install(platform, { version: its = version, text } = {}) {
  const folder = join(packages, `ttn-auth-${platform}`)
  mkdirSync(folder, { recursive: true })
  const main = text === undefined ? 'addon.js' : 'addon.node'
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ main }))
  writeFileSync(join(folder, main), text ?? `exports.VERSION = '${its}'`)
}

test('the platforms that are known are those that packages are made for', () => {
  assert.deepEqual(PLATFORMS, targets.map(({ platform }) => platform))
})

test('not installed: which, why that happens, and how to install it', () => {
  const message = refused()
  assert.ok(message.startsWith(`@thingskey/ttn-auth has no addon for linux-x64-gnu (Node ${process.version})`), message)
  assert.match(message, /@thingskey\/ttn-auth-linux-x64-gnu is not installed.*--omit=optional.*package-lock\.json.*issues\/4828/)
  assert.match(message, /npm install --include=optional.*delete node_modules and package-lock\.json/)
  assert.doesNotMatch(message, /Rust|npm run build/)
})

for (const [name, machine] of Object.entries({
  'linux-x64-musl': { glibc: null },
  'linux-arm64-gnu': { arch: 'arm64' },
  // Alpine's compatibility package, and Node for glibc.
  'linux-arm64-gnu with musl beside it': { arch: 'arm64', loader: true },
  'linux-arm64-musl': { arch: 'arm64', glibc: null },
  'linux-arm-gnueabihf': { arch: 'arm' },
  'darwin-x64': { platform: 'darwin' },
  'darwin-arm64': { platform: 'darwin', arch: 'arm64' },
  'win32-x64-msvc': { platform: 'win32' },
})) {
  test(`not installed: ${name}`, () => {
    const [platform] = name.split(' ')
    assert.ok(refused(machine).includes(`@thingskey/ttn-auth-${platform} is not installed`), refused(machine))
  })
}

test('node_modules of another machine, or copied into an image of another libc: whose it is', () => {
  install('linux-x64-gnu')
  const message = refused({ glibc: null })
  assert.match(message, /no addon for linux-x64-musl \(Node v[\d.]+\), but for linux-x64-gnu: node_modules was made on another machine/)
  assert.match(message, /Delete node_modules, and run npm install/)
})

test('no such platform: those that there are, and how to build one', () => {
  const message = refused({ arch: 'riscv64' })
  assert.match(message, /no addon for linux-riscv64-gnu/)
  for (const platform of PLATFORMS) assert.ok(message.includes(platform), message)
  assert.match(message, /npm ci && npm run build .* Rust/)
  assert.match(refused({ platform: 'freebsd' }), /no addon for freebsd-x64/)
})

test('no such platform: another Node.js, or another image, where that is simpler', () => {
  assert.match(refused({ arch: 'arm', glibc: null }), /no addon for linux-arm-musleabihf.*Debian instead of Alpine/)
  for (const arch of ['arm64', 'ia32']) assert.match(refused({ platform: 'win32', arch }), /Install the x64 build of Node\.js/)
})

test('ARMv6: refused before the addon is loaded, which would end the process', () => {
  install('linux-arm-gnueabihf')
  assert.match(refused({ arch: 'arm', machine: 'armv6l' }), /no addon for linux-arm-gnueabihf .* on ARMv6.*Raspberry Pi 1 or Zero.*ARMv7/)
})

test('newer ARM processors load it, also where Node was built for ARMv6', () => {
  install('linux-arm-gnueabihf', { text: 'junk' })
  for (const machine of ['armv7l', 'armv8l', 'aarch64']) {
    assert.match(refused({ arch: 'arm', machine, prepare: "process.config.variables = { arm_version: '6' }" }), /is installed, but cannot be loaded/)
  }
})

test('an addon of another release: both are named', () => {
  install('linux-x64-gnu', { version: '0.0.9' })
  const message = refused()
  assert.ok(message.includes(`@thingskey/ttn-auth is ${version}, but @thingskey/ttn-auth-linux-x64-gnu 0.0.9`), message)
  assert.ok(message.includes(`npm install @thingskey/ttn-auth@${version}`), message)
})

test('a file that is no addon', () => {
  install('linux-x64-gnu', { text: 'junk' })
  const message = refused()
  assert.match(message, /ttn-auth-linux-x64-gnu is installed, but cannot be loaded \(Node v[\d.]+\): .*(too short|invalid)/)
  assert.match(message, /npm install @thingskey\/ttn-auth-linux-x64-gnu/)
})

// As dlopen of an older glibc says it, and as a Node.js that may load no addons does.
test('glibc is too old: which is there, and which is needed', () => {
  install('linux-x64-gnu', { text: 'junk' })
  const prepare = `process.dlopen = () => {
    throw new Error("/lib/x86_64-linux-gnu/libc.so.6: version \`GLIBC_2.28' not found (required by addon.node)")
  }`
  assert.match(refused({ glibc: '2.24', prepare }), /needs glibc 2\.28, and this system has 2\.24\. Use a newer one.*Debian 10/)
})

test('addons are not allowed', () => {
  install('linux-x64-gnu', { text: 'junk' })
  assert.match(refused({ args: ['--no-addons'] }), /cannot be loaded.*--no-addons.*--allow-addons/)
})

test('in a clone of the repository it is built', () => {
  writeFileSync(join(installed, 'node', 'Cargo.toml'), '')
  assert.match(refused(), /no addon for linux-x64-gnu .* in this clone\. Build it: npm run build/)
})

test('one that was built here and cannot be loaded is named, with the reason', () => {
  writeFileSync(join(installed, 'node', 'ttn-auth.linux-x64-gnu.node'), 'junk')
  assert.match(refused(), /ttn-auth\.linux-x64-gnu\.node is there, but cannot be loaded: .*npm run build/)
})
