// The examples run, and print what they should.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { connect, withSandbox } from './support.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const examples = join(root, 'examples')
const sandbox = withSandbox()
const run = async (file, { args = [], ...env } = {}) => {
  const options = { cwd: root, timeout: 60_000, env: { ...process.env, ...env } }
  return promisify(execFile)(process.execPath, [file, ...args], options).catch((error) => error)
}

const TESTS = {
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
  'sandbox.mjs': async (file) => {
    const { stdout } = await run(file)
    assert.deepEqual(
      stdout.trim().split('\n').map((line) => line.split(/ +/)),
      [['valid', 'dev-1'], ['expired', 'AUTH_TOKEN_EXPIRED'], ['badsig', 'AUTH_INVALID_TOKEN'], ['nodevices', 'AUTH_PERMISSION_DENIED']],
    )
  },
}

test('every example has a test', () => {
  assert.deepEqual(readdirSync(join(examples, 'node')).sort(), Object.keys(TESTS).sort())
  assert.deepEqual(readdirSync(join(examples, 'typescript')), ['read-device.mts'])
})

for (const [name, check] of Object.entries(TESTS)) test(`examples/node/${name}`, () => check(join(examples, 'node', name)))

test('examples/typescript/read-device.mts', async () => {
  // Inside the package, so that it finds itself by its name.
  const out = join(root, '.cache', 'typescript')
  mkdirSync(out, { recursive: true })
  const compilerOptions = { module: 'node16', target: 'es2022', strict: true, types: ['node'], rootDir: examples, outDir: '.' }
  writeFileSync(join(out, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [join(examples, 'typescript', 'read-device.mts')] }))
  const tsc = join(createRequire(import.meta.url).resolve('typescript/package.json'), '..', 'bin', 'tsc')
  assert.equal((await run(tsc, { args: ['-p', out] })).stdout, '')
  const { stdout, stderr } = await run(join(out, 'typescript', 'read-device.mjs'))
  assert.equal(stdout, 'grpc 0000000000000001\ngrpc AUTH_NOT_FOUND\nhttp 0000000000000001\nhttp AUTH_NOT_FOUND\n', stderr)
  rmSync(out, { recursive: true })
})
