// `ttn-auth sandbox` as a child process, the way a test in another language starts it.
import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { Client, Credentials } from '../../node/index.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const cli = fileURLToPath(new URL('../../node/cli.js', import.meta.url))
const DEVICE = { app_id: 'test-app', dev_id: 'dev-1' }
const KEYS = ['grpc', 'grpcs', 'http', 'https', 'accountServer', 'discovery', 'ca', 'appId', 'devId', 'accessKey', 'bearerToken', 'stack']

/** Reads from a child until its output satisfies `enough`. */
async function read(child, enough) {
  let text = ''
  for await (const chunk of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += chunk
    if (enough(text)) return text
  }
  throw new Error(`it ended after: ${text}`)
}

async function stop(child, signal) {
  const exited = once(child, 'exit')
  child.kill(signal)
  return exited
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`--json prints one line once it listens; ${signal} ends it cleanly`, async (t) => {
    const child = spawn(process.execPath, [cli, 'sandbox', '--json', '--rate-limit', 'off'], { stdio: ['ignore', 'pipe', 'pipe'] })
    t.after(() => child.kill('SIGKILL'))
    const line = await read(child, (text) => text.endsWith('\n'))
    assert.equal(line.indexOf('\n'), line.length - 1)
    const shown = JSON.parse(line)
    assert.deepEqual(Object.keys(shown), KEYS)
    assert.match(shown.ca, /^-----BEGIN CERTIFICATE-----/)
    for (const secret of [shown.accessKey, shown.bearerToken]) {
      for (const scheme of ['grpc', 'grpcs', 'http', 'https']) {
        const client = new Client({ address: shown[scheme], ca: shown.ca, credentials: Credentials.parse(secret) })
        assert.equal((await client.getDevice(DEVICE)).dev_id, 'dev-1')
        client.close()
      }
    }
    for (const scheme of ['grpc', 'grpcs']) {
      const client = new Client({ address: shown.stack[scheme], ca: shown.ca, credentials: Credentials.parse(shown.stack.apiKey) })
      const { message } = await client.unary('/ttn.lorawan.v3.EntityAccess/AuthInfo', Buffer.alloc(0))
      assert.ok(Buffer.from(message).includes(shown.stack.appId))
      client.close()
    }
    assert.deepEqual(await stop(child, signal), [0, null])
  })
}

