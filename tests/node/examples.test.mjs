// The examples run, and print what they should.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { Credentials, Sandbox } from '../../node/index.js'
import { connect, rejects, withSandbox } from './support.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const examples = join(root, 'examples')
const sandbox = withSandbox()
const run = async (file, { args = [], ...env } = {}) => {
  const options = { cwd: root, timeout: 60_000, env: { ...process.env, ...env } }
  return promisify(execFile)(process.execPath, [file, ...args], options).catch((error) => error)
}

/** A guarded server: who gets in, who does not and why, what is open; and that it ends when it is told to. */
async function guarded(file, scheme) {
  const env = { ...process.env, LISTEN: '127.0.0.1:0', TTN_ACCOUNT_SERVER: sandbox().accountServer, TTN_ISSUER: 'ttn-account-v2' }
  const child = spawn(process.execPath, [file], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  try {
    const [line] = await once(child.stdout.setEncoding('utf8'), 'data')
    const address = `${scheme}://${/^listening on (127\.0\.0\.1:[1-9]\d*)\n$/.exec(line)[1]}`
    const device = { app_id: 'test-app', dev_id: 'dev-1' }
    const as = (credentials) => connect(sandbox(), scheme, { address, credentials })
    for (const [secret, subject] of [[sandbox().accessKey, /^read by \S+$/], [sandbox().mintToken({ subject: 'me' }), /^read by me$/]]) {
      const read = await as(Credentials.parse(secret)).getDevice(device)
      assert.deepEqual([read.app_id, read.dev_id], ['test-app', 'dev-1'])
      assert.match(read.description, subject)
      await rejects(as(Credentials.parse(secret)).getDevice({ ...device, app_id: 'other-app' }), secret.startsWith('ey') ? 'AUTH_PERMISSION_DENIED' : 'AUTH_INVALID_KEY', { secret })
    }
    for (const [kind, code] of [['expired', 'AUTH_TOKEN_EXPIRED'], ['badsig', 'AUTH_INVALID_TOKEN'], ['nodevices', 'AUTH_PERMISSION_DENIED']]) {
      await rejects(as(Credentials.parse(sandbox().mintToken({ kind }))).getDevice(device), code)
    }
    await rejects(as(undefined).getDevice(device), 'AUTH_MISSING_CREDENTIALS')
    if (scheme === 'http') assert.equal(await (await fetch(`${address}/healthz`)).text(), 'ok')
    else await rejects(as(Credentials.parse(sandbox().accessKey)).dryUplink({ payload: '' }), 'AUTH_UNIMPLEMENTED')
  } finally {
    child.kill('SIGTERM')
  }
  // By itself, not by the signal.
  assert.deepEqual(await exit, [0, null])
}

/** An example that reads The Things Stack: what it prints, with and without TLS, and where it may not. */
async function v3(file, expected, refused) {
  const { ca, stack } = sandbox()
  for (const env of [{ TTN_ADDRESS: stack.grpcAddress }, { TTN_ADDRESS: stack.grpcsAddress, TTN_CA: ca }]) {
    const { stdout, stderr } = await run(file, { ...env, TTN_SECRET: stack.apiKey })
    assert.equal(stdout, expected, stderr)
  }
  const { code, stderr } = await run(file, { TTN_ADDRESS: stack.grpcAddress, TTN_SECRET: stack.apiKey, args: ['app2'] })
  assert.equal(code, 1)
  assert.match(stderr, refused)
}

const TESTS = {
  'guard-express.js': (file) => guarded(file, 'http'),
  'guard-fastify.js': (file) => guarded(file, 'http'),
  'guard-grpc.js': (file) => guarded(file, 'grpc'),
  'read-device.js': async (file) => {
    const { grpcsAddress, httpAddress, ca, accessKey, bearerToken } = sandbox()
    const over = (await run(file, { TTN_ADDRESS: grpcsAddress, TTN_CA: ca, TTN_SECRET: accessKey })).stdout
    assert.match(over, /dev_eui: '0000000000000001'/)
    assert.equal((await run(file, { TTN_ADDRESS: httpAddress, TTN_SECRET: bearerToken })).stdout, over)
    const { code, stderr } = await run(file, { TTN_ADDRESS: httpAddress, TTN_SECRET: accessKey, args: ['test-app', 'no-such-device'] })
    assert.equal(code, 1)
    assert.match(stderr, /^AUTH_NOT_FOUND: .*\n.*\.\n$/)
    assert.match((await run(file, { TTN_ADDRESS: httpAddress, TTN_SECRET: '' })).stderr, /^AUTH_INVALID_CREDENTIALS: /)
  },
  'pages.mjs': async (file) => {
    const client = connect(sandbox(), 'grpc')
    const ids = ['dev-2', 'dev-3', 'dev-4', 'dev-5']
    for (const dev_id of ids) {
      const eui = `00000000000000A${dev_id.at(-1)}`
      const lorawan_device = { app_id: 'test-app', dev_id, app_eui: '70B3D57ED0000001', dev_eui: eui }
      await client.setDevice({ app_id: 'test-app', dev_id, lorawan_device })
    }
    const { stdout } = await run(file, { TTN_ADDRESS: sandbox().grpcAddress, TTN_SECRET: sandbox().bearerToken })
    assert.deepEqual(stdout.trim().split('\n').map((line) => line.split(' ')[0]), ['dev-1', ...ids])
    client.close()
  },
  'fetch.mjs': async (file) => {
    const { stdout } = await run(file, { TTN_ADDRESS: sandbox().httpAddress, TTN_SECRET: sandbox().accessKey })
    assert.match(stdout, /kind: 'access-key'[\s\S]*^200 /m)
  },
  'auth-fetch.mjs': async (file) => {
    const { httpAddress, accessKey, stack } = sandbox()
    assert.match((await run(file, { TTN_ADDRESS: httpAddress, TTN_SECRET: accessKey })).stdout, /^200 \{[^]*dev_id: 'dev-1'/)
    const v3 = { TTN_ADDRESS: `${stack.httpAddress}/api/v3`, TTN_SECRET: stack.apiKey, args: ['/auth_info'] }
    assert.match((await run(file, v3)).stdout, /^200 \{\s+api_key: /)
  },
  'connect.mjs': (file) => v3(file, 'app1 App 1\napp1 App 1\n', /^(\[permission_denied\] \S.* AUTH_PERMISSION_DENIED\n){2}$/),
  'grpc-js.mjs': (file) => v3(file, 'app1 App 1\n', /^PERMISSION_DENIED AUTH_PERMISSION_DENIED \S.*\n$/),
  'protobuf-es.mjs': (file) => v3(file, 'App 1\nevents.stream.start\n', /AUTH_PERMISSION_DENIED/),
  'protobufjs.mjs': (file) => v3(file, 'App 1\nevents.stream.start\n', /AUTH_PERMISSION_DENIED/),
  'undici.mjs': async (file) => {
    const { httpAddress, accessKey } = sandbox()
    // undici 8 needs a newer Node.js than some that this runs on.
    const { stdout, stderr } = await run(file, { TTN_ADDRESS: httpAddress, TTN_SECRET: accessKey, UNDICI: 'undici-7' })
    assert.match(stdout, /^200 \{[^]*dev_id: 'dev-1'/, stderr)
  },
  'sandbox.mjs': async (file) => {
    const { stdout } = await run(file)
    assert.deepEqual(
      stdout.trim().split('\n').map((line) => line.split(/ +/)),
      [['valid', 'dev-1'], ['expired', 'AUTH_TOKEN_EXPIRED'], ['badsig', 'AUTH_INVALID_TOKEN'], ['nodevices', 'AUTH_PERMISSION_DENIED']],
    )
  },
  'import-devices.mjs': async (file) => {
    const own = await Sandbox.start()
    const csv = join(mkdtempSync(join(tmpdir(), 'ttn-auth-')), 'devices.csv')
    const env = { TTN_ADDRESS: own.grpcAddress, TTN_SECRET: own.accessKey, TTN_ACCOUNT_SERVER: own.accountServer }
    const line = (n, eui = `00000000000000${10 + n}`) => `new-${n},70B3D57ED0000001,${eui},000102030405060708090A0B0C0D0E0F,"Büro ""${n}"", 1. OG",52.${n}`
    const head = '\ufeffdev_id,app_eui,dev_eui,app_key,description,latitude'
    writeFileSync(csv, [head, ...[0, 1, 2, 3, 4, 5, 6, 7, 8].map((n) => line(n, n === 4 ? 'XYZ' : undefined)), ''].join('\r\n'))
    const { code, stdout, stderr } = await run(file, { ...env, args: [csv, 'test-app'] })
    assert.equal(stdout, '8 of 9 devices imported\n', stderr)
    assert.equal(code, 1)
    assert.match(stderr, /^1 of 9, \d failed\n[\s\S]*9 of 9, 1 failed\nline 6 \(new-4\): AUTH_INVALID_ARGUMENT .*\n$/)
    assert.equal(own.exchanges, 1)
    const client = connect(own, 'grpc')
    const { description, latitude } = await client.getDevice({ app_id: 'test-app', dev_id: 'new-8' })
    assert.deepEqual([description, latitude], ['Büro "8", 1. OG', 52.8])
    client.close()

    writeFileSync(csv, [head, line(1), line(2)].join('\n'))
    assert.deepEqual([(await run(file, { ...env, args: [csv, 'test-app'] })).stdout], ['2 of 2 devices imported\n'])
    // On a terminal, with a bar.
    const terminal = ['-qec', [process.execPath, file, csv, 'test-app'].map((each) => `'${each}'`).join(' '), '/dev/null']
    const { stdout: screen } = await promisify(execFile)('script', terminal, { cwd: root, env: { ...process.env, ...env }, timeout: 60_000 })
    assert.match(screen, /2\/2 \| failed: 0[\s\S]*2 of 2 devices imported/)
    // Nothing is sent of a file that cannot be read to its end.
    const writes = own.counts.writes
    for (const [content, message] of [[`${head}\n${line(1)}\na,b\n`, /line 3/], ['dev_id,app_eui\n', /no column dev_eui, app_key/], [undefined, /ENOENT/]]) {
      if (content === undefined) rmSync(csv)
      else writeFileSync(csv, content)
      const ended = await run(file, { ...env, args: [csv, 'test-app'] })
      assert.equal(ended.code, 2)
      assert.match(ended.stderr, message)
    }
    assert.match((await run(file, { ...env, TTN_SECRET: '', args: [csv, 'test-app'] })).stderr, /TTN_SECRET is empty/)
    assert.equal((await run(file, env)).code, 2)
    assert.equal(own.counts.writes, writes)
    rmSync(join(csv, '..'), { recursive: true })
    await own.stop()
  },
  'token-source.mjs': async (file) => {
    const TTN_LOGIN = `echo ${sandbox().mintToken()}`
    const { stdout, stderr } = await run(file, { TTN_ADDRESS: sandbox().httpAddress, TTN_LOGIN })
    assert.equal(stdout, `a token: ok true\n${'dev-1 0000000000000001\n'.repeat(3)}Bearer\n`, stderr)
    const failed = await run(file, { TTN_ADDRESS: sandbox().httpAddress, TTN_LOGIN: 'no-such-helper' })
    assert.equal(failed.code, 1)
    assert.match(failed.stderr, /^AUTH_EXCHANGE_UNAVAILABLE Command failed: no-such-helper\n/)
  },
}

test('every example has a test', () => {
  assert.deepEqual(readdirSync(join(examples, 'node')).filter((name) => name !== 'proto').sort(), Object.keys(TESTS).sort())
  assert.deepEqual(readdirSync(join(examples, 'typescript')).sort(), ['guard.mts', 'read-device.mts'])
})

for (const [name, check] of Object.entries(TESTS)) test(`examples/node/${name}`, () => check(join(examples, 'node', name)))

/** The example compiled, and what `check` makes of it. */
async function compiled(name, check) {
  // Inside the package, so that it finds itself by its name.
  const out = join(root, '.cache', `typescript-${name}`)
  mkdirSync(out, { recursive: true })
  const compilerOptions = { module: 'node16', target: 'es2022', strict: true, types: ['node'], rootDir: examples, outDir: '.' }
  writeFileSync(join(out, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [join(examples, 'typescript', `${name}.mts`)] }))
  const tsc = join(createRequire(import.meta.url).resolve('typescript/package.json'), '..', 'bin', 'tsc')
  assert.equal((await run(tsc, { args: ['-p', out] })).stdout, '')
  await check(join(out, 'typescript', `${name}.mjs`)).finally(() => rmSync(out, { recursive: true }))
}

test('examples/typescript/read-device.mts', () =>
  compiled('read-device', async (file) => {
    const { stdout, stderr } = await run(file)
    assert.equal(stdout, 'grpc 0000000000000001\ngrpc AUTH_NOT_FOUND\nhttp 0000000000000001\nhttp AUTH_NOT_FOUND\n', stderr)
  }))

test('examples/typescript/guard.mts', () => compiled('guard', (file) => guarded(file, 'http')))
