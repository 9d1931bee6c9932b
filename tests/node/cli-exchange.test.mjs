// `ttn-auth exchange`: a token for an access key, for scripts; and how it fails.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { Client, Credentials, Sandbox } from '../../node/index.js'
import { COMMAND, each, folder, run, silent, start } from './cli-support.mjs'
import { withSandbox } from './support.mjs'

const sandbox = withSandbox()
const DEVICE = { app_id: 'test-app', dev_id: 'dev-1' }
const WRONG = 'ttn-account-v2.hunter2hunter2'
/** To the sandbox's account server. */
const here = (...more) => ['exchange', '--app-id', 'test-app', '--account-server', sandbox().accountServer, ...more]

async function isTaken(token) {
  const client = new Client({ address: sandbox().grpcAddress, credentials: Credentials.bearerToken(token) })
  assert.equal((await client.getDevice(DEVICE)).dev_id, 'dev-1')
  client.close()
}

test('the token alone is on stdout, whichever way the key comes', async () => {
  const { accessKey } = sandbox()
  const file = join(folder, 'key')
  writeFileSync(file, ` ${accessKey}\n`)
  await each([
    [here(), { input: `${accessKey}\n` }],
    [here('-'), { input: accessKey, env: { TTN_SECRET: WRONG } }],
    [here('--secret-file', file), { env: { TTN_SECRET: WRONG } }],
    [here('--secret-env', 'MINE'), { env: { MINE: accessKey } }],
    [here(), { env: { TTN_SECRET: accessKey } }],
  ], async (args, options) => {
    const { status, stdout, stderr } = await run(args, options)
    assert.equal(status, 0, stderr)
    assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    assert.equal(stderr, 'A bearer token for test-app, which expires in 59 min:\n')
    await isTaken(stdout.trim())
  })
})

test('in a shell, as the help has it; --json', async () => {
  const { accessKey, accountServer } = sandbox()
  const script = 'TOKEN=$("$@" --app-id test-app --account-server "$ACCOUNT_SERVER" 2>/dev/null) && printf "%s" "$TOKEN"'
  const env = { ...process.env, TTN_SECRET: accessKey, ACCOUNT_SERVER: accountServer }
  const { stdout: token } = await promisify(execFile)('sh', ['-c', script, 'sh', process.execPath, ...COMMAND, 'exchange'], { env })
  await isTaken(token)

  const { stdout, stderr } = await run(here('--json'), { input: accessKey })
  const { accessToken, expiresAt, expiresIn, ...rest } = JSON.parse(stdout)
  assert.deepEqual([rest, stderr, stdout.indexOf('\n')], [{ issuer: 'ttn-account-v2', appId: 'test-app' }, '', stdout.length - 1])
  await isTaken(accessToken)
  assert.equal(new Date(expiresAt).getTime(), Credentials.bearerToken(accessToken).describe().expiresAt.getTime())
  assert.ok(expiresIn > 3500 && expiresIn <= 3600)
})

