// Credentials: what is accepted, what is refused and why, and that nothing shows the secret.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect, format } from 'node:util'
import { serialize } from 'node:v8'
import { Worker } from 'node:worker_threads'

import { AuthError, Credentials } from '../../node/index.js'

const SECRET = 'hunter2hunter2'
const KEY = `ttn-account-v2.${SECRET}`
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const CLAIMS = {
  iss: 'ttn-account-v2',
  sub: 'me',
  exp: 1_700_000_000.5,
  scope: ['apps:my-app'],
  apps: { 'my-app': ['devices', 'settings'] },
}
const TOKEN = `${part({ alg: 'ES256' })}.${part(CLAIMS)}.${SECRET}`

const refused = (act, code, message) =>
  assert.throws(act, (error) => {
    assert.ok(error instanceof AuthError, String(error))
    assert.ok(error instanceof Error)
    assert.equal(error.name, 'AuthError')
    assert.equal(error.code, code)
    assert.equal(error.kind, code.replace('AUTH_', '').toLowerCase().replaceAll('_', '-'))
    assert.match(error.message, message)
    assert.equal(error.transient, false)
    assert.ok(error.hint.length > 10)
    assert.ok(!inspect(error, { depth: 9 }).includes(SECRET))
    return true
  })

test('parse tells the kinds apart', () => {
  assert.equal(Credentials.parse(KEY).kind, 'access-key')
  assert.equal(Credentials.parse(TOKEN).kind, 'bearer-token')
  assert.equal(Credentials.bearerToken(TOKEN).kind, 'bearer-token')
  assert.equal(Credentials.accessKey(SECRET).kind, 'access-key')
})

test('what travels', () => {
  assert.deepEqual(Credentials.parse(KEY).headers(), { authorization: `Key ${KEY}` })
  assert.deepEqual(Credentials.parse(KEY).metadata(), { key: KEY })
  assert.deepEqual(Credentials.parse(TOKEN).headers(), { authorization: `Bearer ${TOKEN}` })
  assert.deepEqual(Credentials.parse(TOKEN).metadata(), { token: TOKEN })
})

test('describe reads the claims, and leaves out what is not there', () => {
  assert.deepEqual(Credentials.parse(TOKEN).describe(), {
    kind: 'bearer-token',
    issuer: 'ttn-account-v2',
    subject: 'me',
    scope: ['apps:my-app'],
    expiresAt: new Date(1_700_000_000_500),
    apps: { 'my-app': ['devices', 'settings'] },
  })
  assert.deepEqual(Credentials.parse(KEY).describe(), { kind: 'access-key', issuer: 'ttn-account-v2' })
  assert.deepEqual(Credentials.accessKey(KEY, { appId: 'my-app' }).describe(), {
    kind: 'access-key',
    issuer: 'ttn-account-v2',
    appId: 'my-app',
  })
  assert.deepEqual(Credentials.bearerToken('no-jwt').describe(), { kind: 'bearer-token' })
})

test('an application named like a property of objects is an ordinary one', () => {
  const token = `${part({ alg: 'ES256' })}.${Buffer.from('{"apps":{"__proto__":["devices"]}}').toString('base64url')}.x`
  const { apps } = Credentials.parse(token).describe()
  assert.equal({}.devices, undefined)
  assert.equal(Object.getPrototypeOf({}), Object.prototype)
  assert.ok(apps)
})

test('refusals name what is wrong', () => {
  const invalid = 'AUTH_INVALID_CREDENTIALS'
  refused(() => Credentials.parse(''), invalid, /empty/)
  refused(() => Credentials.parse(` ${KEY}`), invalid, /blank/)
  refused(() => Credentials.parse(`${KEY}\n`), invalid, /line break/)
  refused(() => Credentials.parse(`${KEY}\0`), invalid, /control/)
  refused(() => Credentials.parse(`Bearer ${TOKEN}`), invalid, /"Bearer "/)
  refused(() => Credentials.parse(`key ${KEY}`), invalid, /"Key "/)
  refused(() => Credentials.parse('${TTN_KEY}'), invalid, /TTN_KEY is not set/)
  refused(() => Credentials.parse(SECRET), invalid, /neither/)
  refused(() => Credentials.parse(`a.b.${SECRET}`), invalid, /neither/)
  refused(() => Credentials.parse(`ttn.\ud800${SECRET}`), invalid, /ASCII/)
  refused(() => Credentials.bearerToken(KEY), invalid, /access key/)
  refused(() => Credentials.accessKey(TOKEN), invalid, /bearer token/)
})

