// Who a ttn-guard lets pass, and what the others are told: a real Node-RED serves, the sandbox is the account server.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'

import { assertRefused, bearer, key, withGuard } from './guarded.mjs'

const guarded = withGuard()
const RIGHTS = ['settings', 'delete', 'collaborators', 'devices', 'messages:up:r', 'messages:up:w', 'messages:down:w']

test('a bearer token passes, and the flow is told whose it is', async () => {
  await guarded.serve()
  const token = guarded.sandbox.mintToken({ subject: 'someone', expiresIn: 600 })
  const { status, body } = await guarded.call(bearer(token))
  assert.equal(status, 200)
  const { expires_at, ...rest } = body
  assert.deepEqual(rest, { kind: 'bearer-token', subject: 'someone', app_id: 'test-app', rights: RIGHTS })
  const left = new Date(expires_at) - Date.now()
  assert.ok(left > 590_000 && left <= 601_000, expires_at)
})

test('an access key passes; the rights are those of the key', async () => {
  await guarded.serve()
  const { status, body } = await guarded.call(key(guarded.sandbox.accessKey))
  assert.equal(status, 200)
  assert.deepEqual([body.kind, body.app_id, body.rights], ['access-key', 'test-app', RIGHTS])
  const some = guarded.sandbox.addAccessKey('test-app', ['devices', 'messages:up:r'])
  assert.deepEqual((await guarded.call(key(some))).body.rights, ['devices', 'messages:up:r'])
})

test('who is refused, with which status and challenge', async () => {
  const { sandbox } = guarded
  await guarded.serve()
  const known = /^Bearer\b.*error="invalid_token"/
  const mint = (options) => bearer(sandbox.mintToken(options))
  for (const [what, headers, status, challenge, path] of [
    ['nobody', {}, 401, /^Bearer(?!.*error=)/],
    ['another scheme', { authorization: 'Basic bWU6aHVudGVyMg==' }, 401, /^Bearer(?!.*error=)/],
    ['the token alone', { authorization: sandbox.bearerToken }, 401, /^Bearer(?!.*error=)/],
    ['gRPC names over HTTP', { token: sandbox.bearerToken, key: sandbox.accessKey }, 401, /^Bearer(?!.*error=)/],
    ['a token in the query', {}, 401, /^Bearer(?!.*error=)/, `apps/test-app?access_token=${sandbox.bearerToken}`],
    ['no token', bearer('x'), 401, known],
    ['an expired one', mint({ expiresIn: -60 }), 401, known],
    ['one of tomorrow', mint({ kind: 'future' }), 401, known],
    ['one signed by another', mint({ kind: 'badsig' }), 401, known],
    ['one that was changed', mint({ kind: 'tampered' }), 401, known],
    ['one without a signature', mint({ kind: 'none' }), 401, known],
    ['one signed with the public key', mint({ kind: 'hs256' }), 401, known],
    ['one of another issuer', mint({ issuer: 'nobody' }), 401, known],
    ['a wrong key', key('ttn-account-v2.wrong'), 401, known],
    ['a key of another issuer', key('nobody.key'), 401, known],
    ['a right that is missing', mint({ rights: ['settings'] }), 403, /error="insufficient_scope"/],
    ['a scope that is missing', mint({ scope: ['apps'] }), 403, /error="insufficient_scope"/],
    ['a token of another application', mint({ appId: 'other-app' }), 403, /error="insufficient_scope"/],
    ['a key without the right', key(sandbox.addAccessKey('test-app', ['settings'])), 403, /error="insufficient_scope"/],
    ['a key of another application', key(sandbox.addAccessKey('other-app', RIGHTS)), 401, known],
    ['a good token elsewhere', bearer(sandbox.bearerToken), 403, /error="insufficient_scope"/, 'apps/other-app'],
    ['an application that cannot be', bearer(sandbox.bearerToken), 400, undefined, 'apps/Not-Valid'],
    ['a path for an application', bearer(sandbox.bearerToken), 400, undefined, 'apps/..%2Ftest-app'],
    ['a bad token beside a good key', { ...key(sandbox.accessKey), 'grpc-metadata-token': 'x' }, 401, known],
  ]) {
    const answer = await guarded.call(headers, path && { path })
    assert.equal(answer.status, status, `${what}: ${answer.text}`)
    assertRefused(answer, status, challenge)
  }
  assert.deepEqual(guarded.sent.flat(), [], 'nobody passed')
  assert.deepEqual(guarded.warnings(), [], 'callers do not fill the log')
})

