// authFetch: fetch with credentials, as itself and under the libraries that take a fetch of one's own.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'

import { AuthError, CallAuth, Credentials, Sandbox, authFetch } from '@thingskey/ttn-auth'
import { Agent, fetch as undiciFetch } from 'undici-7'

import { V2, closedPort, flaky, giving, withoutSecret } from './adapters-support.mjs'
import { rejects, withSandbox } from './support.mjs'

const SECRET = 'hunter2hunter2'
const PATH = '/applications/test-app/devices/dev-1'
const sandbox = withSandbox()
const device = () => `${sandbox().httpAddress}${PATH}`

/** A server; what it was asked, with its body as text. */
async function serve(t, answer) {
  const asked = []
  const server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const { method, url, headers } = request
    asked.push({ method, url, headers, body: Buffer.concat(chunks).toString() })
    answer(response, asked.at(-1), asked.length)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.closeAllConnections() ?? server.close())
  return { asked, address: `http://127.0.0.1:${server.address().port}` }
}

for (const [name, credentials] of Object.entries(V2)) {
  test(`${name}: a text, a URL, a Request; the global fetch and undici's`, async () => {
    for (const options of [credentials(sandbox()), { credentials: credentials(sandbox()), fetch: undiciFetch, address: sandbox().httpAddress }]) {
      const call = authFetch(options)
      const inputs = [device(), new URL(device())]
      if (options instanceof Credentials) inputs.push(new Request(device()))
      for (const input of inputs) {
        const response = await call(input)
        assert.deepEqual([response.status, (await response.json()).dev_id], [200, 'dev-1'])
      }
    }
  })
}

test('over TLS, with a certificate for undici to trust', async (t) => {
  const dispatcher = new Agent({ connect: { ca: sandbox().ca } })
  t.after(() => dispatcher.destroy())
  const trusting = (input, init) => undiciFetch(input, { ...init, dispatcher })
  for (const fetch of [trusting, undefined]) {
    const give = giving(sandbox().mintToken({ kind: 'badsig' }), sandbox().mintToken())
    const called = authFetch({ tokenSource: give, fetch, retry: { attempts: 2, baseDelay: 1 } })(`${sandbox().httpsAddress}${PATH}`)
    if (fetch) assert.deepEqual([(await called).status, give.times], [200, 2])
    // Without it nothing is sent.
    else await assert.rejects(called, ({ name, cause }) => name === 'TypeError' && cause.code === 'DEPTH_ZERO_SELF_SIGNED_CERT')
  }
})

test('what says no is a response, with its body, address and headers', async () => {
  for (const secret of [sandbox().accessKey, `${sandbox().accessKey}x`, sandbox().mintToken({ kind: 'nodevices' })]) {
    const response = await authFetch(Credentials.parse(secret))(`${device()}none`)
    assert.ok(response instanceof Response)
    assert.deepEqual([response.status, response.ok, response.url, response.bodyUsed], [500, false, `${device()}none`, false])
    assert.ok((await response.json()).message)
  }
})

test('a refused token is replaced once, and the request made again', async () => {
  const bad = () => sandbox().mintToken({ kind: 'badsig' })
  const give = giving(bad(), sandbox().mintToken())
  const call = authFetch({ tokenSource: give })
  assert.deepEqual([(await call(device())).status, (await call(new Request(device()))).status, give.times], [200, 200, 2])
  const never = giving(bad(), bad(), bad())
  const response = await authFetch({ tokenSource: never })(device())
  assert.deepEqual([response.status, never.times], [500, 2])
  assert.match(await response.text(), /verification error/)
})

