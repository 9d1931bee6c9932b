// What can be changed while a sandbox runs: each switch, and what callers over both transports see of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { AuthError, Credentials, Sandbox } from '../../node/index.js'
import { connect, rejects } from './support.mjs'

const DEVICE = { app_id: 'test-app', dev_id: 'dev-1' }
const HOUR = 3600

/** A sandbox, and how to read its device with a credential: the error's code over both transports, or nothing. */
async function start(t, options) {
  const sandbox = await Sandbox.start({ rateLimit: false, ...options })
  t.after(() => sandbox.stop())
  const read = async (secret) => {
    const codes = await Promise.all(['grpc', 'http'].map(async (scheme) => {
      const client = connect(sandbox, scheme, { credentials: Credentials.parse(secret) })
      const code = await client.getDevice(DEVICE).then(() => undefined, (error) => error.code)
      client.close()
      return code
    }))
    assert.equal(codes[0], codes[1])
    return codes[0]
  }
  const post = (path, body, headers) => fetch(`${sandbox.accountServer}${path}`, { method: 'POST', body, headers })
  const exchange = async (key = sandbox.accessKey, headers) => {
    const answer = await post('/api/v2/applications/token', JSON.stringify({ username: 'test-app', password: key }), headers)
    return { status: answer.status, ...(await answer.json()) }
  }
  return { sandbox, read, post, exchange }
}

for (const algorithm of ['ES256', 'RS256']) {
  test(`a signing key is rotated, ${algorithm}: the Handler keeps the old one until it reads the new one`, async (t) => {
    const { sandbox, read } = await start(t, { algorithm })
    const told = async () => (await fetch(`${sandbox.accountServer}/key`)).text()
    const before = await told()
    assert.equal(await read(sandbox.accessKey), undefined)
    assert.equal(sandbox.rotateSigningKey(), undefined)
    assert.notEqual(await told(), before)
    const token = sandbox.mintToken()
    assert.deepEqual([await read(sandbox.bearerToken), await read(sandbox.accessKey)], [undefined, undefined])
    assert.equal(await read(token), 'AUTH_INVALID_TOKEN')
    assert.equal(await sandbox.reloadKeys(), undefined)
    assert.equal(await read(sandbox.bearerToken), 'AUTH_INVALID_TOKEN')
    assert.deepEqual([await read(token), await read(sandbox.accessKey)], [undefined, undefined])
  })
}

test('tokens are taken back, one or all', async (t) => {
  const { sandbox, read } = await start(t)
  const token = sandbox.mintToken()
  sandbox.revoke(token)
  const revoked = /^(Internal error: \[PermissionDenied\] )?permission denied: unable to parse token: token is revoked$/
  for (const scheme of ['grpc', 'http']) {
    const client = connect(sandbox, scheme, { credentials: Credentials.parse(token) })
    await rejects(client.getDevice(DEVICE), 'AUTH_INVALID_TOKEN', {
      check(error) {
        assert.match(error.message, revoked)
        assert.deepEqual([error.grpcCode, error.httpStatus], scheme === 'grpc' ? [7, undefined] : [undefined, 500])
      },
    })
    client.close()
  }
  assert.equal(await read(sandbox.bearerToken), undefined)
  sandbox.revokeTokens()
  assert.equal(await read(sandbox.bearerToken), 'AUTH_INVALID_TOKEN')
  assert.deepEqual([await read(sandbox.mintToken()), await read(sandbox.accessKey)], [undefined, undefined])
})

test('clocks that are wrong', async (t) => {
  const { sandbox, read } = await start(t, { clock: { handler: 2 * HOUR } })
  assert.equal(await read(sandbox.bearerToken), 'AUTH_TOKEN_EXPIRED')
  assert.equal(await read(sandbox.accessKey), 'AUTH_TOKEN_EXPIRED')
  sandbox.setClock({ accountServer: 2 * HOUR })
  // As V2: what a key was exchanged for is kept, good or bad.
  assert.deepEqual([await read(sandbox.mintToken()), await read(sandbox.accessKey)], [undefined, 'AUTH_TOKEN_EXPIRED'])
  await sandbox.reloadKeys()
  assert.equal(await read(sandbox.accessKey), undefined)
  sandbox.setClock({ accountServer: -2 * HOUR, handler: 0 })
  const late = sandbox.mintToken()
  assert.ok(Math.abs(Credentials.parse(late).describe().expiresAt - Date.now() + HOUR * 1000) < 60_000)
  assert.equal(await read(late), 'AUTH_TOKEN_EXPIRED')
  sandbox.setClock({ accountServer: 0 })
  assert.equal(await read(sandbox.mintToken()), undefined)
})

