// Tokens that were seen before: what must never be answered from memory, and what is. Whoever is remembered is answered
// without another thread, which shows once somebody was refused: until then Rust answers at once as well.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'

import { Authenticator, Sandbox } from '../../node/index.js'
import { rejects, withSandbox } from './support.mjs'

const sandbox = withSandbox()
const ISSUER = 'ttn-account-v2'
const DEVICES = { appId: 'test-app', right: 'devices' }

const of = (network, options) => new Authenticator({ authServers: { [ISSUER]: network.accountServer }, ...options })
const bearer = (token) => ({ authorization: `Bearer ${token}` })

/** Whether a call is answered before anything else could run. */
async function isRemembered(authenticator, headers, options) {
  await authenticator.authenticate({}).catch(() => {})
  let answered = false
  const answer = authenticator.authenticate(headers, options).then((claims) => {
    answered = true
    return claims
  })
  for (let turn = 0; turn < 10; turn++) await null
  const before = answered
  await answer
  return before
}

/** A token is remembered when it comes again. */
async function twice(authenticator, presented, options) {
  await authenticator.authenticate(presented, options)
  await authenticator.authenticate(presented, options)
}

/** How many of these are answered before anything else could run. */
async function answeredAtOnce(answers) {
  let answered = 0
  for (const answer of answers) answer.then(() => answered++, () => {})
  for (let turn = 0; turn < 10; turn++) await null
  return answered
}

test('of many new tokens in one turn some are answered at once, and all of them rightly', async () => {
  const authenticator = of(sandbox())
  // The signing key is read first.
  await authenticator.authenticate(bearer(sandbox().bearerToken))
  for (const forms of [bearer, (token) => new Headers(bearer(token))]) {
    await new Promise(setImmediate)
    const tokens = Array.from({ length: 40 }, (_, n) => sandbox().mintToken({ rights: n % 2 ? ['devices'] : ['settings'] }))
    const answers = tokens.map((token) => authenticator.authenticate(forms(token)))
    assert.equal(await answeredAtOnce(answers), 16)
    const rights = (await Promise.all(answers)).map(({ apps }) => apps['test-app'])
    assert.deepEqual(rights, tokens.map((_, n) => (n % 2 ? ['devices'] : ['settings'])))
  }
})

test('whoever verifies one new token after the other leaves the event loop its turns', async () => {
  const authenticator = of(sandbox())
  const tokens = Array.from({ length: 100 }, () => bearer(sandbox().mintToken()))
  await authenticator.authenticate(tokens[0])
  let turns = 0
  const turn = () => {
    turns += 1
    immediate = setImmediate(turn)
  }
  let immediate = setImmediate(turn)
  for (const token of tokens) await authenticator.authenticate(token)
  clearImmediate(immediate)
  assert.ok(turns >= 5, `${turns} turns`)
})

test('each caller gets claims of its own', async () => {
  const authenticator = of(sandbox())
  const headers = bearer(sandbox().mintToken({ component: '__proto__' }))
  const first = await authenticator.authenticate(headers, DEVICES)
  const expected = structuredClone(first)
  for (let call = 0; call < 3; call++) {
    const claims = await authenticator.authenticate(headers, DEVICES)
    assert.deepEqual(claims, expected)
    assert.deepEqual(Object.keys(claims), Object.keys(first))
    assert.equal(Object.getPrototypeOf(claims.components), Object.prototype)
    assert.deepEqual(Object.keys(claims.components), ['__proto__'])
    for (const one of [first, claims]) {
      one.expiresAt.setTime(0)
      one.issuedAt.setTime(0)
      one.scope.push('apps:other-app')
      one.apps['test-app'].length = 0
      one.apps['other-app'] = ['devices']
      Object.getOwnPropertyDescriptor(one.components, '__proto__').value.push('x')
    }
  }
})

test('who is remembered is answered at once: bearer tokens, and for what they were allowed before', async () => {
  const authenticator = of(sandbox())
  const headers = bearer(sandbox().bearerToken)
  assert.equal(await isRemembered(authenticator, headers, DEVICES), false)
  assert.equal(await isRemembered(authenticator, headers, DEVICES), false)
  assert.equal(await isRemembered(authenticator, headers, DEVICES), true)
  // The same text in any plain form; other forms are read anew, and give the same.
  assert.equal(await isRemembered(authenticator, [['authorization', headers.authorization]], DEVICES), true)
  assert.equal(await isRemembered(authenticator, { accept: '*/*', 'cache-control': 'no-cache', ...headers }, DEVICES), true)
  assert.equal(await isRemembered(authenticator, new Headers(headers), DEVICES), false)
  assert.equal(await isRemembered(authenticator, headers), false)
  assert.equal(await isRemembered(authenticator, headers), true)
  assert.equal(await isRemembered(authenticator, { authorization: `Key ${sandbox().accessKey}` }, DEVICES), false)
  assert.equal(await isRemembered(authenticator, { authorization: `Key ${sandbox().accessKey}` }, DEVICES), false)
})

