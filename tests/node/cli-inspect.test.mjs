// `ttn-auth inspect`: what it says of a credential, what it finds wrong, and that it shows none.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { COMMAND, each, folder, run, start } from './cli-support.mjs'
import { withSandbox } from './support.mjs'

const require = createRequire(import.meta.url)
const { examine } = require('../../node/cli/findings.js')
const { report } = require('../../node/cli/inspect.js')
const sandbox = withSandbox()

const part = (json) => Buffer.from(typeof json === 'string' ? json : JSON.stringify(json)).toString('base64url')
/** A token with the signature of a good one, which is that of another. */
function token(claims, header = { alg: 'ES256', typ: 'JWT' }) {
  return `${part(header)}.${part(claims)}.${sandbox().bearerToken.split('.')[2]}`
}
const NOW = Date.UTC(2026, 10, 26, 12)
const seconds = (ms) => ms / 1000
const good = { iss: 'ttn-account-v2', sub: 'me', exp: seconds(NOW) + 3600, iat: seconds(NOW) - 60 }
const inspect = (text, options) => examine(text, { now: NOW, ...options })
/** The level, and the messages of all findings. */
async function found(text, options) {
  const { findings } = await inspect(text, options)
  return findings.map(({ level, message }) => `${level}: ${message}`).join('\n')
}

test('a good token, a good key', async () => {
  const claims = { ...good, nbf: good.iat, type: 'user', client: 'my-client', scope: ['apps:a'], apps: { a: ['devices'] } }
  const examined = await inspect(token(claims))
  assert.deepEqual(examined, {
    says: {
      kind: 'bearer-token', issuer: 'ttn-account-v2', subject: 'me', scope: ['apps:a'], apps: { a: ['devices'] }, algorithm: 'ES256',
      type: 'user', client: 'my-client', issuedAt: new Date(NOW - 60_000), notBefore: new Date(NOW - 60_000), expiresAt: new Date(NOW + 3_600_000),
    },
    findings: [],
  })
  const shown = report(examined, { from: 'here', good: true, now: NOW })
  for (const line of [/issuer +ttn-account-v2$/m, /rights +a: devices$/m, /issued +2026-11-26 11:59:00 UTC, 1 min ago$/m, /expires +2026-11-26 13:00:00 UTC, in 1 h$/m, /Nothing was verified/]) {
    assert.match(shown, line)
  }
  assert.deepEqual(await inspect('ttn-account-v2.hunter2'), { says: { kind: 'access-key', issuer: 'ttn-account-v2' }, findings: [] })
})

test('every kind of token that the sandbox mints', async () => {
  for (const [kind, expected] of Object.entries({
    valid: '', nodevices: '', badsig: '', otherapp: '',
    expired: 'wrong: it expired 1 h ago',
    noexp: 'note: it has no expiry (exp): it is good for ever, or not at all',
    future: 'wrong: it is not valid for another 59 min',
    noscope: 'wrong: it has rights, but no scope, for test-app: they do not count',
    none: 'wrong: it is not signed (algorithm none): anybody could have written it',
    hs256: 'wrong: it is signed with HS256; V2 networks sign with ES256 or RS256',
  })) {
    assert.equal(await found(sandbox().mintToken({ kind }), { now: Date.now() + 1000 }), expected, kind)
  }
})

test('times are a server\'s: good through the whole second that exp names', async () => {
  assert.equal(await found(token({ ...good, exp: seconds(NOW) }), { now: NOW + 999 }), '')
  assert.match(await found(token({ ...good, exp: seconds(NOW) }), { now: NOW + 1000 }), /wrong: it expired 1 s ago/)
  assert.match(await found(token({ ...good, exp: seconds(NOW) - 3 * 86_400 })), /wrong: it expired 3 d ago/)
  assert.match(await found(token({ ...good, iat: seconds(NOW) + 120 })), /note: it was issued 2 min from now/)
  assert.match(await found(token({ ...good, exp: NOW * 1000 })), /note: its expiry \(exp\) is no date/)
})

test('what is around it', async () => {
  const key = 'ttn-account-v2.hunter2'
  for (const [text, expected] of [
    [`${key}\n`, ''],
    [`${key}\r\n`, ''],
    [` ${key}\n\n`, 'note: there are blanks or line breaks around it'],
    [`"${key}"`, 'wrong: there are quotes around it'],
    [`'${key}`, 'wrong: there are quotes around it'],
    [`“${key}”`, 'wrong: there are quotes around it'],
    [`Key ${key}`, 'wrong: "Key " is in front of it'],
    [`bearer  ${token(good)}`, 'wrong: "Bearer " is in front of it'],
    [`key: ${key}`, 'note: there are blanks or line breaks around it\nwrong: a header\'s name is in front of it'],
    [`Authorization:Bearer ${token(good)}`, 'wrong: a header\'s name is in front of it\nwrong: "Bearer " is in front of it'],
    [`ttn-account-v2.hunter2 hunter3`, 'wrong: the credential has a blank, tab or line break at character 23'],
  ]) {
    const { says, findings } = await inspect(text)
    const messages = findings.map(({ level, message }) => `${level}: ${message}`)
    assert.deepEqual(messages.sort(), expected.split('\n').filter(Boolean).sort(), text)
    if (!text.includes('hunter3')) assert.equal(says.issuer, 'ttn-account-v2', text)
  }
})

