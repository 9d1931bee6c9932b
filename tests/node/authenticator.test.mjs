// Authenticator: what it takes, in any form of headers; what it refuses, and how a caller is told; its options.
import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { format, inspect } from 'node:util'

import { Metadata } from '@grpc/grpc-js'

import { AuthError, Authenticator, Credentials, Sandbox } from '../../node/index.js'
import { rejects, withSandbox } from './support.mjs'

const sandbox = withSandbox()
const ISSUER = 'ttn-account-v2'
const DEVICES = { appId: 'test-app', right: 'devices' }
const folder = mkdtempSync(join(tmpdir(), 'ttn-auth-'))
after(() => rmSync(folder, { recursive: true }))

const of = (network, options) => new Authenticator({ authServers: { [ISSUER]: network.accountServer }, ...options })
const bearer = (token) => ({ authorization: `Bearer ${token}` })

/** The answer that a refused caller gets. */
async function answerTo(authenticator, headers, options = DEVICES) {
  const error = await authenticator.authenticate(headers, options).then(() => assert.fail('let in'), (thrown) => thrown)
  assert.ok(error instanceof AuthError, inspect(error))
  return { code: error.code, ...error.answer }
}

test('both credentials, and what the claims say', async () => {
  const authenticator = of(sandbox())
  const { iat, exp, sub } = JSON.parse(Buffer.from(sandbox().bearerToken.split('.')[1], 'base64url'))
  const all = ['settings', 'delete', 'collaborators', 'devices', 'messages:up:r', 'messages:up:w', 'messages:down:w']
  const claims = await authenticator.authenticate(bearer(sandbox().bearerToken), DEVICES)
  assert.deepEqual([claims.kind, claims.issuer, claims.subject], ['bearer-token', ISSUER, sub])
  assert.deepEqual([claims.expiresAt, claims.issuedAt], [new Date(exp * 1000), new Date(iat * 1000)])
  assert.deepEqual([claims.scope, claims.apps], [['apps:test-app'], { 'test-app': all }])
  assert.deepEqual([claims.gateways, claims.components], [{}, {}])
  assert.ok(!('username' in claims || 'name' in claims || 'notBefore' in claims))
  assert.equal(Object.getPrototypeOf(claims), Object.prototype)
  assert.deepEqual(Authenticator.readUnverified(sandbox().bearerToken), claims)

  const exchanged = await authenticator.authenticate({ authorization: `Key ${sandbox().accessKey}` }, DEVICES)
  assert.deepEqual([exchanged.kind, exchanged.apps], ['access-key', { 'test-app': all }])
  // A token needs no application, a key does.
  assert.equal((await authenticator.authenticate(bearer(sandbox().bearerToken))).subject, sub)
  await rejects(authenticator.authenticate({ authorization: `Key ${sandbox().accessKey}` }), 'AUTH_INVALID_ARGUMENT')
  // Claims that are anybody's names stay claims.
  const odd = await authenticator.authenticate(bearer(sandbox().mintToken({ component: '__proto__' })))
  assert.deepEqual(Object.getPrototypeOf(odd.components), Object.prototype)
  assert.deepEqual(Object.keys(odd.components), ['__proto__'])
})

