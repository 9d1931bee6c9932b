// Tokens shared by processes: one exchange for all of them, nothing readable in the store, and no call lost with it.
import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, connect as dial } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { Credentials, Sandbox, TokenSource } from '../../node/index.js'

const index = fileURLToPath(new URL('../../node/index.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ttn-auth-'))
after(() => rmSync(folder, { recursive: true }))
const key = randomBytes(32).toString('base64')

async function start(t, options) {
  const sandbox = await Sandbox.start({ rateLimit: false, ...options })
  t.after(() => sandbox.stop())
  const settings = (store, more) => ({
    credentials: Credentials.accessKey(sandbox.accessKey, { appId: sandbox.appId }),
    accountServer: sandbox.accountServer,
    store: { key, ...store },
    ...more,
  })
  return { sandbox, source: (store, more) => TokenSource.keyExchange(settings(store, more)) }
}

/** A process of its own that gets a token through the store, and prints it. */
async function other({ accountServer, accessKey }, store) {
  const code = `
    const { Credentials, TokenSource } = require(${JSON.stringify(index)})
    const { accountServer, accessKey, store } = JSON.parse(process.env.SETTINGS)
    const credentials = Credentials.accessKey(accessKey, { appId: 'test-app' })
    TokenSource.keyExchange({ credentials, accountServer, store }).token().then(console.log)
  `
  const SETTINGS = JSON.stringify({ accountServer, accessKey, store: { key, ...store } })
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', code], { env: { ...process.env, SETTINGS }, timeout: 60_000 })
  return stdout.trim()
}

const listens = (port) =>
  new Promise((resolve) => {
    const ended = (open) => () => resolve(open) ?? socket.destroy()
    const socket = dial(port, '127.0.0.1').once('connect', ended(true)).once('error', ended(false))
  })

/** A redis-server on loopback that keeps nothing on disk. */
async function redis(t) {
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address()
  free.close()
  await once(free, 'close')
  const args = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const child = spawn('redis-server', args.map(String), { cwd: folder, stdio: 'ignore' })
  child.once('error', (error) => assert.fail(`redis-server is needed; on Debian, \`node scripts/redis.mjs\` installs it: ${error.message}`))
  t.after(() => child.kill('SIGKILL'))
  while (!(await listens(port))) await wait(20)
  const kill = async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  return { url: `redis://127.0.0.1:${port}`, port, kill }
}

/** The events of the store in this process, from now on. */
function storeEvents(t) {
  const events = []
  const listener = (event) => events.push(event)
  channel('ttn-auth:store').subscribe(listener)
  t.after(() => channel('ttn-auth:store').unsubscribe(listener))
  return events
}

test('a file: two processes and the next start share one exchange', async (t) => {
  const { sandbox, source } = await start(t)
  const file = join(folder, 'shared')
  const token = await source({ file }).token()
  const [first, second] = await Promise.all([other(sandbox, { file }), other(sandbox, { file })])
  assert.deepEqual([first, second, sandbox.exchanges], [token, token, 1])
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const stored = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1')).join()
  for (const secret of [token, token.split('.')[2], sandbox.accessKey, sandbox.accessKey.split('.')[1], key, 'test-app']) assert.ok(!stored.includes(secret))
})

test('a file: processes that begin at once make one exchange', async (t) => {
  const { sandbox } = await start(t)
  const file = join(folder, 'at-once')
  const tokens = await Promise.all(Array.from({ length: 4 }, () => other(sandbox, { file })))
  assert.deepEqual([new Set(tokens).size, sandbox.exchanges], [1, 1])
})

test('another key, application or account server has other tokens', async (t) => {
  const { sandbox, source } = await start(t)
  const file = join(folder, 'others')
  const token = await source({ file }).token()
  const credentials = Credentials.accessKey(sandbox.addAccessKey('test-app', ['settings']), { appId: 'test-app' })
  assert.notEqual(await source({ file }, { credentials }).token(), token)
  assert.equal(sandbox.exchanges, 2)
  const { sandbox: another, source: there } = await start(t)
  assert.notEqual(await there({ file }).token(), token)
  assert.equal(another.exchanges, 1)
  // The store's own key: what was sealed with another is not there.
  assert.notEqual(await source({ file, key: randomBytes(32).toString('base64') }).token(), token)
  assert.equal(sandbox.exchanges, 3)
  assert.equal(await source({ file }).token(), token)
})