test('what a token was not allowed it is not allowed because it is known', async () => {
  const authenticator = of(sandbox())
  const headers = bearer(sandbox().mintToken({ rights: ['devices'] }))
  for (let call = 0; call < 2; call++) {
    await authenticator.authenticate(headers, DEVICES)
    await authenticator.authenticate(headers)
    await authenticator.authenticate(headers, { appId: 'other-app' })
    await rejects(authenticator.authenticate(headers, { appId: 'test-app', right: 'settings' }), 'AUTH_PERMISSION_DENIED')
    await rejects(authenticator.authenticate(headers, { appId: 'other-app', right: 'devices' }), 'AUTH_PERMISSION_DENIED')
    for (const wrong of [
      { appId: 'Test-App', right: 'devices' },
      { appId: 'test-app', right: 'device' },
      { appId: 'test-app', right: undefined },
      Object.defineProperty({ appId: 'test-app' }, 'right', { value: undefined }),
      { appId: 'test-app', right: null },
      { appId: '', right: 'devices' },
      { right: 'devices' },
      { ...DEVICES, carrier: 'cookie' },
      { ...DEVICES, Right: 'devices' },
      'test-app',
    ]) {
      await rejects(authenticator.authenticate(headers, wrong), 'AUTH_INVALID_ARGUMENT')
    }
  }
  // It may ask about so many applications that its right on its own is forgotten; Rust knows it.
  for (let n = 0; n < 40; n++) await authenticator.authenticate(headers, { appId: `app-${n}` })
  assert.equal(await isRemembered(authenticator, headers, { appId: 'app-39' }), true)
  assert.equal(await isRemembered(authenticator, headers, DEVICES), false)
})

test('what else is presented counts as it does for a stranger', async () => {
  const authenticator = of(sandbox())
  const { bearerToken: good } = sandbox()
  const bad = sandbox().mintToken({ kind: 'badsig' })
  await twice(authenticator, bearer(good))
  await twice(authenticator, { token: good }, { carrier: 'metadata' })
  for (const [form, code, carrier] of [
    [bearer(bad), 'AUTH_INVALID_TOKEN'],
    // One carrier's text is not the other's.
    [{ token: `Bearer ${good}` }, 'AUTH_INVALID_TOKEN', 'metadata'],
    [{ authorization: good }, 'AUTH_MISSING_CREDENTIALS'],
    // The first of two counts, whatever its letters are.
    [{ Authorization: `Bearer ${bad}`, ...bearer(good) }, 'AUTH_INVALID_TOKEN'],
    [{ 'grpc-metadata-key': 5, ...bearer(good) }, 'AUTH_INVALID_ARGUMENT'],
    [{ KEY: 5, token: good }, 'AUTH_INVALID_ARGUMENT', 'metadata'],
    [Object.create(bearer(good)), 'AUTH_INVALID_ARGUMENT'],
    [Object.assign(new (class Request {})(), bearer(good)), 'AUTH_INVALID_ARGUMENT'],
    [Object.create(Object.assign(Object.create(null), bearer(good))), 'AUTH_MISSING_CREDENTIALS'],
    [{ ...bearer(good), get: () => undefined }, 'AUTH_MISSING_CREDENTIALS'],
    [[['authorization', `Bearer ${bad}`], ['authorization', `Bearer ${good}`]], 'AUTH_INVALID_TOKEN'],
    [{ get authorization() { throw new Error('no') } }, 'AUTH_INVALID_ARGUMENT'],
    [`Bearer ${good}`, 'AUTH_INVALID_ARGUMENT'],
    [null, 'AUTH_INVALID_ARGUMENT'],
  ]) {
    await rejects(authenticator.authenticate(form, { carrier }), code)
  }
})