test('the client that an account server asks for', async (t) => {
  const asking = await Sandbox.start({ clientId: 'me', clientSecret: 'hunter3hunter3' })
  t.after(() => asking.stop())
  const file = join(folder, 'client-secret')
  writeFileSync(file, 'hunter3hunter3\n')
  const args = ['exchange', '--app-id', 'test-app', '--account-server', asking.accountServer, '--client-id', 'me']
  for (const [secret, status] of [[['--client-secret-file', file], 0], [['--client-secret-env', 'GOOD'], 0], [['--client-secret-env', 'BAD'], 1]]) {
    const env = { TTN_SECRET: asking.accessKey, GOOD: 'hunter3hunter3', BAD: 'hunter4hunter4' }
    const ended = await run([...args, ...secret], { env, secrets: ['hunter', asking.accessKey] })
    assert.equal(ended.status, status, ended.stderr)
    if (status === 1) assert.match(ended.stderr, /account server refuses the client's id or secret/)
  }
})

test('what the account server does not give', async (t) => {
  const down = await Sandbox.start()
  t.after(() => down.stop())
  const { accountServer } = down
  down.stopAccountServer()
  const never = await silent(t)
  const at = (address, ...more) => ['exchange', '--app-id', 'test-app', '--account-server', address, ...more]
  await each([
    [here(), 'AUTH_INVALID_KEY', /account server: invalid access key/],
    [at(accountServer), 'AUTH_EXCHANGE_UNAVAILABLE', /connection refused/],
    [at(`http://${never.host}`, '--timeout', '0.1'), 'AUTH_TIMEOUT', /no token within 0.1 s.*--timeout/],
    [at(sandbox().httpsAddress), 'AUTH_TLS', /self-signed.*its certificate.*--ca FILE/],
    [at('http://192.0.2.1'), 'AUTH_INSECURE_TRANSPORT', /plaintext to another machine.*Use https/],
  ], async (args, code, message) => {
    const failed = await run(args, { input: WRONG, secrets: ['hunter2'] })
    assert.deepEqual([failed.status, failed.stdout], [1, ''], failed.stderr)
    assert.match(failed.stderr.replace('\n', ' '), message)
    const json = await run([...args, '--json'], { input: WRONG, secrets: ['hunter2'] })
    assert.deepEqual([json.status, json.stdout], [1, ''])
    const { error } = JSON.parse(json.stderr)
    assert.deepEqual([error.code, typeof error.hint, typeof error.transient], [code, 'string', 'boolean'])
    assert.match(`${error.message} ${error.hint}`, message)
  })
  // With its certificate it is trusted, and found to be no account server.
  const ca = join(folder, 'ca.pem')
  writeFileSync(ca, sandbox().ca)
  const { stderr } = await run(at(sandbox().httpsAddress, '--ca', ca, '--json'), { input: WRONG, secrets: ['hunter2'] })
  assert.notEqual(JSON.parse(stderr).error.code, 'AUTH_TLS')
})

test('what is no access key', async () => {
  const { bearerToken } = sandbox()
  for (const [input, message] of [[bearerToken, /looks like a bearer token/], [`Key ${WRONG}`, /"Key " in front/], [`${WRONG} x`, /blank/]]) {
    const { status, stdout, stderr } = await run(here(), { input, secrets: ['hunter2', bearerToken.slice(-20)] })
    assert.deepEqual([status, stdout], [1, ''], stderr)
    assert.match(stderr, message)
  }
})

test('wrong arguments; a secret as an argument is refused', async () => {
  const file = join(folder, 'none')
  await each([
    [here(WRONG), /unexpected argument, not shown here: .*\n.*--secret-file.*pipe it in/],
    [here('-', WRONG), /unexpected argument, not shown/],
    [here(`--key=${WRONG}`), /unknown option --key\n/],
    [['exchange'], /--app-id is missing/],
    [['exchange', '--app-id', WRONG], /--app-id is no application's id/],
    [['exchange', '--app-id', 'test-app'], /give the address of this one with --account-server/, 'elsewhere.hunter2'],
    [['exchange', '--app-id', 'test-app'], /--account-server is missing/, 'hunter2'],
    [['exchange', '--app-id', 'test-app', '--account-server', WRONG], /account server's address is not valid/],
    [['exchange', '--app-id', 'test-app', '--account-server', `https://me:${WRONG}@account.example`], /has a user or password in it/],
    [here(), /standard input is a variable's name, not its value/, '${hunter2}'],
    [here('--timeout', WRONG), /--timeout needs a number of seconds/],
    [here('--timeout', '0'), /--timeout needs a number of seconds/],
    [here('--timeout', '1e9'), /--timeout needs a number of seconds/],
    [here('--ca', file), /the file of --ca does not exist/],
    [here('--ca', join(folder, 'not-pem')), /no certificate in it/],
    [here('--client-id', 'me'), /--client-id needs one of/],
    [here('--client-secret-env', 'HOME'), /they need --client-id/],
    [here('--client-id', 'me', '--client-secret-file', file), /the file of --client-secret-file does not exist/],
    [here('--client-id', 'me', '--client-secret-env', WRONG), /that --client-secret-env names is not set/],
  ], async (args, message, input = WRONG) => {
    if (args.at(-1).endsWith('not-pem')) writeFileSync(args.at(-1), WRONG)
    const { status, stdout, stderr } = await run(args, { input, secrets: ['hunter2'] })
    assert.deepEqual([status, stdout], [2, ''], stderr)
    assert.match(stderr, message)
    assert.match(stderr, /^Try: npx @thingskey\/ttn-auth exchange --help$/m)
  })
})

test('Ctrl-C ends it at once, with the signal', async (t) => {
  const { server, host } = await silent(t)
  const child = start(['exchange', '--app-id', 'test-app', '--account-server', `http://${host}`], { env: { TTN_SECRET: WRONG } })
  t.after(() => child.kill('SIGKILL'))
  await once(server, 'connection')
  const exited = once(child, 'exit')
  child.kill('SIGINT')
  assert.deepEqual(await exited, [null, 'SIGINT'])
})
