// The sandbox's V3 side from JavaScript: its addresses and credentials, and each thing that can be changed of it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { inspect } from 'node:util'
import { request } from 'node:http'
import { test } from 'node:test'

import { AuthError, Client, Credentials, Sandbox, SandboxStack } from '../../node/index.js'

/** A V3 side, and how to ask it over HTTP. */
async function start(t, options) {
  const sandbox = await Sandbox.start(options)
  t.after(() => sandbox.stop())
  const { stack } = sandbox
  const get = async (key, path = '/api/v3/auth_info') => {
    const answer = await fetch(`${stack.httpAddress}${path}`, { headers: key === undefined ? {} : { authorization: `Bearer ${key}` } })
    const body = await answer.json()
    return { status: answer.status, headers: answer.headers, body, name: body.details?.[0].name }
  }
  const token = (parameters) =>
    fetch(`${stack.httpAddress}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: stack.clientId, client_secret: stack.clientSecret, ...parameters }),
    })
  const refresh = async (refreshToken) => {
    const answer = await token({ grant_type: 'refresh_token', refresh_token: refreshToken })
    return { status: answer.status, ...(await answer.json()) }
  }
  return { sandbox, stack, get, token, refresh }
}

test('the keys of the fixtures say whose they are, over both transports', async (t) => {
  const { sandbox, stack, get } = await start(t)
  assert.ok(stack instanceof SandboxStack)
  assert.deepEqual((await get(stack.apiKey)).body.api_key.entity_ids, { application_ids: { application_id: stack.appId } })
  assert.deepEqual((await get(stack.userApiKey)).body.api_key.entity_ids, { user_ids: { user_id: stack.userId } })
  assert.deepEqual((await get()).body, {})
  assert.equal(stack.key('app1_all'), stack.apiKey)
  assert.equal((await get(stack.key('app1_expired'))).name, 'api_key_expired')
  assert.equal((await get(stack.key('oauth_access'))).body.oauth_access_token.client_ids.client_id, stack.clientId)
  assert.equal((await get(stack.key('session_token'))).body.user_session.user_ids.user_id, stack.userId)
  const devices = await get(stack.readOnlyApiKey, '/api/v3/applications/app1/devices?limit=1')
  assert.deepEqual([devices.body.end_devices.length, devices.headers.get('x-total-count')], [1, '3'])
  assert.throws(() => stack.key('nobody'), (error) => error instanceof AuthError && error.code === 'AUTH_INVALID_ARGUMENT')

  for (const address of [stack.grpcAddress, stack.grpcsAddress]) {
    const client = new Client({ address, ca: sandbox.ca, credentials: Credentials.apiKey(stack.apiKey) })
    const { message } = await client.unary('/ttn.lorawan.v3.EntityAccess/AuthInfo', Buffer.alloc(0))
    assert.match(Buffer.from(message).toString('latin1'), /app1/)
    client.close()
  }
})

test('it shows its addresses and no key', async (t) => {
  const { stack } = await start(t)
  for (const shown of [inspect(stack), JSON.stringify(stack)]) {
    assert.match(shown, /grpc:\/\/127\.0\.0\.1:\d+/)
    assert.doesNotMatch(shown, /NNSXS|OJSWM|testsecret/)
  }
})

test('a key is made for an application or a user, expires and is taken back', async (t) => {
  const { stack, get } = await start(t)
  const rights = ['RIGHT_APPLICATION_INFO']
  const key = stack.addApiKey({ application: 'app1', rights, name: 'mine', expiresAt: new Date(Date.now() + 3_600_000) })
  const { api_key: shown } = (await get(key)).body.api_key
  assert.deepEqual([shown.name, shown.rights], ['mine', rights])
  assert.ok(Date.parse(shown.expires_at) > Date.now())
  stack.setClock(7200)
  assert.equal((await get(key)).name, 'api_key_expired')
  stack.setClock(0)
  stack.revoke(key)
  assert.equal((await get(key)).name, 'api_key_not_found')
  const old = stack.addApiKey({ user: 'alice', rights: ['RIGHT_ALL'], expiresAt: Date.now() - 1000 })
  assert.equal((await get(old)).name, 'api_key_expired')
  for (const wrong of [
    {},
    { application: 'app1' },
    { application: 'nope', rights },
    { application: 'app1', user: 'alice', rights },
    { application: 'app1', rights: ['RIGHT_NOPE'] },
    { application: 'app1', rights, expiresAt: 'soon' },
  ]) {
    assert.throws(() => stack.addApiKey(wrong), { code: 'AUTH_INVALID_ARGUMENT' }, JSON.stringify(wrong))
  }
  assert.throws(() => stack.revoke(key), { code: 'AUTH_INVALID_ARGUMENT' })
})

/** An open stream of events: its lines one after another. */
async function stream(stack, key) {
  const call = request(`${stack.httpAddress}/api/v3/events`, { method: 'POST', headers: { authorization: `Bearer ${key}` } })
  call.end(JSON.stringify({ identifiers: [{ application_ids: { application_id: 'app1' } }] }))
  const [answer] = await once(call, 'response')
  answer.setEncoding('utf8')
  const lines = (async function* () {
    let text = ''
    for await (const part of answer) {
      text += part
      for (let end; (end = text.indexOf('\n')) >= 0; text = text.slice(end + 1)) yield JSON.parse(text.slice(0, end))
    }
  })()
  return { status: answer.statusCode, next: async () => (await lines.next()).value }
}

test('events are emitted to open streams, which can be broken off', async (t) => {
  const { stack } = await start(t)
  const open = await stream(stack, stack.apiKey)
  assert.equal((await open.next()).result.name, 'events.stream.start')
  assert.equal(stack.openStreams, 1)
  assert.equal(stack.emit('app1', { name: 'as.up.data.forward', data: { x: 1 } }), 1)
  assert.equal(stack.emit('app2', { name: 'as.up.data.forward' }), 0)
  const { result } = await open.next()
  assert.equal(result.name, 'as.up.data.forward')
  assert.ok(result.unique_id && result.time)
  assert.deepEqual(result.data, { '@type': 'type.googleapis.com/google.protobuf.Value', value: { x: 1 } })
  for (const wrong of ['x', { time: 'soon' }]) assert.throws(() => stack.emit('app1', wrong), { code: 'AUTH_INVALID_ARGUMENT' })
  assert.equal(stack.breakStreams(), 1)
  await assert.rejects(open.next(), { code: 'ECONNRESET' })
  const other = await stream(stack, stack.apiKey)
  await other.next()
  assert.equal(stack.endStreams(), 1)
  assert.equal(await other.next(), undefined)
  const refused = await stream(stack, stack.key('app2_all'))
  assert.deepEqual([refused.status, stack.counts.streams], [403, 2])
})

test('a rate limit is told in headers, and what is beyond it is refused', async (t) => {
  const { stack, get } = await start(t)
  assert.equal((await get(stack.apiKey)).headers.get('x-rate-limit-limit'), null)
  stack.setRateLimit(2)
  const left = []
  for (let call = 0; call < 2; call += 1) left.push((await get(stack.apiKey)).headers.get('x-rate-limit-available'))
  assert.deepEqual(left, ['1', '0'])
  const { status, name, headers } = await get(stack.apiKey)
  assert.deepEqual([status, name, headers.get('retry-after')], [429, 'rate_limit_exceeded', null])
  assert.equal((await get(stack.userApiKey)).status, 200)
  assert.equal(stack.counts.rateLimited, 1)
  stack.setRateLimit(false)
  assert.equal((await get(stack.apiKey)).status, 200)
})

test('calls are refused or late as they are told', async (t) => {
  const { stack, get } = await start(t)
  stack.failCalls(2)
  stack.delayCalls(1)
  assert.deepEqual([(await get(stack.apiKey)).status, (await get(stack.apiKey)).status, (await get(stack.apiKey)).status], [503, 503, 200])
  stack.delayCalls(0)
  stack.failCalls(1, 8)
  assert.equal((await get(stack.apiKey)).status, 429)
  assert.throws(() => stack.failCalls(1, 17), { code: 'AUTH_INVALID_ARGUMENT' })
})

test('a refresh replaces both tokens; its answer can be lost, refused or late', async (t) => {
  const { stack, get, token, refresh } = await start(t)
  stack.setTokenLifetime(60)
  const first = await refresh(stack.refreshToken)
  assert.deepEqual([first.status, first.expires_in, first.token_type], [200, 60, 'bearer'])
  assert.equal((await refresh(stack.refreshToken)).status, 404)
  stack.setClock(61)
  assert.equal((await get(first.access_token)).name, 'token_expired')
  stack.setClock(0)

  stack.failTokens(1, 502)
  assert.equal((await refresh(first.refresh_token)).status, 502)
  stack.delayTokens(1)
  const second = await refresh(first.refresh_token)
  assert.equal(second.status, 200)
  assert.equal((await get(first.access_token)).name, 'token_not_found')
  stack.delayTokens(0)

  stack.loseTokenAnswers(1)
  const { granted } = stack.counts
  await assert.rejects(token({ grant_type: 'refresh_token', refresh_token: second.refresh_token }))
  assert.equal(stack.counts.granted, granted + 1)
  assert.equal((await refresh(second.refresh_token)).status, 404)
})