test('each of the seven rights is asked for, on the application of the URL or a fixed one', async () => {
  const { sandbox } = guarded
  for (const right of RIGHTS) {
    const only = bearer(sandbox.mintToken({ rights: [right] }))
    const others = bearer(sandbox.mintToken({ rights: RIGHTS.filter((other) => other !== right) }))
    await guarded.serve({ right })
    assert.equal((await guarded.call(only)).status, 200, right)
    assertRefused(await guarded.call(others), 403, /insufficient_scope/)
  }
  await guarded.serve({ appFrom: 'fixed', appId: 'test-app' })
  assert.equal((await guarded.call(bearer(sandbox.bearerToken), { path: 'bare' })).status, 200)
  // What the URL names does not count then.
  const { body } = await guarded.call(bearer(sandbox.bearerToken), { path: 'apps/other-app' })
  assert.equal(body.app_id, 'test-app')
  assertRefused(await guarded.call(bearer(sandbox.mintToken({ appId: 'other-app' })), { path: 'apps/other-app' }), 403, /insufficient_scope/)
})

test('any valid credential: rights are told, not asked for', async () => {
  const { sandbox } = guarded
  await guarded.serve({ right: 'any' })
  for (const headers of [bearer(sandbox.mintToken({ rights: ['settings'] })), key(sandbox.addAccessKey('test-app', ['settings']))]) {
    const { status, body } = await guarded.call(headers)
    assert.deepEqual([status, body.rights], [200, ['settings']])
  }
  assert.deepEqual((await guarded.call(bearer(sandbox.mintToken({ appId: 'other-app' })))).body.rights, [])
  // Rights without the scope for them are none.
  assert.deepEqual((await guarded.call(bearer(sandbox.mintToken({ scope: ['profile'] })))).body.rights, [])
  for (const headers of [{}, bearer('x'), key('ttn-account-v2.wrong')]) assertRefused(await guarded.call(headers), 401, /^Bearer/)

  await guarded.serve({ right: 'any', appFrom: 'fixed' })
  const { status, body } = await guarded.call(bearer(sandbox.mintToken({ subject: 'someone' })), { path: 'bare' })
  assert.deepEqual([status, body.kind, body.subject, body.app_id, body.rights], [200, 'bearer-token', 'someone', undefined, undefined])
  const answer = await guarded.call(key(sandbox.accessKey), { path: 'bare' })
  assert.ok(answer.status >= 400, 'a key cannot be checked without its application')
})

test('the credentials are gone from the message, whatever they came in', async () => {
  const { sandbox } = guarded
  const secrets = [sandbox.accessKey, sandbox.bearerToken]
  for (const rejected of [false, true]) {
    await guarded.serve({}, { rejected })
    for (const [headers, status] of [
      [bearer(sandbox.bearerToken), 200],
      [key(sandbox.accessKey), 200],
      [{ 'Grpc-Metadata-Token': sandbox.bearerToken }, 200],
      [{ 'GRPC-METADATA-KEY': sandbox.accessKey }, 200],
      [{ ...bearer(sandbox.bearerToken), 'grpc-metadata-key': sandbox.accessKey, 'grpc-metadata-token': 'x' }, 200],
      [{ ...key(sandbox.accessKey), 'grpc-metadata-token': `${sandbox.bearerToken}x` }, 401],
    ]) {
      const method = status === 200 ? 'GET' : 'POST'
      assert.equal((await guarded.call({ ...headers, 'x-mine': 'stays' }, { method })).status, status)
    }
    assert.equal(guarded.sent[0].length, 5)
    assert.equal(guarded.sent[1].length, rejected ? 1 : 0)
    for (const { req } of guarded.sent.flat()) {
      const all = inspect([req.headers, req.rawHeaders, req.headersDistinct], { maxArrayLength: null }).toLowerCase()
      assert.ok(all.includes('x-mine') && !/authorization|grpc-metadata/.test(all), all)
      assert.equal(req.get('authorization'), undefined)
    }
    guarded.assertHidden(...secrets)
  }
})