test('a key in a file: its tokens are that key’s, whatever comes to lie in the file later', async (t) => {
  const { sandbox, source } = await start(t)
  const [file, path] = [join(folder, 'keyed'), join(folder, 'key')]
  const from = () => ({ credentials: Credentials.fromFile(path, { appId: 'test-app' }) })
  writeFileSync(path, `${sandbox.accessKey}\n`)
  const token = await source({ file }, from()).token()
  assert.equal(await source({ file }).token(), token)
  writeFileSync(path, sandbox.addAccessKey('test-app', ['settings']))
  assert.notEqual(await source({ file }, from()).token(), token)
  rmSync(path)
  assert.throws(() => source({ file }, from()), ({ code }) => code === 'AUTH_INVALID_ARGUMENT')
})

test('a refused token is replaced in the store too', async (t) => {
  const { sandbox, source } = await start(t)
  const file = join(folder, 'refused')
  const [one, two] = [source({ file }), source({ file })]
  const token = await one.token()
  assert.equal(await two.token(), token)
  one.invalidate(token)
  const next = await one.token()
  assert.notEqual(next, token)
  two.invalidate(token)
  assert.deepEqual([await two.token(), await other(sandbox, { file })], [next, next])
  assert.equal(sandbox.exchanges, 2)
})

test('a store that fails costs no call, and is told', async (t) => {
  const { sandbox, source } = await start(t)
  const events = storeEvents(t)
  const noFolder = join(folder, 'no', 'such', 'folder')
  assert.match(await source({ file: noFolder }).token(), /^eyJ/)
  mkdirSync(join(folder, 'directory'))
  assert.match(await source({ file: join(folder, 'directory') }).token(), /^eyJ/)
  assert.match(await source({ redis: 'redis://127.0.0.1:1' }).token(), /^eyJ/)
  assert.equal(sandbox.exchanges, 3)
  while (events.filter(({ outcome }) => outcome !== 'ok').length < 3) await wait(5)
  assert.ok(events.every(({ operation, outcome, error }) => typeof operation === 'string' && typeof outcome === 'string' && (outcome === 'ok' || error)))
})

test('Redis: processes share one exchange; when it is killed each goes on with what it has', async (t) => {
  const { sandbox, source } = await start(t)
  const server = await redis(t)
  const store = { redis: server.url, prefix: 'mine:' }
  const own = source(store)
  const token = await own.token()
  const tokens = await Promise.all(Array.from({ length: 3 }, () => other(sandbox, store)))
  assert.deepEqual([new Set([token, ...tokens]).size, sandbox.exchanges], [1, 1])
  const cli = (...args) => spawnSync('redis-cli', ['-p', server.port, ...args].map(String), { encoding: 'utf8' }).stdout.trim()
  const keys = cli('--scan').split('\n').filter(Boolean)
  assert.ok(keys.length > 0 && keys.every((name) => name.startsWith('mine:')), keys.join())
  const stored = keys.map((name) => `${name} ${cli('get', name)}`).join()
  for (const secret of [token, token.split('.')[2], sandbox.accessKey, 'test-app']) assert.ok(!stored.includes(secret))

  const events = storeEvents(t)
  await server.kill()
  assert.equal(await own.token(), token)
  assert.match(await source(store).token(), /^eyJ/)
  assert.equal(sandbox.exchanges, 2)
  while (!events.some(({ outcome }) => outcome === 'AUTH_UNAVAILABLE')) await wait(5)
})

test('wrong options', async (t) => {
  const { source } = await start(t)
  const file = join(folder, 'never')
  for (const [store, message] of [
    [{ file, key: undefined }, /openssl rand -base64 32/],
    [{ file, key: 'hunter2' }, /openssl rand -base64 32/],
    [{ file, key: 5 }, /key must be a string/],
    [{ file: '' }, /path/],
    [{ file: '/' }, /path/],
    [{ file: 'a\0b' }, /store\.file/],
    [{}, /either a file or redis/],
    [{ file, redis: 'redis://127.0.0.1:1' }, /either a file or redis/],
    [{ redis: 'http://hunter2@127.0.0.1:1' }, /Redis/],
    [{ redis: 'redis://127.0.0.1:1', prefix: 5 }, /prefix/],
  ]) {
    assert.throws(() => source(store), (error) => {
      assert.equal(error.code, 'AUTH_INVALID_ARGUMENT')
      assert.match(error.message, message)
      assert.ok(!error.message.includes('hunter2'))
      return true
    })
  }
  assert.throws(() => source({}, { store: 'file' }), ({ code }) => code === 'AUTH_INVALID_ARGUMENT')
  assert.throws(() => source({ redis: 'redis://:hunter2@redis.example' }), ({ code }) => code === 'AUTH_INSECURE_TRANSPORT')
})
