// The README's examples and commands run as they are written, and say what it says they say.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const require = createRequire(import.meta.url)
const run = (command, args, options = {}) =>
  promisify(execFile)(command, args, { cwd: root, timeout: 300_000, maxBuffer: 1 << 24, ...options })

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const blocks = (language) =>
  [...readme.matchAll(new RegExp('^```' + language + '\\n([\\s\\S]*?)^```$', 'gm'))].map(([, code]) => code)

// Inside the package, so that it finds itself by its name.
const scratch = join(root, '.cache', 'readme')
rmSync(scratch, { recursive: true, force: true })
mkdirSync(scratch, { recursive: true })
after(() => rmSync(scratch, { recursive: true, force: true }))

test('JavaScript', async () => {
  const printed = [
    '0000000000000001\nAUTH_NOT_FOUND false\n',
    "{ kind: 'application', id: 'app1' } true does not expire\ndev1 Dev dev1\nevents.stream.start\n",
    '8 done, 0 failed\ntrue 1\n',
    '200 read with the bearer-token of test-app\n200 read with the access-key of test-app\n' +
      '401 Bearer error="invalid_token", error_description="permission denied: unable to parse token: crypto/ecdsa: verification error"\n',
  ]
  const examples = blocks('js')
  assert.equal(examples.length, printed.length)
  for (const [n, code] of examples.entries()) {
    const file = join(scratch, `example-${n}.cjs`)
    writeFileSync(file, code)
    const { stdout } = await run(process.execPath, [file])
    assert.equal(stdout, printed[n])
  }
})

test('TypeScript', async () => {
  const [code, ...more] = blocks('ts')
  assert.equal(more.length, 0)
  writeFileSync(join(scratch, 'example.mts'), code)
  const config = {
    compilerOptions: { module: 'node16', target: 'es2022', strict: true, skipLibCheck: false, rootDir: '.', outDir: 'out', types: ['node'] },
    files: ['example.mts'],
  }
  writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify(config))
  await run(process.execPath, [require.resolve('typescript/package.json').replace('package.json', 'bin/tsc'), '-p', scratch])
  const { stdout } = await run(process.execPath, [join(scratch, 'out', 'example.mjs')])
  assert.match(stdout, /^1 \[ 'dev-1' \]\nAUTH_INVALID_ARGUMENT \S.*\.\n$/)
})

test('Rust', async () => {
  const [code, ...more] = blocks('rust')
  assert.equal(more.length, 0)
  const example = readFileSync(join(root, 'examples', 'rust', 'read_device.rs'), 'utf8')
  assert.ok(example.endsWith(code), 'the README shows examples/rust/read_device.rs')
  const { Sandbox } = require('@thingskey/ttn-auth')
  const sandbox = await Sandbox.start()
  const cargo = (address, secret) =>
    run('cargo', ['run', '-q', '--example', 'read_device'], {
      env: { ...process.env, TTN_ADDRESS: address, TTN_SECRET: secret },
    })
  for (const secret of [sandbox.accessKey, sandbox.bearerToken]) {
    const answers = [await cargo(sandbox.grpcAddress, secret), await cargo(sandbox.httpAddress, secret)]
    for (const { stdout } of answers) assert.equal(JSON.parse(stdout).lorawan_device.dev_eui, '0000000000000001')
  }
  const { stdout } = await cargo(sandbox.grpcAddress, 'ttn-account-v2.wrong')
  assert.match(stdout, /^AUTH_INVALID_KEY: /)
  await sandbox.stop()
})

test('Rust, with a client of one\'s own', async () => {
  const { Sandbox } = require('@thingskey/ttn-auth')
  const sandbox = await Sandbox.start()
  const { grpcAddress, httpAddress, apiKey } = sandbox.stack
  const cargo = (example, address, secret) =>
    run('cargo', ['run', '-q', '--all-features', '--example', example], { env: { ...process.env, TTN_ADDRESS: address, TTN_SECRET: secret } })
  for (const [example, address] of [['tonic_channel', grpcAddress.replace('grpc:', 'http:')], ['reqwest_client', httpAddress]]) {
    const { stdout } = await cargo(example, address, apiKey)
    assert.equal(JSON.parse(stdout).api_key.entity_ids.application_ids.application_id, 'app1', example)
  }
  assert.match((await cargo('reqwest_client', httpAddress, sandbox.stack.key('app1_expired'))).stdout, /^AUTH_KEY_EXPIRED: /)
  await sandbox.stop()
})

test('commands', async (t) => {
  const [start, once, sandbox, commands, curl, ...more] = blocks('sh').map((command) => command.trim())
  assert.deepEqual(more, [], 'a command that this test does not run')
  // `npm start` itself is watched by the Node-RED tests; here it is the same script, told to end.
  assert.equal(once, `${start} -- --once`)
  const { stdout } = await run('sh', ['-c', once])
  assert.equal(stdout.match(/dev-1/g)?.length >= 4, true, stdout)

  const child = spawn('sh', ['-c', `exec ${sandbox}`], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  t.after(() => {
    // npx starts children of its own.
    try {
      process.kill(-child.pid)
    } catch {}
  })
  let printed = ''
  for await (const text of child.stdout.setEncoding('utf8')) {
    printed += text
    if (/^\s*curl .*$/m.test(printed) && printed.endsWith('\n')) break
  }
  // With `set -e` each line has to succeed.
  const shell = await run('sh', ['-ec', commands])
  assert.match(shell.stdout, /gRPC .* took it: 1 device[^]*HTTP .* took it: 1 device[^]*issuer +ttn-account-v2[^]*Nothing looks wrong/)
  assert.match(shell.stderr, /^A bearer token for test-app, which expires in \d+ min:$/m)
  const device = JSON.parse((await run('sh', ['-c', curl])).stdout)
  assert.equal(device.dev_id, 'dev-1')
  // The line that the sandbox prints works too.
  const shown = /^\s*(curl .*)$/m.exec(printed)[1]
  assert.ok(JSON.parse((await run('sh', ['-c', shown])).stdout))
})

test('pictures and files that it shows exist', () => {
  const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link).filter((link) => !link.startsWith('http'))
  assert.ok(links.length >= 4)
  for (const link of links) assert.ok(existsSync(join(root, link)), link)
})

test('the table of errors is the one in the code', () => {
  const source = readFileSync(join(root, 'src', 'error_kind.rs'), 'utf8')
  const expected = [...source.matchAll(/\/\/\/ (.*)\n\s+\w+ "(AUTH_\w+)"/g)].map(([, text, code]) => `| \`${code}\` | ${text} |`)
  const shown = readme.split('\n').filter((line) => line.startsWith('| `AUTH_'))
  assert.deepEqual(shown, expected)
})