test('bodies are sent again, but for streams', async (t) => {
  const { asked, address } = await serve(t, (response, { headers }) => {
    response.writeHead(headers.authorization === 'Bearer good-token' ? 200 : 401).end()
  })
  const form = new FormData()
  form.set('a', 'body')
  const options = (body) => ({ method: 'POST', body, headers: { 'x-own': '1' } })
  for (const [body, expected] of [
    ['body', /^body$/],
    [Buffer.from('body'), /^body$/],
    [new TextEncoder().encode('body').buffer, /^body$/],
    [new Blob(['body']), /^body$/],
    [new URLSearchParams({ a: 'body' }), /^a=body$/],
    [form, /name="a"\r\n\r\nbody/],
  ]) {
    const again = async (...request) => {
      const before = asked.length
      const { status } = await authFetch({ tokenSource: giving('bad-token', 'good-token') })(...request)
      const [first, second, ...more] = asked.slice(before)
      assert.deepEqual([status, first.headers.authorization, second?.headers.authorization, more.length], [200, 'Bearer bad-token', 'Bearer good-token', 0])
      for (const each of [first, second]) {
        assert.match(each.body, expected)
        assert.deepEqual([each.method, each.headers['x-own']], ['POST', '1'])
      }
    }
    await again(address, options(body))
    await again(new Request(address, options(body)))
  }
  const stream = () => ({ ...options(new Blob(['body']).stream()), duplex: 'half' })
  const give = giving('bad-token', 'good-token')
  const call = authFetch({ tokenSource: give })
  const before = asked.length
  assert.equal((await call(address, stream())).status, 401)
  assert.deepEqual([asked.length - before, asked.at(-1).body], [1, 'body'])
  // The next one has the next token.
  assert.equal((await call(address, stream())).status, 200)
})

test('never across a redirect to another origin; within one, yes', async (t) => {
  const other = await serve(t, (response) => response.writeHead(401).end('who are you?'))
  const { asked, address } = await serve(t, (response, { url }) => {
    const to = { '/away': `${other.address}/there`, '/along': '/end', '/home': '/end' }[url]
    if (to) response.writeHead(307, { location: to }).end()
    else response.end('here')
  })
  for (const fetch of [globalThis.fetch, undiciFetch]) {
    const give = giving(SECRET)
    const call = authFetch({ tokenSource: give, fetch, address })
    const away = await call(`${address}/away`, { headers: { 'x-own': '1' } })
    // It is another server's refusal: no reason to replace the token.
    assert.deepEqual([away.status, away.redirected, await away.text(), give.times], [401, true, 'who are you?', 1])
    assert.equal(other.asked.at(-1).headers.authorization, undefined)
    assert.equal(other.asked.at(-1).headers['x-own'], '1')
    assert.equal(await (await call(`${address}/along`)).text(), 'here')
    assert.deepEqual([asked.at(-1).url, asked.at(-1).headers.authorization], ['/end', `Bearer ${SECRET}`])
    const manual = await call(`${address}/away`, { redirect: 'manual' })
    assert.equal(manual.status, 307)
    await assert.rejects(call(`${address}/away`, { redirect: 'error' }), TypeError)
    await rejects(call(other.address), 'AUTH_INVALID_ARGUMENT', { secret: SECRET })
  }
  assert.equal(other.asked.length, 2)
})

test('plaintext to another machine is refused, whatever comes behind it', async () => {
  for (const url of ['http://192.0.2.1/', 'http://localhost.example/', 'data:,x', 'file:///etc/passwd']) {
    const code = url.startsWith('http:') ? 'AUTH_INSECURE_TRANSPORT' : 'AUTH_INVALID_ARGUMENT'
    await rejects(authFetch(Credentials.bearerToken(SECRET))(url), code, { secret: SECRET })
  }
  await assert.rejects(authFetch(Credentials.bearerToken(SECRET))('/applications'), TypeError)
})

test('the server\'s rate limit is waited for', async (t) => {
  const limited = await Sandbox.start({ rateLimit: 5 })
  t.after(() => limited.stop())
  const credentials = Credentials.accessKey(limited.accessKey)
  const all = (call, count) => Promise.all(Array.from({ length: count }, async () => (await call(`${limited.httpAddress}${PATH}`)).status))
  assert.deepEqual(new Set(await all(authFetch(credentials), 8)), new Set([200]))
  assert.ok(limited.counts.rateLimited > 0)
  assert.ok((await all(authFetch({ credentials, retry: false }), 20)).includes(500))
})

test('429 with Retry-After: as a response where it is not waited for', async (t) => {
  const { asked, address } = await serve(t, (response, _, times) => {
    if (times === 1) response.writeHead(429, { 'retry-after': '0' }).end()
    else response.writeHead(times === 2 ? 200 : 429, { 'retry-after': '3600' }).end()
  })
  const call = authFetch(Credentials.bearerToken(SECRET))
  assert.deepEqual([(await call(address)).status, asked.length], [200, 2])
  assert.deepEqual([(await call(address)).status, asked.length], [429, 3])
})