test('expires_in is the truth, nothing, or anything else', async (t) => {
  const { sandbox, read, exchange } = await start(t, { expiresIn: 'soon', tokenLifetime: 100 })
  const said = async () => {
    const { status, access_token: token, ...rest } = await exchange()
    assert.equal(status, 200)
    assert.equal(await read(token), undefined)
    return rest
  }
  assert.deepEqual(await said(), { expires_in: 'soon' })
  for (const [expiresIn, expected] of [
    [false, {}],
    [0, { expires_in: 0 }],
    [-5, { expires_in: -5 }],
    [1.5, { expires_in: 1.5 }],
    [1e300, { expires_in: 1e300 }],
    [NaN, { expires_in: null }],
    ['100', { expires_in: '100' }],
    [true, { expires_in: 100 }],
    [undefined, { expires_in: 100 }],
  ]) {
    sandbox.setExpiresIn(expiresIn)
    assert.deepEqual(await said(), expected)
  }
  sandbox.setTokenLifetime(7)
  assert.deepEqual(await said(), { expires_in: 7 })
})

test('tokens that have expired when they arrive', async (t) => {
  const { sandbox, read, exchange } = await start(t, { tokenAge: 2 * HOUR })
  const expired = await exchange()
  assert.equal(expired.expires_in, HOUR)
  assert.equal(await read(expired.access_token), 'AUTH_TOKEN_EXPIRED')
  sandbox.setTokenAge(0)
  assert.equal(await read((await exchange()).access_token), undefined)
})

test('an access key that is withdrawn', async (t) => {
  const { sandbox, read, exchange } = await start(t)
  const key = sandbox.addAccessKey('test-app', ['devices'])
  assert.equal(await read(key), undefined)
  sandbox.removeAccessKey(key)
  assert.deepEqual(await exchange(key), { status: 401, code: 401, error: 'invalid access key' })
  assert.equal(await read(key), undefined)
  await sandbox.reloadKeys()
  assert.equal(await read(key), 'AUTH_INVALID_KEY')
  assert.throws(() => sandbox.removeAccessKey(key), { code: 'AUTH_INVALID_ARGUMENT', message: /no such access key/ })
})

test('the account server of an OAuth client: forms and JSON, refreshed once, a component’s token', async (t) => {
  const { sandbox, read, post, exchange } = await start(t, { clientId: 'me', clientSecret: 's3cret' })
  const authorization = `Basic ${btoa('me:s3cret')}`
  const token = async (body, headers = { authorization }) => {
    const answer = await post('/users/token', body, headers)
    return { status: answer.status, ...(await answer.json()) }
  }
  const password = { grant_type: 'password', username: 'sandbox', password: 'sandbox' }
  const first = await token(new URLSearchParams(password))
  assert.equal(await read(first.access_token), undefined)
  assert.equal((await token(JSON.stringify(password))).status, 200)
  const refresh = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: first.refresh_token })
  for (const headers of [{}, { authorization: `Basic ${btoa('me:guess')}` }]) {
    assert.deepEqual(await token(refresh, headers), { status: 401, code: 401, error: 'invalid_client' })
  }
  const second = await token(refresh)
  assert.deepEqual([second.status, second.expires_in], [200, HOUR])
  assert.deepEqual(await token(refresh), { status: 401, code: 401, error: 'invalid_grant' })

  // The Handler is the client as well.
  assert.equal(await read(sandbox.accessKey), undefined)
  assert.equal((await exchange()).status, 401)
  assert.equal((await exchange(undefined, { authorization })).status, 200)
  const bearer = (options) => ({ authorization: `Bearer ${sandbox.mintToken(options)}` })
  assert.equal((await exchange(undefined, bearer({ component: 'handler/dev' }))).status, 200)
  assert.equal((await exchange(undefined, bearer())).status, 401)
})