test('what The Things Stack issues: what it is and its id, and nothing looks wrong', async () => {
  for (const [text, says, noted] of [
    ['NNSXS.ID.HUNTER2', { kind: 'api-key', network: 'the-things-stack', type: 'api-key', id: 'ID' }, false],
    ['MFRWG.ID.HUNTER2', { kind: 'bearer-token', network: 'the-things-stack', type: 'oauth-access-token', id: 'ID' }, false],
    ['ONZW4.ID.HUNTER2', { kind: 'bearer-token', network: 'the-things-stack', type: 'session-token', id: 'ID' }, true],
  ]) {
    const examined = await inspect(text)
    assert.deepEqual(examined.says, says)
    assert.deepEqual(examined.findings.map(({ level }) => level), noted ? ['note'] : [])
    assert.ok(!JSON.stringify(examined).includes('HUNTER2'))
  }
})

test('what is no credential, or not a whole one', async () => {
  const whole = token(good)
  const [header, claims, signature] = whole.split('.')
  for (const [text, expected] of [
    [header, /bearer token of 1 part instead of 3: its end is missing/],
    [`${header}.${claims}`, /bearer token of 2 parts instead of 3: its end is missing/],
    [`${whole}.${claims}`, /bearer token of 4 parts instead of 3: something follows it/],
    [`${header}.${claims}.`, /its signature is missing/],
    [whole.slice(0, -5), /its signature is cut off/],
    [`${whole}AAAA`, /its signature has something behind it/],
    [`${whole.slice(0, -1)}*`, /its signature is damaged/],
    [`${header}.${claims.slice(0, -9)}*.${signature}`, /its claims part is damaged: it is no base64url/],
    [`${header}.${claims.slice(0, -8)}.${signature}`, /its claims part is damaged: it is no JSON/],
    [`${header.slice(0, -4)}.${claims}.${signature}`, /its header part is damaged: it is no JSON/],
    [`${part('"text"')}.${claims}.${signature}`, /neither a bearer token .* nor an access key/],
    [token('[]'), /its claims part is no JSON object/],
    [token('{"iss":"a","sub":"x","iss":"b"}'), /a name occurs twice in its claims/],
    [token('{"iss":"a","apps":{"x":[],"x":["devices"]}}'), /a name occurs twice in its claims/],
    [token(good, '{"alg":"ES256","alg":"none"}'), /a name occurs twice in its header/],
    [token({ ...good, exp: 'tomorrow', iat: [] }), /claims that are not of the expected form: exp, iat/],
    [token({ ...good, iss: undefined }), /it names no issuer/],
    [token(good, { alg: 'XX256' }), /signing method \(alg\) is unavailable/],
    [token(good, { alg: 7 }), /not a JSON object with an alg/],
    [token(good, { alg: 'ES256', crit: ['exp'] }), /critical extensions/],
    ['NNSXS.ABC', /three parts/],
    ['nnsxs.abc.def', /capital letters/],
    ['OJSWM.ABC.DEF', /refresh token of The Things Stack/],
    ['MF2XI.ABC.DEF', /authorization code of The Things Stack/],
    ['hunter2', /neither .* say so: --kind access-key/],
    ['${HUNTER2}', /a variable's name, not its value/],
    ['$HUNTER2', /a variable's name, not its value/],
    ['${ttn-account-v2.hunter2}', /a variable's name, not its value/],
    ['""', /quotes.*\n.*credential is empty/],
    ['ttn-account-v2.hünter2', /character outside ASCII/],
  ]) {
    const messages = await found(text)
    assert.match(messages, expected)
    assert.match(messages, /^wrong: /m)
    for (const secret of ['unter2', 'UNTER2', signature]) assert.ok(!messages.includes(secret), messages)
  }
  assert.deepEqual(await found('hunter2', { kind: 'access-key' }), 'note: it has no issuer in front, such as ttn-account-v2 and a dot')
  assert.match(await found('ttn-account-v2.hunter2', { kind: 'bearer-token' }), /looks like an access key/)
  assert.match(await found('hunter2', { kind: 'bearer-token' }), /no server can read it/)
})

/** The same numbers each time. */
function numbers(seed) {
  return (below) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 8) % below
  }
}

test('whatever it is given: an answer, and never what was given', async () => {
  const random = numbers(20_261_126)
  const pick = (list) => list[random(list.length)]
  const SIGNS = ['Q', 'w', '7', '_', '-', '=', '.', '"', ' ', '\n', '\0', '\x1b[2J', '$', '{', '}', '%', 'é', '\u202e', '\ud800', '😀', ':', 'eyJ', 'Bearer ', 'Key ', 'NNSXS.']
  const whole = sandbox().bearerToken
  const mark = 'hUnter2SECRET'
  for (let round = 0; round < 400; round += 1) {
    const noise = () => Array.from({ length: random(12) }, () => pick(SIGNS)).join('')
    const cut = random(whole.length)
    const text = pick([
      () => `${noise()}${mark}${noise()}`,
      () => `${noise()}.${mark}.${noise()}`,
      () => `\${${noise()}${mark}${noise()}}`,
      () => whole.slice(0, cut) + noise() + mark + whole.slice(cut),
      () => `${part(noise())}.${part(noise())}.${mark}`,
      () => `${part('{"alg":"ES256"}')}.${part(`{"iss":${noise()}}`)}.${mark}`,
    ])()
    const examined = await examine(text, { kind: pick([undefined, undefined, 'access-key', 'bearer-token']) })
    const shown = report(examined, { from: 'here', good: false, now: NOW }) + JSON.stringify(examined)
    for (const secret of [mark, whole.slice(-20)]) assert.ok(!shown.includes(secret), JSON.stringify(text))
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(shown, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/u, JSON.stringify(text))
  }
})

test('the command: from standard input, a file, a variable; what it ends with', async () => {
  const { bearerToken, accessKey } = sandbox()
  const file = join(folder, 'secret')
  writeFileSync(file, `${bearerToken}\n`)
  const expired = sandbox().mintToken({ kind: 'expired' })
  await each([
    [['inspect'], { input: `${bearerToken}\n` }, 0, 'standard input'],
    [['inspect', '-'], { input: accessKey, env: { TTN_SECRET: expired } }, 0, 'standard input'],
    [['inspect', '--secret-file', file], {}, 0, 'the file of --secret-file'],
    [['inspect', '--secret-env', 'MINE'], { env: { MINE: expired } }, 1, 'the environment variable of --secret-env'],
    [['inspect'], { env: { TTN_SECRET: expired } }, 1, 'the environment variable TTN_SECRET'],
    [['inspect'], { input: 'hunter2' }, 1, 'standard input'],
  ], async (args, options, status, from) => {
    const secrets = [bearerToken, accessKey.split('.')[1], expired.slice(-20), 'hunter2']
    const ended = await run(args, { ...options, secrets })
    assert.deepEqual([ended.status, ended.stderr], [status, ''], ended.stdout)
    assert.ok(ended.stdout.includes(`, from ${from}. Nothing was verified`), ended.stdout)
    const { stdout } = await run([...args, '--json'], { ...options, secrets })
    assert.equal(stdout.indexOf('\n'), stdout.length - 1)
    const { good, verified, findings } = JSON.parse(stdout)
    assert.deepEqual([good, verified, findings.some(({ level }) => level === 'wrong')], [status === 0, false, status === 1])
  })
})

test('a token as an argument: done, with a word on where it stays', async () => {
  const { bearerToken } = sandbox()
  for (const args of [[bearerToken], ['Bearer', bearerToken]]) {
    const { status, stdout, stderr } = await run(['inspect', ...args], { secrets: [bearerToken.slice(-20)] })
    assert.equal(status, args.length - 1, stdout)
    assert.match(stderr, /shell's history .* --secret-file .* TTN_SECRET, or pipe it in/)
  }
})

test('what is wrong with the arguments, or with where the credential should be', async () => {
  const secret = 'ttn-account-v2.hunter2hunter2'
  writeFileSync(join(folder, 'empty'), ' \n')
  writeFileSync(join(folder, 'binary'), Buffer.from([0xff, 0xfe, 0x74, 0x00]))
  writeFileSync(join(folder, 'long'), 'x'.repeat(70_000))
  const file = (name) => ['--secret-file', join(folder, name)]
  await each([
    [['inspect'], /there is nothing in standard input\n.*pipe it in/],
    [['inspect'], /standard input is longer than 64 KiB/, { input: 'x'.repeat(1e6) }],
    [['inspect'], /standard input is not text in UTF-8/, { input: Buffer.from([0xff]) }],
    [['inspect', ...file('none')], /the file of --secret-file does not exist/],
    [['inspect', ...file('.')], /the file of --secret-file is a folder/],
    [['inspect', ...file('empty')], /there is nothing in the file of --secret-file/],
    [['inspect', ...file('binary')], /not text in UTF-8\n.*PowerShell/],
    [['inspect', ...file('long')], /longer than 64 KiB/],
    [['inspect', '--secret-file', secret], /does not exist/],
    [['inspect', '--secret-env', secret], /that --secret-env names is not set/],
    [['inspect', '--secret-env', 'EMPTY'], /is empty/, { env: { EMPTY: '' } }],
    [['inspect', '--secret-env', 'toString'], /is not set/],
    [['inspect', '--secret-env', 'A', ...file('empty')], /one place only/],
    [['inspect', '-', ...file('empty')], /one place only/],
    [['inspect', secret, ...file('empty')], /one place only/],
    [['inspect', '--kind', secret], /--kind must be bearer-token, access-key or api-key/],
    [['inspect', `--${secret}`], /unknown option, not shown/],
    [['inspect', '--token', secret], /unknown option --token\n/],
    [['inspect', `--token=${secret}`], /unknown option --token\n/],
    [['inspect', `--json=${secret}`], /--json/],
    [[secret], /unknown argument, not shown/],
    [[secret, 'inspect'], /unknown argument, not shown/],
  ], async (args, message, options) => {
    const { status, stdout, stderr } = await run(args, { ...options, secrets: ['hunter2'] })
    assert.deepEqual([status, stdout], [2, ''], stderr)
    assert.match(stderr, message)
    assert.match(stderr, /^Try: npx @thingskey\/ttn-auth (inspect )?--help$/m)
  })
})

/** Runs it on a terminal of its own; `keys` are what is typed there. */
function onTerminal(args, env = {}) {
  // On a CI machine Node.js takes every terminal for one without colours.
  const { TTN_SECRET, NO_COLOR, FORCE_COLOR, CI, ...environment } = process.env
  const script = 'import pty, sys, os; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))'
  const command = ['-c', script, process.execPath, ...COMMAND, ...args]
  return spawnSync('python3', command, { env: { ...environment, TERM: 'xterm-256color', ...env }, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' })
}

test('colours are for terminals; without a credential there it says what to do, and does not wait', async () => {
  const expired = { TTN_SECRET: sandbox().mintToken({ kind: 'expired' }) }
  const red = '\x1b[31mwrong: \x1b[39mit expired'
  assert.ok(onTerminal(['inspect'], expired).stdout.includes(red))
  assert.ok(!onTerminal(['inspect'], { ...expired, NO_COLOR: '1' }).stdout.includes('\x1b['))
  assert.ok(!onTerminal(['inspect', '--json'], expired).stdout.includes('\x1b['))
  assert.ok(!(await run(['inspect'], { env: expired })).stdout.includes('\x1b['))
  assert.ok((await run(['inspect'], { env: { ...expired, FORCE_COLOR: '1' } })).stdout.includes(red))
  const { status, stdout } = onTerminal(['inspect'])
  assert.equal(status, 2)
  assert.match(stdout, /no credential\r\n.*--secret-file.*pipe it in/)
})

test('what a claim says does nothing to a terminal', async () => {
  const text = token({ ...good, iss: '\x1b]0;owned\x07', sub: '\u009b2J\u202egood', type: 'a\nwrong: b' })
  for (const args of [['inspect'], ['inspect', '--json']]) {
    const { stdout } = await run(args, { input: text })
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(stdout, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/)
    assert.doesNotMatch(stdout, /^wrong: b/m)
    if (args.length === 2) assert.equal(JSON.parse(stdout).subject, '\u009b2J\u202egood')
    else assert.match(stdout, /subject +\\u\{9b\}2J\\u\{202e\}good/)
  }
})

test('output that nobody reads, output that cannot be written, Ctrl-C', async () => {
  const child = start(['inspect'])
  child.stdout.destroy()
  child.stdin.end('hunter2')
  assert.deepEqual(await once(child, 'exit'), [1, null])

  // Its standard output is open for reading only.
  const unwritten = spawnSync('sh', ['-c', 'exec "$@" 1< package.json', 'sh', process.execPath, ...COMMAND, 'inspect'], { cwd: folder, input: sandbox().bearerToken, encoding: 'utf8' })
  assert.deepEqual([unwritten.status, unwritten.stderr], [1, 'ttn-auth: the output cannot be written (EBADF)\n'])

  for (const signal of ['SIGINT', 'SIGTERM']) {
    // Its standard input never ends.
    const waiting = start(['inspect', '--secret-file', '/dev/stdin'])
    await once(waiting, 'spawn')
    const exited = once(waiting, 'exit')
    waiting.kill(signal)
    assert.deepEqual(await exited, [null, signal])
  }
})
