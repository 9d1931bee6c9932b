// `ttn-auth check`: which transport takes a credential, and what it says where one does not.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'

import { Sandbox } from '../../node/index.js'
import { each, folder, run, silent, start } from './cli-support.mjs'
import { withSandbox } from './support.mjs'

const ca = join(folder, 'ca.pem')
const sandbox = withSandbox((started) => writeFileSync(ca, started.ca))
const WRONG = 'ttn-account-v2.hunter2hunter2'
const APP = ['--app-id', 'test-app']
const at = (...addresses) => ['check', ...addresses.flatMap((address) => ['--address', address])]

/** Runs it for a person, and with `--json`; what it ended with, its rows, what it said. */
async function check(args, secret, { env } = {}) {
  const options = { input: secret, env, secrets: [secret.split('.').at(-1)] }
  const [{ status, stdout, stderr }, json] = await Promise.all([run(args, options), run([...args, '--json'], options)])
  assert.deepEqual([stderr, json.stderr, json.status], ['', '', status])
  const { good, rows, ...rest } = JSON.parse(json.stdout)
  assert.equal(good, status === 0)
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(stdout + json.stdout, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
  return { status, rows, rest, text: stdout }
}

test('both transports, in clear and over TLS, with each credential', async () => {
  const { grpcAddress, httpAddress, grpcsAddress, httpsAddress, accessKey, bearerToken } = sandbox()
  await each([
    [[...at(grpcAddress, httpAddress), ...APP], accessKey, 'access-key'],
    // It names the application itself.
    [[...at(grpcsAddress, httpsAddress), '--ca', ca], bearerToken, 'bearer-token'],
  ], async (args, secret, kind) => {
    const { status, rows, rest, text } = await check(args, `${secret}\n`)
    assert.equal(status, 0, text)
    assert.deepEqual(rest, { kind, appId: 'test-app' })
    const [grpc, http] = args.filter((each) => each.includes('://'))
    const expected = [['grpc', grpc], ['http', http]].map(([transport, address]) => ({ transport, address, good: true, devices: 1 }))
    assert.deepEqual(rows.map(({ ms, ...row }) => (assert.ok(Number.isInteger(ms)), row)), expected)
    assert.match(text, /good +gRPC .* took it: 1 device, \d+ ms\n +good +HTTP .* took it: 1 device, \d+ ms\n$/)
  })
})

test('one address tests one transport, and says so; a discovery service tests both', async () => {
  const { grpcAddress, discovery, accessKey } = sandbox()
  const one = await check([...at(grpcAddress), ...APP], accessKey)
  assert.equal(one.status, 0)
  assert.match(one.text, /Only gRPC was tested: another --address, https:/)
  const both = await check(['check', '--discovery', discovery, '--ca', ca, ...APP], accessKey)
  assert.deepEqual(both.rows.map(({ transport, good }) => [transport, good]), [['grpc', true], ['http', true]])
  assert.doesNotMatch(both.text, /Only/)
  const nowhere = await check(['check', '--discovery', 'grpc://127.0.0.1:1', ...APP], accessKey)
  assert.deepEqual(nowhere.rows.map(({ error }) => error.code), ['AUTH_UNAVAILABLE', 'AUTH_UNAVAILABLE'])
})

test('what is wrong with each server, and what to do', async () => {
  const { grpcAddress, httpAddress, grpcsAddress, httpsAddress, accessKey } = sandbox()
  const down = await Sandbox.start()
  await down.stop()
  for (const [addresses, codes, hint] of [
    [[down.grpcAddress, down.httpAddress], ['AUTH_UNAVAILABLE', 'AUTH_UNAVAILABLE'], /nothing listens .*\n +Check the address/],
    [[grpcAddress, down.httpAddress], [undefined, 'AUTH_UNAVAILABLE'], /good +gRPC .*\n +failed +HTTP/],
    [[grpcsAddress, httpsAddress], ['AUTH_TLS', 'AUTH_TLS'], /self-signed.*\n.*with --ca FILE/],
    [['grpc://192.0.2.1:1904', httpAddress], ['AUTH_INSECURE_TRANSPORT', undefined], /plaintext to another machine.*\n.*--allow-insecure/],
  ]) {
    const { status, rows, text } = await check([...at(...addresses), ...APP], accessKey)
    assert.equal(status, 1, text)
    assert.deepEqual(rows.map(({ error }) => error?.code), codes)
    assert.match(text, hint)
  }
  // It is an address that nobody has (RFC 5737).
  const { rows } = await check([...at('http://192.0.2.1:8084'), ...APP, '--allow-insecure', '--timeout', '0.2'], accessKey)
  assert.notEqual(rows[0].error.code, 'AUTH_INSECURE_TRANSPORT')
})

test('a refused credential; one that is accepted and lacks a right, or its application', async () => {
  const { grpcAddress, httpAddress } = sandbox()
  const both = at(grpcAddress, httpAddress)
  await each([
    [APP, WRONG, 1, 'AUTH_INVALID_KEY'],
    [['--kind', 'access-key', ...APP], 'hunter2hunter2', 1, 'AUTH_INVALID_KEY'],
    [[], sandbox().mintToken({ kind: 'expired' }), 1, 'AUTH_TOKEN_EXPIRED'],
    [[], sandbox().mintToken({ kind: 'badsig' }), 1, 'AUTH_INVALID_TOKEN'],
    [[], sandbox().mintToken({ kind: 'wrongissuer' }), 1, 'AUTH_UNKNOWN_ISSUER'],
    [[], sandbox().mintToken({ kind: 'nodevices' }), 0, 'AUTH_PERMISSION_DENIED', 'right-missing'],
    [[], sandbox().mintToken({ appId: 'no-such-app' }), 0, 'AUTH_NOT_FOUND', 'no-application'],
  ], async (args, secret, status, code, remark) => {
    const checked = await check([...both, ...args], secret)
    assert.equal(checked.status, status, checked.text)
    for (const row of checked.rows) {
      assert.deepEqual([row.good, row.error.code, row.remark], [status === 0, code, remark])
      assert.ok(row.error.hint && checked.text.includes(row.error.hint))
    }
  })
})

test('a key exchanged here: once, and what the account server refuses is said once', async () => {
  const { grpcAddress, httpAddress, accountServer, accessKey } = sandbox()
  const args = [...at(grpcAddress, httpAddress), ...APP]
  const before = sandbox().exchanges
  const { status } = await run([...args, '--account-server', accountServer], { input: accessKey })
  assert.deepEqual([status, sandbox().exchanges], [0, before + 1])
  for (const [more, message] of [
    [['--account-server', accountServer], /account server: invalid access key/],
    [['--account-server', 'http://127.0.0.1:1'], /account server: .*connection refused/],
    [['--account-server', sandbox().httpsAddress], /account server: .*self-signed.*\n.*--account-ca FILE/],
  ]) {
    const failed = await run([...args, ...more], { input: WRONG, secrets: ['hunter2'] })
    assert.deepEqual([failed.status, failed.stdout], [1, ''], failed.stderr)
    assert.match(failed.stderr, message)
  }
})

test('what a server says is shown as text, and never the secret', async (t) => {
  const server = createServer((request, response) => {
    const message = `\x1b[2J\u009b31m what is ${request.headers.authorization}?`
    response.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ error: message, code: 2, message }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { status, text } = await check([...at(`http://127.0.0.1:${server.address().port}`), ...APP], WRONG)
  assert.equal(status, 1)
  assert.ok(text.includes('\\u{1b}[2J\\u{9b}31m what is Key <redacted>?'), text)
})

test('a server that does not answer costs the time limit; Ctrl-C ends it at once, with the signal', async (t) => {
  const { server, host } = await silent(t)
  const args = [...at(`grpc://${host}`, `http://${host}`), ...APP]
  const { status, rows, text } = await check([...args, '--timeout', '0.2'], WRONG)
  assert.deepEqual([status, ...rows.map(({ error }) => error.code)], [1, 'AUTH_TIMEOUT', 'AUTH_TIMEOUT'])
  assert.match(text, /allow more time with --timeout/)
  const child = start(args, { env: { TTN_SECRET: WRONG } })
  t.after(() => child.kill('SIGKILL'))
  await once(server, 'connection')
  const exited = once(child, 'exit')
  child.kill('SIGINT')
  assert.deepEqual(await exited, [null, 'SIGINT'])
})

test('wrong arguments; a secret as an argument is refused', async () => {
  const { grpcAddress, bearerToken, accessKey } = sandbox()
  const one = at(grpcAddress)
  await each([
    [[...one, ...APP, WRONG], /unexpected argument, not shown here/],
    [['check', ...APP], /give --address, once or more often, or --discovery/],
    [[...one, '--discovery', grpcAddress, ...APP], /give --address, once or more often, or --discovery/],
    [[...one], /--app-id is missing: the credential does not name its application/],
    [[...one, '--exchange'], /--app-id is missing/, bearerToken],
    [[...one, '--app-id', WRONG], /--app-id is no application's id/],
    [[...at(WRONG), ...APP], /has no scheme; put grpcs:\/\/ or https:\/\/ in front/],
    [[...at(grpcAddress, `https://me:${WRONG}@host.example`), ...APP], /has a user or password in it/],
    [['check', '--discovery', WRONG, ...APP], /has no scheme/],
    [[...one, ...APP, '--ca', join(folder, 'none')], /the file of --ca does not exist/],
    [[...one, ...APP, '--exchange', '--account-ca', ca], /--account-server, which is missing/],
    [[...one, ...APP, '--exchange'], /give it without --exchange/, bearerToken],
    [[...one, ...APP, '--kind', WRONG], /--kind must be/],
    [[...one, ...APP, '--timeout', 'soon'], /--timeout needs a number/],
    [[...one, ...APP], /there is nothing in standard input/, ''],
  ], async (args, message, input = WRONG) => {
    const { status, stdout, stderr } = await run(args, { input, secrets: ['hunter2', accessKey, bearerToken.slice(-20)] })
    assert.deepEqual([status, stdout], [2, ''], stderr)
    assert.match(stderr, message)
    assert.match(stderr, /^Try: npx @thingskey\/ttn-auth check --help$/m)
  })
  const { status, stdout, stderr } = await run([...one, ...APP, '--json'], { input: 'hunter2', secrets: ['hunter2'] })
  assert.deepEqual([status, stdout, JSON.parse(stderr).error.code], [1, '', 'AUTH_INVALID_CREDENTIALS'])
})

test('The Things Stack: what the key is, its rights and its end, with and without an application', async () => {
  const { stack } = sandbox()
  await each([
    [[], stack.key('app1_expires_2030'), 0, undefined, /API key, tested:[^]*took it, \d+ ms\n +api key \S+ .*of application app1, expires 2030-.*\n +15 rights: APPLICATION_ALL, /],
    [['--app-id', 'app1'], stack.key('oauth_access'), 0, undefined, /oauth access token .*of user alice, expires /],
    [['--app-id', 'app1'], stack.key('app1_info_only'), 0, 'right-missing', /took it, but a right is missing[^]*APPLICATION_INFO/],
    [['--app-id', 'app1'], stack.key('app1_expired'), 1, undefined, /AUTH_KEY_EXPIRED/],
  ], async (args, secret, expected, remark, pattern) => {
    const { status, rows, text } = await check([...at(stack.grpcAddress, stack.httpAddress), ...args], secret)
    assert.deepEqual([status, rows.map((row) => row.remark)], [expected, [remark, remark]], text)
    assert.match(text, pattern)
  })
})
