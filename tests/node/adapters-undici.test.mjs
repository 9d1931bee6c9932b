// Dispatchers of undici with our credentials, alone and beside its redirect interceptor on either side.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { test } from 'node:test'

import { AuthError, CallAuth, Credentials, Sandbox } from '@thingskey/ttn-auth'
import { interceptor } from '@thingskey/ttn-auth/undici'
import * as undici7 from 'undici-7'

import { V2, closedPort, flaky, giving, withoutSecret } from './adapters-support.mjs'
import { rejects, withSandbox } from './support.mjs'

const SECRET = 'hunter2hunter2'
const PATH = '/applications/test-app/devices/dev-1'
const sandbox = withSandbox()

// undici 8 needs a newer Node.js than some that we run on.
const [major, minor] = process.versions.node.split('.').map(Number)
const VERSIONS = { 'undici 7': undici7 }
if (major > 22 || (major === 22 && minor >= 19)) VERSIONS['undici 8'] = await import('undici')

/** A server; what it was asked. */
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

for (const [version, undici] of Object.entries(VERSIONS)) {
  /** An agent with our interceptor between others; closed after the test. */
  const composed = (t, options, { inside = [], outside = [] } = {}) => {
    const agent = new undici.Agent()
    t.after(() => agent.destroy())
    return agent.compose(...inside, interceptor({ address: sandbox().httpAddress, ...options }), ...outside)
  }
  const ask = async (dispatcher, url = `${sandbox().httpAddress}${PATH}`, options = {}) => {
    const { statusCode, headers, body } = await undici.request(url, { dispatcher, ...options })
    return { status: statusCode, headers, text: await body.text() }
  }

  for (const [name, credentials] of Object.entries(V2)) {
    test(`${version}, ${name}: request, fetch, and Node's own fetch`, async (t) => {
      const dispatcher = composed(t, { credentials: credentials(sandbox()) })
      const { status, text } = await ask(dispatcher)
      assert.deepEqual([status, JSON.parse(text).dev_id], [200, 'dev-1'])
      for (const fetch of version === 'undici 7' ? [undici.fetch, globalThis.fetch] : [undici.fetch]) {
        assert.equal((await (await fetch(`${sandbox().httpAddress}${PATH}`, { dispatcher })).json()).dev_id, 'dev-1')
      }
    })
  }

  test(`${version}: over TLS`, async (t) => {
    const { httpsAddress: address, ca, accessKey } = sandbox()
    const agent = new undici.Agent({ connect: { ca } })
    t.after(() => agent.destroy())
    const dispatcher = agent.compose(interceptor({ address, credentials: Credentials.accessKey(accessKey) }))
    assert.equal((await ask(dispatcher, address + PATH)).status, 200)
  })

  test(`${version}: a Pool and a Client`, async (t) => {
    const { httpAddress: address } = sandbox()
    const credentials = Credentials.accessKey(sandbox().accessKey)
    for (const Kind of [undici.Pool, undici.Client]) {
      const inner = new Kind(address)
      t.after(() => inner.destroy())
      const dispatcher = inner.compose(interceptor({ address, credentials }))
      const { statusCode, body } = await dispatcher.request({ origin: address, path: PATH, method: 'GET' })
      await body.dump()
      assert.equal(statusCode, 200)
    }
  })

  test(`${version}: what says no comes whole`, async (t) => {
    const { address } = await serve(t, (response, { url }) => {
      response.writeHead(500, { 'x-own': '1' })
      response.end(Buffer.alloc(Number(url.slice(1)), 'x'))
    })
    const dispatcher = composed(t, { address, credentials: Credentials.bearerToken(SECRET) })
    for (const length of [0, 10, 65_535, 65_536, 1_000_000]) {
      const { status, headers, text } = await ask(dispatcher, `${address}/${length}`)
      assert.deepEqual([status, headers['x-own'], text.length], [500, '1', length])
    }
  })

  test(`${version}: a refused token is replaced once; bodies are sent again, but for streams`, async (t) => {
    const bad = () => sandbox().mintToken({ kind: 'badsig' })
    const give = giving(bad(), sandbox().mintToken())
    const dispatcher = composed(t, { tokenSource: give })
    assert.deepEqual([(await ask(dispatcher)).status, (await ask(dispatcher)).status, give.times], [200, 200, 2])
    const never = giving(bad(), bad(), bad())
    const refused = await ask(composed(t, { tokenSource: never }))
    assert.deepEqual([refused.status, never.times], [500, 2])
    assert.match(refused.text, /verification error/)

    const { asked, address } = await serve(t, (response, { headers }) => {
      response.writeHead(headers.authorization === 'Bearer good-token' ? 200 : 401).end()
    })
    for (const [body, status, times] of [['body', 200, 2], [Buffer.from('body'), 200, 2], [Readable.from([Buffer.from('body')]), 401, 1]]) {
      const before = asked.length
      const answer = await ask(composed(t, { address, tokenSource: giving('bad-token', 'good-token') }), address, { method: 'POST', body })
      assert.deepEqual([answer.status, asked.length - before, asked.at(-1).body], [status, times, 'body'])
    }
  })

  test(`${version}: credentials go to one origin: a redirect outside, inside, and in fetch`, async (t) => {
    const other = await serve(t, (response) => response.writeHead(401).end('who are you?'))
    const { asked, address } = await serve(t, (response, { url }) => {
      const to = { '/away': `${other.address}/there`, '/along': '/end' }[url]
      if (to) response.writeHead(307, { location: to }).end()
      else response.end('here')
    })
    const redirect = undici.interceptors.redirect({ maxRedirections: 3 })
    for (const [where, call] of [
      ['outside', (options, path) => ask(composed(t, options, { outside: [redirect] }), address + path)],
      ['inside', (options, path) => ask(composed(t, options, { inside: [redirect] }), address + path)],
      ['fetch', async (options, path) => {
        const response = await undici.fetch(address + path, { dispatcher: composed(t, options) })
        return { status: response.status, text: await response.text() }
      }],
    ]) {
      const give = giving(SECRET)
      const options = { address, tokenSource: give }
      const before = other.asked.length
      const away = await call(options, '/away')
      assert.deepEqual([away.status, away.text, give.times, other.asked.length - before], [401, 'who are you?', 1, 1], where)
      assert.equal(other.asked.at(-1).headers.authorization, undefined, where)
      assert.equal(asked.at(-1).headers.authorization, `Bearer ${SECRET}`, where)
      assert.equal((await call(options, '/along')).text, 'here', where)
      assert.deepEqual([asked.at(-1).url, asked.at(-1).headers.authorization], ['/end', `Bearer ${SECRET}`], where)
    }
    // What the caller sends elsewhere passes as it is.
    const dispatcher = composed(t, { address, credentials: Credentials.bearerToken(SECRET) })
    for (const headers of [{}, { authorization: 'Basic theirs' }]) {
      await ask(dispatcher, other.address, { headers })
      assert.equal(other.asked.at(-1).headers.authorization, headers.authorization)
    }
  })

  test(`${version}: headers in every form are kept, other credentials in them are not`, async (t) => {
    const { asked, address } = await serve(t, (response) => response.end())
    const dispatcher = composed(t, { address, credentials: Credentials.bearerToken(SECRET) })
    const pairs = [['Authorization', 'Bearer theirs'], ['x-own', '1']]
    for (const headers of [Object.fromEntries(pairs), pairs.flat(), new Map(pairs), new Headers(pairs)]) {
      await ask(dispatcher, address, { headers })
      const { authorization, 'x-own': own } = asked.at(-1).headers
      assert.deepEqual([authorization, own], [`Bearer ${SECRET}`, '1'])
    }
    await ask(dispatcher, address, { headers: { 'x-own': ['1', '2'] } })
    assert.equal(asked.at(-1).headers['x-own'], '1, 2')
  })

  test(`${version}: rate limits are waited for`, async (t) => {
    const limited = await Sandbox.start({ rateLimit: 5 })
    t.after(() => limited.stop())
    const { httpAddress: address } = limited
    const dispatcher = composed(t, { address, credentials: Credentials.accessKey(limited.accessKey) })
    const all = await Promise.all(Array.from({ length: 8 }, async () => (await ask(dispatcher, address + PATH)).status))
    assert.deepEqual(new Set(all), new Set([200]))
    assert.ok(limited.counts.rateLimited > 0)
  })

  test(`${version}: an outage`, async (t) => {
    const credentials = Credentials.accessKey(sandbox().accessKey)
    const way = await flaky(t, sandbox().httpAddress, 2)
    const address = `http://127.0.0.1:${way.port}`
    const { status } = await ask(composed(t, { address, credentials, retry: { baseDelay: 1 } }), address + PATH)
    assert.deepEqual([status, way.connections], [200, 3])

    const { asked, address: shaky } = await serve(t, (response, _, times) => response.writeHead(times % 2 === 1 ? 503 : 200).end())
    const dispatcher = composed(t, { address: shaky, credentials, retry: { baseDelay: 1 } })
    for (const method of ['GET', 'PUT', 'DELETE']) assert.equal((await ask(dispatcher, shaky, { method })).status, 200)
    assert.deepEqual([(await ask(dispatcher, shaky, { method: 'POST', body: 'x' })).status, asked.length], [503, 7])

    const dead = `http://127.0.0.1:${await closedPort()}`
    await assert.rejects(ask(composed(t, { address: dead, credentials, retry: { attempts: 2, baseDelay: 1 } }), dead), (error) => {
      assert.equal(error.code, 'ECONNREFUSED')
      withoutSecret(error, sandbox().accessKey)
      return true
    })
  })

  test(`${version}: no token to be had, no answer in time, aborted while it waits`, async (t) => {
    const down = composed(t, { tokenSource: () => { throw new Error('the vault is sealed') }, retry: false })
    await rejects(ask(down), 'AUTH_EXCHANGE_UNAVAILABLE', { check: ({ cause }) => assert.equal(cause.message, 'the vault is sealed') })

    const { address } = await serve(t, () => {})
    const credentials = Credentials.bearerToken(SECRET)
    await assert.rejects(ask(composed(t, { address, credentials, timeout: 100 }), address), (error) => {
      assert.equal(error.code, 'UND_ERR_HEADERS_TIMEOUT')
      withoutSecret(error, SECRET)
      return true
    })
    const reason = new Error('enough')
    for (const options of [{ credentials }, { tokenSource: () => new Promise(() => {}) }]) {
      const controller = new AbortController()
      const called = ask(composed(t, { address, ...options }), address, { signal: controller.signal })
      setImmediate(() => controller.abort(reason))
      await assert.rejects(called, reason)
    }
  })
}

test('what it does not take', (t) => {
  const credentials = Credentials.bearerToken(SECRET)
  const auth = new CallAuth({ credentials })
  const refused = (options, code) => assert.throws(() => interceptor(options), (error) => error instanceof AuthError && error.code === code)
  for (const options of [undefined, credentials, auth, {}, { credentials }, { credentials, address: 'handler' }, { auth, address: 'grpc://127.0.0.1' }]) {
    refused(options, 'AUTH_INVALID_ARGUMENT')
  }
  refused({ credentials, address: 'http://192.0.2.1' }, 'AUTH_INSECURE_TRANSPORT')
  const one = interceptor({ auth, address: 'https://handler.example' })
  assert.throws(() => one(() => true)({ path: '/', method: 'GET' }, {}), ({ code }) => code === 'AUTH_INVALID_ARGUMENT')
})