test('an outage: what was not sent is made again, and what may be carried out twice', async (t) => {
  const credentials = Credentials.accessKey(sandbox().accessKey)
  const way = await flaky(t, sandbox().httpAddress, 2)
  const response = await authFetch({ credentials, retry: { baseDelay: 1 } })(`http://127.0.0.1:${way.port}${PATH}`)
  assert.deepEqual([response.status, way.connections], [200, 3])

  const { asked, address } = await serve(t, (response, _, times) => response.writeHead(times % 2 === 1 ? 503 : 200).end())
  const call = authFetch({ credentials, retry: { baseDelay: 1 } })
  for (const method of ['GET', 'put', 'DELETE']) assert.equal((await call(address, { method })).status, 200)
  assert.deepEqual([(await call(address, { method: 'POST', body: 'x' })).status, asked.length], [503, 7])

  const dead = `http://127.0.0.1:${await closedPort()}`
  await assert.rejects(authFetch({ credentials, retry: { attempts: 2, baseDelay: 1 } })(dead), (error) => {
    // As fetch has it.
    assert.deepEqual([error.name, error.message, error.cause.code], ['TypeError', 'fetch failed', 'ECONNREFUSED'])
    withoutSecret(error, sandbox().accessKey)
    return true
  })
})

test('no token to be had, no answer in time, aborted', async (t) => {
  const down = { tokenSource: () => { throw new Error('the vault is sealed') }, retry: false }
  await rejects(authFetch(down)(device()), 'AUTH_EXCHANGE_UNAVAILABLE', { check: ({ cause }) => assert.equal(cause.message, 'the vault is sealed') })

  const { address } = await serve(t, (response, { url }) => {
    if (url === '/slow') return
    response.writeHead(url === '/bad' ? 400 : 200)
    response.write('begun')
  })
  const credentials = Credentials.bearerToken(SECRET)
  await rejects(authFetch({ credentials, timeout: 50 })(`${address}/slow`), 'AUTH_TIMEOUT', { secret: SECRET })
  // The time limit is not for the body.
  const endless = await authFetch({ credentials, timeout: 200 })(address)
  const reader = endless.body.getReader()
  assert.equal(new TextDecoder().decode((await reader.read()).value), 'begun')
  await reader.cancel()
  // An error whose body does not end is still one.
  const bad = await authFetch({ credentials, timeout: 200 })(`${address}/bad`)
  assert.equal(bad.status, 400)
  await bad.body.cancel()

  const reason = new Error('enough')
  await assert.rejects(authFetch(credentials)(address, { signal: AbortSignal.abort(reason) }), reason)
  for (const call of [authFetch(credentials), authFetch({ tokenSource: () => new Promise(() => {}) })]) {
    for (const request of [(signal) => [`${address}/slow`, { signal }], (signal) => [new Request(`${address}/slow`, { signal })]]) {
      const controller = new AbortController()
      const called = call(...request(controller.signal))
      setImmediate(() => controller.abort(reason))
      await assert.rejects(called, reason)
    }
  }
})

test('headers of the request are kept, other credentials in them are not', async (t) => {
  const { asked, address } = await serve(t, (response) => response.end())
  const headers = { Authorization: 'Bearer theirs', 'x-own': '1' }
  for (const request of [[address, { headers }], [new Request(address, { headers })], [new Request(address), { headers: new Headers(headers) }]]) {
    await authFetch(Credentials.bearerToken(SECRET))(...request)
    const { authorization, 'x-own': own } = asked.at(-1).headers
    assert.deepEqual([authorization, own], [`Bearer ${SECRET}`, '1'])
  }
})

test('one CallAuth for many, and what is no credential', async () => {
  const give = giving(sandbox().mintToken())
  const auth = new CallAuth({ tokenSource: give })
  for (const one of [auth, { auth }, { auth, fetch }]) assert.equal((await authFetch(one)(device())).status, 200)
  assert.equal(give.times, 1)
  for (const wrong of [undefined, null, 'x', [], { auth: {} }, { auth, timeout: 1 }, { auth, fetch: 5 }]) {
    assert.throws(() => authFetch(wrong), (error) => error instanceof AuthError && error.code === 'AUTH_INVALID_ARGUMENT')
  }
})