test('every form of headers and metadata', async () => {
  const authenticator = of(sandbox())
  const { bearerToken: good, accessKey: key } = sandbox()
  const metadata = new Metadata()
  metadata.add('token', good)
  metadata.add('token', 'junk')
  const good2 = `Bearer ${good}`
  for (const [form, carrier] of [
    [{ authorization: good2 }],
    [{ Authorization: good2, accept: '*/*' }],
    [{ 'GRPC-Metadata-Token': good }],
    [{ authorization: [good2, 'Bearer junk'] }],
    [Object.assign(Object.create(null), { authorization: `kEY ${key}` })],
    [new Headers({ authorization: good2 })],
    [new Map([['authorization', good2]])],
    [['Host', 'h', 'Authorization', good2, 'authorization', 'Bearer junk']],
    [['Grpc-Metadata-Key', key, 'grpc-metadata-key', 'junk']],
    [[['Authorization', good2], ['authorization', 'Bearer junk']]],
    [[...new Headers({ authorization: good2 })]],
    [{ token: good }, 'metadata'],
    [{ key }, 'metadata'],
    [metadata, 'metadata'],
    [['key', key], 'metadata'],
  ]) {
    const { subject } = await authenticator.authenticate(form, { carrier, ...DEVICES })
    assert.ok(subject, inspect(form))
  }
  for (const [form, carrier] of [
    [{}],
    [[]],
    [new Headers()],
    [new Metadata(), 'metadata'],
    [{ authorization: undefined }],
    [{ authorization: [] }],
    [{ authorization: `Basic ${good}` }],
    // Each carrier has names of its own.
    [{ token: good, key }],
    [{ authorization: good2 }, 'metadata'],
  ]) {
    await rejects(authenticator.authenticate(form, { carrier, ...DEVICES }), 'AUTH_MISSING_CREDENTIALS')
  }
  // Joined values cannot be told apart from one odd value: refused, as the odd one would be.
  const twice = new Headers([['authorization', good2], ['authorization', good2]])
  await rejects(authenticator.authenticate(twice, DEVICES), 'AUTH_INVALID_TOKEN', { secret: good })
})

test('wrong use says what to do, without an answer for the caller and without the secret', async () => {
  const authenticator = of(sandbox())
  const secret = 'hunter2hunter2'
  for (const [form, options, expected] of [
    [undefined, {}, /headers must be those of a request/],
    [`Bearer ${secret}`, {}, /headers must be those of a request/],
    [{ authorization: 5 }, {}, /"authorization" must be a string, not a number/],
    [{ authorization: { secret } }, {}, /"authorization" must be a string, not an object/],
    [{ authorization: `Bearer ${secret}\n` }, {}, /cannot be that of a header/],
    [{ authorization: `Bearer ${secret}\u20ac` }, {}, /cannot be that of a header/],
    [{ token: Buffer.from(secret) }, { carrier: 'metadata' }, /"token" must be a string, not a Buffer/],
    [new (class Request {})(), {}, /not a Request/],
    [{}, { carrier: 'cookie' }, /carrier must be 'header' or 'metadata'/],
    [{}, { appId: 5 }, /appId must be a string, not a number/],
    [{}, { appId: 'test-app', right: 'device' }, /right: no such right; expected one of: settings, .*devices/],
    [{}, { right: 'devices' }, /appId is missing/],
    [{}, { app_id: 'test-app' }, /no option "app_id"; there are: carrier, appId, right/],
    [{}, 'test-app', /options must be an object/],
  ]) {
    await rejects(authenticator.authenticate(form, options), 'AUTH_INVALID_ARGUMENT', {
      secret,
      check(error) {
        assert.match(error.message, expected)
        assert.equal(error.answer, undefined)
      },
    })
  }
})

const token = (options) => bearer(sandbox().mintToken(options))
const key = (text) => ({ authorization: `Key ${text}` })
const INVALID = ['AUTH_INVALID_TOKEN', 401, 7]
const DENIED = ['AUTH_PERMISSION_DENIED', 403, 7]