test('an outage of the account server ends', async (t) => {
  const { sandbox, exchange } = await start(t)
  for (let round = 0; round < 3; round++) {
    assert.equal((await exchange()).status, 200)
    sandbox.stopAccountServer()
    await assert.rejects(exchange())
    await rejects(sandbox.reloadKeys(), 'AUTH_EXCHANGE_UNAVAILABLE')
    await Promise.all([sandbox.startAccountServer(), sandbox.startAccountServer()])
  }
  await sandbox.stop()
  await rejects(sandbox.startAccountServer(), 'AUTH_UNAVAILABLE')
})

test('what it was asked for is counted', async (t) => {
  const { sandbox, read, exchange, post } = await start(t, { rateLimit: 2 })
  const none = { exchanges: 0, signIns: 0, refreshes: 0, restricts: 0, keys: 1, writes: 0, rateLimited: 0 }
  assert.deepEqual(sandbox.counts, none)
  const { access_token: token } = await exchange()
  await post('/users/restrict-token', '{"scope":["apps:test-app"]}', { authorization: `Bearer ${token}` })
  await post('/users/token', 'grant_type=password', { 'content-type': 'application/x-www-form-urlencoded' })
  await post('/users/token', '{"grant_type":"refresh_token"}')
  const client = connect(sandbox, 'grpc', { credentials: Credentials.parse(token) })
  await client.setDevice({ ...DEVICE, lorawan_device: DEVICE })
  client.close()
  // By hand: a client waits for its turn.
  const device = `${sandbox.httpAddress}/applications/test-app/devices/dev-1`
  const ends = await Promise.all(Array.from({ length: 20 }, () => fetch(device, { headers: { authorization: `Bearer ${token}` } })))
  const rateLimited = ends.filter(({ status }) => status === 500).length
  assert.ok(rateLimited > 0)
  assert.deepEqual(sandbox.counts, { ...none, exchanges: 1, signIns: 1, refreshes: 1, restricts: 1, writes: 1, rateLimited })
  assert.equal(sandbox.exchanges, 1)
  assert.equal(await read(sandbox.mintToken({ appId: 'other-app' })), 'AUTH_PERMISSION_DENIED')
})

test('wrong settings are refused by name', async (t) => {
  for (const [options, message] of [
    [{ expiresIn: {} }, /expiresIn must be true, false, a number of seconds or a string/],
    [{ tokenAge: -1 }, /tokenAge must be/],
    [{ clock: 5 }, /clock must be an object/],
    [{ clock: { handler: 1.5 } }, /handler must be a whole number of seconds/],
    [{ clock: { accountServer: '5' } }, /accountServer must be a number/],
    [{ clientId: 'me' }, /clientId and clientSecret belong together/],
    [{ clientSecret: 'me' }, /clientId and clientSecret belong together/],
    [{ journal: 5 }, /journal must be a string/],
    [{ journal: '/' }, /the journal cannot be opened/],
  ]) {
    await rejects(Sandbox.start(options), 'AUTH_INVALID_ARGUMENT', { check: (error) => assert.match(error.message, message) })
  }
  const { sandbox } = await start(t)
  for (const [act, message] of [
    [() => sandbox.setClock(), /clock must be an object/],
    [() => sandbox.setClock({ handler: NaN }), /handler must be a whole number/],
    [() => sandbox.setExpiresIn([]), /expiresIn must be/],
    [() => sandbox.setTokenAge(-1), /seconds must be a whole number of seconds from 0 on/],
    [() => sandbox.setTokenAge(), /seconds must be/],
    [() => sandbox.setTokenLifetime(0.5), /seconds must be/],
    [() => sandbox.removeAccessKey(), /key must be a string/],
    [() => sandbox.revoke(5), /token must be a string/],
  ]) {
    assert.throws(act, (error) => {
      assert.ok(error instanceof AuthError, String(error))
      assert.equal(error.code, 'AUTH_INVALID_ARGUMENT')
      assert.match(error.message, message)
      return true
    })
  }
})