test('npx finds it, --http-port is used, and the curl line works', async (t) => {
  const child = spawn('npx', ['ttn-auth', 'sandbox', '--http-port', '0', '--rate-limit', '100'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  // npx starts children of its own.
  t.after(() => process.kill(-child.pid, 'SIGKILL'))
  const text = await read(child, (text) => text.includes('Ctrl-C'))
  const [v2, stack] = [...text.matchAll(/^\s*(curl .*)$/gm)].map(([, curl]) => promisify(execFile)('sh', ['-c', `${curl} -sS`]))
  assert.equal(JSON.parse((await v2).stdout).dev_id, 'dev-1')
  assert.equal(JSON.parse((await stack).stdout).end_devices.length, 3)
  for (const name of ['grpc', 'grpcs', 'http', 'https']) assert.match(text, new RegExp(`^ +${name} +${name}://\\S+:\\d+$`, 'm'))
  assert.match(text, /^ +access key +ttn-account-v2\.full-test-app$/m)
  assert.match(text, /^ +bearer token +ey\S+$/m)
})

test('a port that is taken is an error, not a crash', async (t) => {
  const first = spawn(process.execPath, [cli, 'sandbox', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => first.kill('SIGKILL'))
  const { port } = new URL(JSON.parse(await read(first, (text) => text.endsWith('\n'))).http)
  const second = spawnSync(process.execPath, [cli, 'sandbox', '--http-port', port], { encoding: 'utf8', timeout: 30_000 })
  assert.equal(second.status, 1)
  assert.match(second.stderr, new RegExp(`^ttn-auth: .*${port}`))
  assert.equal(second.stdout, '')
})

const run = (...args) => spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', timeout: 30_000 })

test('help and version', () => {
  for (const [args, names] of [
    [['--help'], ['sandbox', 'inspect', 'check', 'exchange', '--json', 'NO_COLOR']],
    [['sandbox', '--help'], ['--json', '--rate-limit', '--journal', '--grpc-port', '--discovery-port']],
    [['--help', 'inspect'], ['--json', '--kind', '--secret-file', '--secret-env', 'TTN_SECRET']],
  ]) {
    const { status, stdout } = run(...args)
    assert.equal(status, 0)
    for (const name of names) assert.ok(stdout.includes(name), name)
  }
  assert.match(run('--version').stdout, /^\d+\.\d+\.\d+\n$/)
})

test('wrong arguments end with 2 and say what is wrong', () => {
  for (const [args, message] of [
    [[], /no command/],
    [['server'], /unknown argument "server"/],
    [['sandbox', 'sandbox'], /unknown argument "sandbox"/],
    [['sandbox', '--nope'], /unknown option --nope\n/],
    [['sandbox', '--grpc-port'], /--grpc-port/],
    [['sandbox', '--grpc-port', 'x'], /--grpc-port needs a port from 0 .*, not "x"/],
    [['sandbox', '--grpc-port', '70000'], /--grpc-port needs a port from 0 \(any free one\) to 65535, not "70000"/],
    [['sandbox', '--http-port', '65536'], /--http-port needs a port from 0/],
    [['sandbox', '--http-port=-1'], /--http-port needs a port from 0/],
    [['sandbox', '--rate-limit', 'none'], /--rate-limit needs a number or off/],
    [['sandbox', '--algorithm', 'none'], /algorithm must be/],
    [['sandbox', '--journal'], /--journal/],
    [['sandbox', '--journal', '/'], /the journal cannot be opened/],
  ]) {
    const { status, stdout, stderr } = run(...args)
    assert.equal(status, 2, stderr)
    assert.match(stderr, message)
    assert.match(stderr, args[0] === 'sandbox' ? /Try: npx ttn-auth sandbox --help/ : /Try: npx ttn-auth --help/)
    assert.equal(stdout, '')
  }
})

/** The command alone in a folder, with a build of the test's own, or none, as in an installed package. */
function copy(t, prepare) {
  const folder = mkdtempSync(join(tmpdir(), 'ttn-auth-cli-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const name of ['node', 'scripts']) mkdirSync(join(folder, name))
  copyFileSync(cli, join(folder, 'node', 'cli.js'))
  cpSync(join(root, 'node', 'cli'), join(folder, 'node', 'cli'), { recursive: true })
  if (prepare) writeFileSync(join(folder, 'scripts', 'prepare.mjs'), prepare)
  return join(folder, 'node', 'cli.js')
}

test('what is installed names the package; in a clone the bare name works', (t) => {
  const usage = (path) => spawnSync(process.execPath, [path, '--help'], { encoding: 'utf8' }).stdout.split('\n')[0]
  assert.equal(usage(copy(t)), 'Usage: npx @thingskey/ttn-auth <command> [options]')
  assert.equal(usage(cli), 'Usage: npx ttn-auth <command> [options]')
})

const BUILDING = `import { spawnSync } from 'node:child_process'
export const prepare = () => spawnSync(process.execPath, ['-e', 'console.error(process.pid); setInterval(() => {}, 1e6)'], { stdio: ['ignore', 2, 2] })`

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`${signal} during the build ends the build too`, { timeout: 20_000 }, async (t) => {
    const child = spawn(process.execPath, [copy(t, BUILDING), 'sandbox'], { stdio: ['ignore', 'ignore', 'pipe'] })
    const [text] = await once(child.stderr.setEncoding('utf8'), 'data')
    t.after(() => {
      try {
        process.kill(Number(text), 'SIGKILL')
      } catch {
        // It has ended, as it should.
      }
    })
    // Closes when the last process that can write to it has ended, not only the command itself.
    const closed = once(child, 'close', { signal: t.signal })
    child.kill(signal)
    assert.deepEqual(await closed, [null, signal])
  })
}

test('a build that fails ends the command with 1, and says why', (t) => {
  const path = copy(t, `export function prepare() { throw new Error('Rust is needed') }`)
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, 'sandbox', '--json'], { encoding: 'utf8' })
  assert.deepEqual([status, stdout, stderr], [1, '', 'ttn-auth: Rust is needed\n'])
})