/** Cause, headers, and: code, HTTP status, gRPC code; options if other than DEVICES. */
const REFUSALS = [
  ['nothing', () => ({}), ['AUTH_MISSING_CREDENTIALS', 401, 3]],
  ['expired', () => token({ kind: 'expired' }), ['AUTH_TOKEN_EXPIRED', 401, 7]],
  ['not yet valid', () => token({ kind: 'future' }), ['AUTH_TOKEN_NOT_YET_VALID', 401, 7]],
  ['no exp', () => token({ kind: 'noexp' }), INVALID],
  ['bad signature', () => token({ kind: 'badsig' }), INVALID],
  ['tampered', () => token({ kind: 'tampered' }), INVALID],
  ['another algorithm', () => token({ kind: 'wrongalg' }), INVALID],
  ['unsigned', () => token({ kind: 'none' }), INVALID],
  ['public key as a password', () => token({ kind: 'hs256' }), INVALID],
  ['not a JWT', () => bearer('hunter2hunter2'), INVALID],
  ['too long', () => bearer(`e30.${'e'.repeat(70_000)}.`), INVALID],
  ['unknown issuer', () => token({ kind: 'wrongissuer' }), ['AUTH_UNKNOWN_ISSUER', 401, 7]],
  ['key of an unknown issuer', () => key('nobody.hunter2hunter2'), ['AUTH_UNKNOWN_ISSUER', 401, 2]],
  ['wrong key', () => key(`${ISSUER}.hunter2hunter2`), ['AUTH_INVALID_KEY', 401, 2]],
  ['key of another application', () => key(`${ISSUER}.full-other-app`), ['AUTH_INVALID_KEY', 401, 2]],
  ['right missing in a token', () => token({ kind: 'nodevices' }), DENIED],
  ['right missing in a key', () => key(`${ISSUER}.nodev-test-app`), DENIED],
  ['scope missing', () => token({ kind: 'noscope' }), DENIED],
  ['other application', () => token({ kind: 'otherapp' }), DENIED],
  ['an id that is none', () => token(), ['AUTH_INVALID_ARGUMENT', 400, 3], { appId: 'No-App', right: 'devices' }],
  ['an empty id, and nothing presented', () => ({}), ['AUTH_INVALID_ARGUMENT', 400, 3], { appId: '' }],
]

test('whoever is refused, and how each is told', async () => {
  const standard = of(sandbox())
  const v2 = of(sandbox(), { answers: 'v2' })
  const unauthenticated = of(sandbox(), { answers: 'unauthenticated' })
  for (const [cause, headers, [code, status, grpcCode], options] of REFUSALS) {
    const answer = await answerTo(standard, headers(), options)
    assert.deepEqual([answer.code, answer.status, answer.grpcCode], [code, status, grpcCode], cause)
    assert.equal(answer.headers['content-type'], 'application/json')
    assert.deepEqual(JSON.parse(answer.body), { error: answer.grpcMessage, code: grpcCode, message: answer.grpcMessage })
    const challenge = answer.headers['www-authenticate']
    if (code === 'AUTH_MISSING_CREDENTIALS') assert.match(challenge, /^Bearer realm="[^"]*"$/)
    else if (status === 401) assert.match(challenge, /^Bearer error="invalid_token", error_description="[^"]+"$/)
    else if (status === 403) assert.match(challenge, /^Bearer error="insufficient_scope", error_description="[^"]+"$/)
    else assert.equal(challenge, undefined)

    const asV2 = await answerTo(v2, headers(), options)
    assert.deepEqual([asV2.code, asV2.status, asV2.grpcCode], [code, 500, grpcCode], cause)
    assert.equal(asV2.headers['www-authenticate'], undefined)
    const told = await answerTo(unauthenticated, headers(), options)
    assert.deepEqual([told.status, told.grpcCode], [status, status === 401 ? 16 : grpcCode], cause)
  }
})

test('no secret in what is shown: the object, its errors, their answers', async () => {
  const client = { clientId: 'me', clientSecret: 'hunter2-client' }
  const authServers = { [ISSUER]: { address: sandbox().accountServer, ...client }, other: 'https://me:hunter2-url@localhost' }
  const authenticator = new Authenticator({ authServers })
  const shown = [format('%s %o %O %j', authenticator, authenticator, authenticator, authenticator), inspect(authenticator, { showHidden: true, depth: 9 })]
  assert.deepEqual(authenticator.issuers, [ISSUER, 'other'])
  assert.deepEqual(JSON.parse(JSON.stringify(authenticator)), { issuers: [ISSUER, 'other'] })
  assert.equal(inspect(authenticator), "Authenticator { issuers: [ 'ttn-account-v2', 'other' ] }")
  const secrets = ['hunter2']
  for (const [, headers, , options] of REFUSALS) {
    const given = headers()
    const error = await authenticator.authenticate(given, options ?? DEVICES).catch((thrown) => thrown)
    // Not shown twice, and not sent along.
    assert.ok(!('answer' in error.toJSON()) && !inspect(error).includes('grpcMessage'))
    shown.push(`${error.stack}${JSON.stringify(error)}${JSON.stringify(error.answer)}${inspect(error, { showHidden: true, depth: 9 })}`)
    const secret = given.authorization?.split(' ')[1]
    if (secret) secrets.push(secret, secret.split('.').at(-1) || secret)
  }
  for (const secret of secrets) assert.ok(!shown.join('\n').includes(secret), secret)
})