test('arguments of the wrong type are refused, whatever they are', () => {
  const wrong = 'AUTH_INVALID_ARGUMENT'
  for (const value of [undefined, null, 1, true, {}, [KEY], Symbol('x'), 1n, () => KEY, Buffer.from(KEY), new String(KEY)]) {
    for (const make of [Credentials.parse, Credentials.bearerToken, Credentials.accessKey]) {
      refused(() => make(value), wrong, /must be a string/)
    }
  }
  refused(() => Credentials.accessKey(KEY, 'my-app'), wrong, /options must be an object/)
  refused(() => Credentials.accessKey(KEY, { appId: 7 }), wrong, /appId must be a string, not a number/)
})

test('nothing shows the secret', () => {
  for (const credentials of [Credentials.parse(KEY), Credentials.parse(TOKEN)]) {
    const { kind } = credentials
    assert.equal(inspect(credentials), `Credentials { kind: '${kind}' }`)
    assert.equal(JSON.stringify({ credentials }), `{"credentials":{"kind":"${kind}"}}`)
    const shown = [
      inspect(credentials, { showHidden: true, depth: Infinity, customInspect: false, getters: true }),
      inspect({ nested: [credentials] }, { depth: 9 }),
      format('%s %o %O %j', credentials, credentials, credentials, credentials),
      String(credentials),
      `${Object.entries(credentials)}`,
      inspect(structuredClone(credentials)),
      serialize(credentials).toString('latin1'),
    ]
    for (const text of shown) assert.ok(!text.includes(SECRET), text)
  }
})

test('methods refuse another object, and the class cannot be made by hand', () => {
  for (const act of [
    () => Credentials.prototype.headers.call({}),
    () => Object.create(Credentials.prototype).headers(),
    () => Reflect.get(Credentials.prototype, 'kind', {}),
    () => new Credentials(),
  ]) {
    assert.throws(act, Error)
  }
  assert.doesNotThrow(() => inspect(Credentials.prototype))
})

test('an AuthError can be made, thrown and written as JSON', () => {
  const error = new AuthError('no', { code: 'AUTH_TOKEN_EXPIRED', hint: 'renew', httpStatus: 500, cause: new Error('c') })
  assert.deepEqual(JSON.parse(JSON.stringify(error)), {
    name: 'AuthError',
    message: 'no',
    code: 'AUTH_TOKEN_EXPIRED',
    kind: 'token-expired',
    transient: false,
    hint: 'renew',
    httpStatus: 500,
  })
  assert.match(error.stack, /^AuthError: no\n/)
  assert.equal(new AuthError('x').code, 'AUTH_INTERNAL')
})

test('an environment variable, as this thread has it', async () => {
  process.env.TTN_TEST_KEY = ` ${KEY}\n`
  const key = Credentials.fromEnvironment('TTN_TEST_KEY', { appId: 'my-app' })
  assert.deepEqual(key.describe(), { kind: 'access-key', issuer: 'ttn-account-v2', appId: 'my-app' })
  assert.deepEqual(key.metadata(), { key: KEY })
  assert.equal(Credentials.fromEnvironment('TTN_TEST_KEY', { kind: 'access-key' }).kind, 'access-key')
  refused(() => Credentials.fromEnvironment('TTN_TEST_KEY', { kind: 'bearer-token' }), 'AUTH_INVALID_CREDENTIALS', /TTN_TEST_KEY is no good: .*access key/)
  process.env.TTN_TEST_KEY = '  '
  refused(() => Credentials.fromEnvironment('TTN_TEST_KEY'), 'AUTH_INVALID_CREDENTIALS', /TTN_TEST_KEY is empty/)
  delete process.env.TTN_TEST_KEY
  refused(() => Credentials.fromEnvironment('TTN_TEST_KEY'), 'AUTH_INVALID_CREDENTIALS', /TTN_TEST_KEY is not set/)
  refused(() => Credentials.fromEnvironment(KEY), 'AUTH_INVALID_ARGUMENT', /variable's name/)
  refused(() => Credentials.fromEnvironment('A=B'), 'AUTH_INVALID_ARGUMENT', /variable's name/)
  refused(() => Credentials.fromEnvironment(), 'AUTH_INVALID_ARGUMENT', /name must be a string/)
  refused(() => Credentials.fromEnvironment('TTN_TEST_KEY', { kind: 'key' }), 'AUTH_INVALID_ARGUMENT', /kind must be/)
  // A worker has an environment of its own.
  const code = `
    const { Credentials } = require(${JSON.stringify(fileURLToPath(new URL('../../node/index.js', import.meta.url)))})
    require('node:worker_threads').parentPort.postMessage(Credentials.fromEnvironment('TTN_WORKER_KEY').kind)
  `
  const worker = new Worker(code, { eval: true, env: { TTN_WORKER_KEY: KEY } })
  assert.deepEqual(await once(worker, 'message'), ['access-key'])
})

test('a file: read when it is needed, and its errors are told then', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ttn-auth-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'secret')
  const file = Credentials.fromFile(path, { appId: 'my-app' })
  refused(() => file.kind, 'AUTH_INVALID_ARGUMENT', /does not exist/)
  refused(() => file.headers(), 'AUTH_INVALID_ARGUMENT', /does not exist/)
  assert.equal(inspect(file), 'Credentials { kind: undefined }')
  assert.equal(JSON.stringify(file), '{}')
  writeFileSync(path, `${KEY}\n`)
  assert.equal(file.kind, 'access-key')
  assert.deepEqual(file.describe(), { kind: 'access-key', issuer: 'ttn-account-v2', appId: 'my-app' })
  assert.equal(inspect(file), "Credentials { kind: 'access-key' }")
  writeFileSync(path, TOKEN)
  assert.deepEqual([file.kind, file.metadata()], ['bearer-token', { token: TOKEN }])
  // What is no good does not replace what was.
  writeFileSync(path, '')
  assert.deepEqual([file.kind, file.metadata()], ['bearer-token', { token: TOKEN }])
  assert.equal(Credentials.fromFile(path, { kind: 'access-key' }).kind, 'access-key')
  refused(() => Credentials.fromFile(folder).kind, 'AUTH_INVALID_ARGUMENT', /directory/)
  for (const wrong of [undefined, '', 5, 'a\0b']) refused(() => Credentials.fromFile(wrong), 'AUTH_INVALID_ARGUMENT', /path must be/)
  refused(() => Credentials.fromFile(path, { kind: 'key' }), 'AUTH_INVALID_ARGUMENT', /kind must be/)
})