test('what says one thing and then another is taken at its first word, and teaches nothing', async () => {
  const authenticator = of(sandbox())
  const good = `Bearer ${sandbox().bearerToken}`
  const bad = `Bearer ${sandbox().mintToken({ kind: 'badsig' })}`
  const saying = (...words) => ({ get authorization() { return words.length > 1 ? words.shift() : words[0] } })
  await rejects(authenticator.authenticate(saying(bad, good)), 'AUTH_INVALID_TOKEN')
  await authenticator.authenticate({ authorization: good })
  await authenticator.authenticate(saying(good, bad))
  for (let call = 0; call < 2; call++) {
    await rejects(authenticator.authenticate({ authorization: bad }), 'AUTH_INVALID_TOKEN')
    await authenticator.authenticate({ authorization: good })
  }
  const rights = { n: 0, appId: 'test-app', get right() { return this.n++ === 0 ? 'devices' : 'settings' } }
  Object.defineProperty(rights, 'n', { enumerable: false })
  const few = bearer(sandbox().mintToken({ rights: ['devices'] }))
  await authenticator.authenticate(few)
  await authenticator.authenticate(few, rights)
  await rejects(authenticator.authenticate(few, { appId: 'test-app', right: 'settings' }), 'AUTH_PERMISSION_DENIED')
})

test('a token is good through the second that exp names, and not longer', { timeout: 30_000 }, async () => {
  const authenticator = of(sandbox())
  const token = sandbox().mintToken({ expiresIn: 1 })
  const { exp } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
  let calls = 0
  for (;;) {
    const began = Date.now()
    const error = await authenticator.authenticate(bearer(token)).then(() => undefined, (thrown) => thrown)
    if (error) {
      assert.equal(error.code, 'AUTH_TOKEN_EXPIRED')
      assert.ok(Date.now() >= (exp + 1) * 1000, 'not before its time')
      break
    }
    assert.ok(began < (exp + 1) * 1000, 'not after its time')
    calls += 1
  }
  assert.ok(calls > 1000, `${calls}`)
  await rejects(authenticator.authenticate(bearer(token)), 'AUTH_TOKEN_EXPIRED')
})

test('when a key is replaced, nothing that was signed with it is remembered', async (t) => {
  const own = await Sandbox.start({ rateLimit: false })
  t.after(() => own.stop())
  const authenticator = of(own)
  const old = bearer(own.bearerToken)
  for (let call = 0; call < 3; call++) await authenticator.authenticate(old, DEVICES)
  // The same key read again changes nothing.
  await authenticator.reload()
  assert.equal(await isRemembered(authenticator, old, DEVICES), true)
  own.rotateSigningKey()
  await authenticator.reload()
  await rejects(authenticator.authenticate(old, DEVICES), 'AUTH_INVALID_TOKEN')
  await authenticator.authenticate(bearer(own.mintToken()), DEVICES)
  await rejects(authenticator.authenticate(old, DEVICES), 'AUTH_INVALID_TOKEN')
})

test('an old key is read again although all callers are remembered', { timeout: 30_000 }, async (t) => {
  const own = await Sandbox.start({ rateLimit: false })
  t.after(() => own.stop())
  const authenticator = of(own, { maxKeyAge: 20 })
  const old = bearer(own.bearerToken)
  await twice(authenticator, old)
  const before = own.counts.keys
  while (own.counts.keys < before + 3) {
    await authenticator.authenticate(old)
    await new Promise(setImmediate)
  }
  own.rotateSigningKey()
  // Found out by nothing but these calls.
  for (;;) {
    const error = await authenticator.authenticate(old).then(() => undefined, (thrown) => thrown)
    if (error) {
      assert.equal(error.code, 'AUTH_INVALID_TOKEN')
      break
    }
    await new Promise(setImmediate)
  }
})

test('it is bounded, what is used stays, and nothing of it is seen', async () => {
  const authenticator = of(sandbox())
  const [used, first] = [bearer(sandbox().mintToken()), bearer(sandbox().mintToken())]
  await twice(authenticator, used)
  await twice(authenticator, first)
  assert.equal(await isRemembered(authenticator, first), true)
  for (let n = 0; n < 2000; n++) {
    await twice(authenticator, bearer(sandbox().mintToken()))
    if (n % 500 === 0) await authenticator.authenticate(used)
  }
  assert.equal(await isRemembered(authenticator, used), true)
  assert.equal(await isRemembered(authenticator, first), false)
  const shown = `${inspect(authenticator, { showHidden: true, depth: 9 })}${JSON.stringify(authenticator)}${Reflect.ownKeys(authenticator).map(String)}`
  assert.ok(!shown.includes('Bearer') && !shown.includes(first.authorization.slice(7, 27)), shown)
})

test('one authenticator does not know what another does', async () => {
  const headers = bearer(sandbox().bearerToken)
  await twice(of(sandbox()), headers)
  const stranger = new Authenticator({ authServers: { other: sandbox().accountServer } })
  await rejects(stranger.authenticate(headers), 'AUTH_UNKNOWN_ISSUER')
  assert.throws(() => Authenticator.prototype.authenticate.call({}, headers))
})