test('while the account server is away: what is known is known, the rest is closed', async (t) => {
  const own = await Sandbox.start({ rateLimit: false })
  t.after(() => own.stop())
  const keys = []
  const listener = (event) => keys.push(event)
  channel('ttn-auth:keys').subscribe(listener)
  t.after(() => channel('ttn-auth:keys').unsubscribe(listener))
  const keyDirectory = join(folder, 'keys')
  const known = of(own, { keyDirectory })
  await known.authenticate(bearer(own.bearerToken), DEVICES)
  await known.authenticate(key(own.accessKey), DEVICES)
  await known.reload()
  await known.authenticate(key(own.accessKey), DEVICES)
  own.stopAccountServer()

  assert.equal((await known.authenticate(bearer(own.bearerToken), DEVICES)).kind, 'bearer-token')
  assert.equal((await known.authenticate(key(own.accessKey), DEVICES)).kind, 'access-key')
  // A server that starts now has the key of the last run.
  assert.equal(readdirSync(keyDirectory).length, 1)
  assert.equal((await of(own, { keyDirectory }).authenticate(bearer(own.bearerToken), DEVICES)).kind, 'bearer-token')
  for (const [answers, status, code] of [['standard', 503, 14], ['unauthenticated', 503, 14], ['v2', 500, 2]]) {
    for (const headers of [bearer(own.bearerToken), key(own.accessKey)]) {
      const answer = await answerTo(of(own, { answers }), headers)
      assert.deepEqual([answer.code, answer.status, answer.grpcCode], ['AUTH_EXCHANGE_UNAVAILABLE', status, code])
      if (answers !== 'v2') {
        assert.match(answer.headers['retry-after'], /^[1-9]\d*$/)
        // Where the account server is, is nobody's business.
        assert.ok(!`${answer.body}${answer.grpcMessage}`.includes(new URL(own.accountServer).port))
      }
    }
  }
  await rejects(of(own).reload(), 'AUTH_EXCHANGE_UNAVAILABLE')
  await own.startAccountServer()
  await of(own).authenticate(bearer(own.bearerToken), DEVICES)
  assert.ok(keys.some(({ operation, outcome }) => operation === 'read' && outcome === 'ok'))
  assert.ok(keys.some(({ operation, outcome }) => operation === 'read' && outcome === 'AUTH_EXCHANGE_UNAVAILABLE'))
  assert.ok(keys.every(({ issuer }) => issuer === ISSUER))
})

test('keys that are given: as PEM, as GET /key tells them, in a file; and nobody is asked', async () => {
  const told = await (await fetch(`${sandbox().accountServer}/key`)).text()
  const pem = createPublicKey(JSON.parse(told).key).export({ type: 'spki', format: 'pem' })
  const keyFile = join(folder, 'key.json')
  writeFileSync(keyFile, told)
  const before = sandbox().counts.keys
  for (const server of [{ key: told }, { key: pem }, { keyFile }]) {
    const authenticator = new Authenticator({ authServers: { [ISSUER]: server } })
    assert.ok(await authenticator.authenticate(bearer(sandbox().bearerToken), DEVICES))
    await rejects(authenticator.authenticate(bearer(sandbox().mintToken({ kind: 'badsig' })), DEVICES), 'AUTH_INVALID_TOKEN')
    await rejects(authenticator.authenticate(key(sandbox().accessKey), DEVICES), 'AUTH_UNKNOWN_ISSUER')
    const both = new Authenticator({ authServers: { [ISSUER]: { ...server, address: sandbox().accountServer } } })
    assert.ok(await both.authenticate(key(sandbox().accessKey), DEVICES))
  }
  assert.equal(sandbox().counts.keys, before)
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' })
  const wrong = new Authenticator({ authServers: { [ISSUER]: { key: other } } })
  await rejects(wrong.authenticate(bearer(sandbox().bearerToken), DEVICES), 'AUTH_INVALID_TOKEN')
  assert.equal(readFileSync(keyFile, 'utf8'), told)
})