test('output 2 gets the answer ready to give, and why', async () => {
  const { sandbox } = guarded
  await guarded.serve()
  const direct = await guarded.call(bearer(sandbox.mintToken({ rights: ['settings'] })))
  await guarded.serve({}, { rejected: true })
  const answer = await guarded.call(bearer(sandbox.mintToken({ rights: ['settings'] })))
  assertRefused(answer, 403, /insufficient_scope/)
  assert.deepEqual(answer.body, direct.body)
  assert.equal(answer.headers.get('www-authenticate'), direct.headers.get('www-authenticate'))
  assert.deepEqual(guarded.sent[0], [])
  const [msg] = guarded.sent[1]
  assert.equal(msg.statusCode, 403)
  assert.equal(msg.payload.message, direct.body.message)
  assert.deepEqual([msg.error.code, msg.error.cause.kind, msg.error.cause.transient], ['AUTH_PERMISSION_DENIED', 'permission-denied', false])
  assert.deepEqual(msg.error.source, { id: 'guard', type: 'ttn-guard', name: undefined })
  assert.match(msg.error.message, /devices/)
  assert.equal(msg.auth, undefined)

  assertRefused(await guarded.call(), 401, /^Bearer(?!.*error=)/)
  assertRefused(await guarded.call(bearer(sandbox.bearerToken), { path: 'apps/NO' }), 400)
  assert.equal((await guarded.call(bearer(sandbox.bearerToken))).status, 200)
  assert.equal(guarded.sent[1].length, 3)
})

test('two guards in a row both check the same request', async () => {
  const { sandbox } = guarded
  await guarded.serve({ id: 'first', right: 'any', wires: [['guard']] }, { more: (node) => [node, { ...node, id: 'guard', right: 'delete', wires: [['auth']] }] })
  assert.equal((await guarded.call(bearer(sandbox.bearerToken))).status, 200)
  assertRefused(await guarded.call(bearer(sandbox.mintToken({ rights: ['devices'] }))), 403, /"delete"|insufficient_scope/)
  assertRefused(await guarded.call(), 401, /^Bearer/)
})

test('output 2 with nothing behind it: the guard answers', async () => {
  for (const wires of [[['auth'], []], [['auth']]]) {
    await guarded.serve({ outputs: 2, wires })
    assertRefused(await guarded.call(), 401, /^Bearer/)
    assert.equal((await guarded.call(bearer(guarded.sandbox.bearerToken))).status, 200)
  }
})

test('the status counts, at most once a second', async () => {
  assert.deepEqual(await guarded.serve(), {})
  const [good, bad] = [bearer(guarded.sandbox.bearerToken), bearer('x')]
  await Promise.all([good, bad, good, bad, good, good, bad, good].map((headers) => guarded.call(headers)))
  assert.deepEqual(await guarded.status(/^accepted 5 \/ rejected 3$/), { fill: 'green', shape: 'dot', text: 'accepted 5 / rejected 3' })
  assert.equal(guarded.statuses.length, 2, inspect(guarded.statuses))
  await guarded.call(good)
  await guarded.status(/^accepted 6 \/ rejected 3$/)
})

test('many callers at once with one key: one exchange', async () => {
  const { sandbox } = guarded
  await guarded.serve()
  const mine = sandbox.addAccessKey('test-app', ['devices'])
  const before = sandbox.exchanges
  const answers = await Promise.all(Array.from({ length: 300 }, () => guarded.call(key(mine))))
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
  assert.equal(sandbox.exchanges - before, 1)
})