test('an API key of The Things Stack is one over both transports, and shows its id', () => {
  const key = Credentials.apiKey('NNSXS.ID.SECRET')
  assert.equal(key.kind, 'api-key')
  assert.deepEqual(key.headers(), { authorization: 'Bearer NNSXS.ID.SECRET' })
  assert.deepEqual(key.metadata(), { authorization: 'Bearer NNSXS.ID.SECRET' })
  assert.deepEqual(key.describe(), { kind: 'api-key', type: 'api-key', network: 'the-things-stack', id: 'ID' })
  assert.ok(!inspect(key, { showHidden: true }).includes('SECRET') && !JSON.stringify(key).includes('SECRET'))
})

test('parse tells what The Things Stack issues apart, and says what to do with what no call takes', () => {
  for (const [text, kind, type] of [
    ['NNSXS.ID.SECRET', 'api-key', 'api-key'],
    ['MFRWG.ID.SECRET', 'bearer-token', 'oauth-access-token'],
    ['ONZW4.ID.SECRET', 'bearer-token', 'session-token'],
  ]) {
    const { kind: found, type: exactly } = Credentials.parse(text).describe()
    assert.deepEqual([found, exactly], [kind, type])
  }
  for (const [text, remedy] of [
    ['OJSWM.ID.SECRET', /refresh token of The Things Stack.*token source/],
    ['MF2XI.ID.SECRET', /authorization code.*\/oauth\/token/],
    ['NNSXS.ID', /three parts/],
    ['nnsxs.id.secret', /capital letters/],
  ]) {
    assert.throws(() => Credentials.parse(text), (error) => remedy.test(error.message) && !/SECRET/i.test(error.message))
  }
  assert.throws(() => Credentials.accessKey('NNSXS.ID.SECRET'), /give it as an API key/)
  assert.throws(() => Credentials.bearerToken('NNSXS.ID.SECRET'), /give it as an API key/)
  assert.throws(() => Credentials.apiKey('ttn-account-v2.abc'), /begins with NNSXS/)
})

test('an MQTT server is signed in at as its network wants it', () => {
  const key = Credentials.apiKey('NNSXS.ID.SECRET')
  assert.deepEqual(key.mqtt({ appId: 'app1', tenant: 'ttn' }), { username: 'app1@ttn', password: 'NNSXS.ID.SECRET' })
  assert.deepEqual(key.mqtt({ appId: 'app1' }), { username: 'app1', password: 'NNSXS.ID.SECRET' })
  const v2 = Credentials.accessKey('ttn-account-v2.abc', { appId: 'app1' })
  assert.deepEqual(v2.mqtt(), { username: 'app1', password: 'ttn-account-v2.abc' })
  assert.throws(() => v2.mqtt({ tenant: 'ttn' }), /V2 has no tenants/)
  assert.throws(() => key.mqtt(), /appId is missing/)
  assert.throws(() => key.mqtt({ appId: 'A B' }), { code: 'AUTH_INVALID_ARGUMENT' })
  assert.throws(() => Credentials.bearerToken('t').mqtt({ appId: 'app1' }), { code: 'AUTH_INVALID_CREDENTIALS' })
})