test('options that change what is taken', async () => {
  const noexp = bearer(sandbox().mintToken({ kind: 'noexp' }))
  const lately = bearer(sandbox().mintToken({ expiresIn: -2 }))
  assert.ok(await of(sandbox(), { allowMissingExpiry: true }).authenticate(noexp, DEVICES))
  assert.ok(await of(sandbox(), { compat: 'v2' }).authenticate(noexp, DEVICES))
  assert.equal((await of(sandbox(), { compat: 'v2' }).authenticate(noexp)).expiresAt, undefined)
  assert.ok(await of(sandbox(), { leeway: 60_000, maxKeyAge: 1000, maxExchanges: 1, timeout: 5000 }).authenticate(lately, DEVICES))
  await rejects(of(sandbox(), { leeway: 0 }).authenticate(lately, DEVICES), 'AUTH_TOKEN_EXPIRED')
  await rejects(of(sandbox(), { maxTokenSize: 20 }).authenticate(bearer(sandbox().bearerToken), DEVICES), 'AUTH_INVALID_TOKEN')
  const login = await Sandbox.start({ clientId: 'me', clientSecret: 's/1' })
  const address = login.accountServer.replace('http://', 'http://me:s%2F1@')
  for (const server of [address, { address: login.accountServer, clientId: 'me', clientSecret: 's/1' }]) {
    assert.ok(await new Authenticator({ authServers: { [ISSUER]: server } }).authenticate(key(login.accessKey), DEVICES))
  }
  assert.equal((await answerTo(of(login), key(login.accessKey))).status, 503)
  await login.stop()
})

test('wrong options', () => {
  const address = 'https://account.example'
  for (const [options, expected] of [
    [undefined, /options must be an object, not undefined/],
    [{}, /authServers are missing, such as/],
    [{ authServers: {} }, /authServers are missing/],
    [{ authServers: 'https://account.example' }, /authServers must be an object/],
    [{ authServers: { a: 5 } }, /authServers\["a"\]: must be an address, or an object/],
    [{ authServers: { a: null } }, /authServers\["a"\]: must be an address/],
    [{ authServers: { a: 'account.example' } }, /authServers\["a"\]: /],
    [{ authServers: { a: {} } }, /authServers\["a"\]: .*give the address/],
    [{ authServers: { a: { adress: address } } }, /authServers\["a"\]: there is no option "adress"; there are: address, /],
    [{ authServers: { a: { address, clientId: 'me' } } }, /clientId and clientSecret belong together/],
    [{ authServers: { a: { address, ca: 'hunter2' } } }, /authServers\["a"\]/],
    [{ authServers: { a: { key: 'hunter2' } } }, /authServers\["a"\]: .*PEM/],
    [{ authServers: { a: { keyFile: '' } } }, /keyFile must be a path/],
    [{ authServers: { a: { key: '-', keyFile: 'x', address } } }, /authServers\["a"\]/],
    [{ authServers: { a: { keyFile: 'x', clientId: 'c', clientSecret: 's' } } }, /clientId needs an address/],
    [{ authServers: { [ISSUER]: { ca: 'x' } } }, /ca needs an address/],
    [{ authServers: { a: { address, timeout: 0 } } }, /timeout must be a number of milliseconds above 0/],
    [{ authServers: { a: address }, leeway: -1 }, /leeway must be/],
    [{ authServers: { a: address }, leeway: '5s' }, /leeway must be a number/],
    [{ authServers: { a: address }, maxTokenSize: 0 }, /maxTokenSize must be 1 or more/],
    [{ authServers: { a: address }, maxExchanges: 1.5 }, /maxExchanges must be a whole number/],
    [{ authServers: { a: address }, allowMissingExpiry: 'yes' }, /allowMissingExpiry must be true or false/],
    [{ authServers: { a: address }, compat: true }, /compat must be a string/],
    [{ authServers: { a: address }, compat: 'v3' }, /compat must be 'v2'/],
    [{ authServers: { a: address }, answers: 'V2' }, /answers must be 'standard', 'v2' or 'unauthenticated'/],
    [{ authServers: { a: address }, keyDirectory: 'a\0b' }, /keyDirectory must be a path/],
    [{ authServers: { a: address }, timeOut: 5 }, /no option "timeOut"; there are: .*timeout/],
  ]) {
    assert.throws(() => new Authenticator(options), (error) => {
      assert.ok(error instanceof AuthError)
      assert.equal(error.code, 'AUTH_INVALID_ARGUMENT')
      assert.match(error.message, expected)
      assert.ok(!error.message.includes('hunter2'))
      return true
    })
  }
  assert.throws(() => new Authenticator({ authServers: { a: 'http://account.example' } }), { code: 'AUTH_INSECURE_TRANSPORT' })
  assert.deepEqual(new Authenticator({ authServers: { [ISSUER]: {} } }).issuers, [ISSUER])
})

test('allows takes the scope and the right; readUnverified says what anybody may have written', async () => {
  const authenticator = of(sandbox())
  const claims = await authenticator.authenticate(token({ rights: ['devices'] }))
  assert.equal(authenticator.allows(claims, 'test-app', 'devices'), true)
  assert.equal(authenticator.allows(claims, 'test-app', 'settings'), false)
  assert.equal(authenticator.allows(claims, 'other-app', 'devices'), false)
  assert.equal(authenticator.allows({ ...claims, scope: ['apps'] }, 'test-app', 'devices'), false)
  assert.equal(authenticator.allows({ scope: [], apps: {} }, 'test-app', 'devices'), false)
  for (const id of ['toString', '__proto__', 'constructor', '']) assert.equal(authenticator.allows({ scope: [`apps:${id}`], apps: {} }, id, 'devices'), false)
  assert.throws(() => authenticator.allows(claims, 'test-app', 'device'), { code: 'AUTH_INVALID_ARGUMENT', message: /no such right/ })
  assert.throws(() => authenticator.allows(undefined, 'test-app', 'devices'), { code: 'AUTH_INVALID_ARGUMENT' })
  for (const right of [undefined, null]) {
    await assert.rejects(authenticator.authenticate({}, { appId: 'test-app', right }), { code: 'AUTH_INVALID_ARGUMENT', message: /leave it out/ })
  }
  assert.throws(() => authenticator.allows({ scope: 'apps:test-app' }, 'test-app', 'devices'), { code: 'AUTH_INVALID_ARGUMENT' })

  const forged = sandbox().mintToken({ kind: 'none', subject: 'me' })
  assert.deepEqual([Authenticator.readUnverified(forged).subject, Authenticator.readUnverified(forged).kind], ['me', 'bearer-token'])
  assert.throws(() => Authenticator.readUnverified('hunter2'), (error) => error.code === 'AUTH_INVALID_TOKEN' && !error.stack.includes('hunter2'))
  assert.throws(() => Authenticator.readUnverified(5), { code: 'AUTH_INVALID_ARGUMENT' })
})

test('what a client sends is what is taken: headers() and metadata()', async () => {
  const authenticator = of(sandbox())
  for (const secret of [sandbox().accessKey, sandbox().bearerToken]) {
    const credentials = Credentials.parse(secret)
    for (const [form, carrier] of [[credentials.headers(), 'header'], [credentials.metadata(), 'metadata']]) {
      assert.equal((await authenticator.authenticate(form, { carrier, ...DEVICES })).kind, credentials.kind)
    }
  }
})
