// docs/adapters.md: what it shows runs, with the real libraries, and does what it says.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { test } from 'node:test'

import { CallAuth, Credentials, authFetch } from '@thingskey/ttn-auth'
import axios from 'axios'
import got, { RetryError } from 'got'
import ky from 'ky'

import { giving, withoutSecret } from './adapters-support.mjs'
import { rejects, withSandbox } from './support.mjs'

const SECRET = 'hunter2hunter2'
const sandbox = withSandbox()
const text = readFileSync(new URL('../../docs/adapters.md', import.meta.url), 'utf8')
const snippets = new Map([...text.matchAll(/<!-- test: (\w+) -->\n```js\n([^]*?)```/g)].map(([, name, code]) => [name, code]))
const AsyncFunction = (async () => {}).constructor

/** A client as a snippet makes it: what it returns for a path. */
const LIBRARIES = {
  ky: { library: ky, get: async (api, path, options) => (await api.get(path, options)).json() },
  axios: { library: axios, get: async (api, path, options) => (await api.get(`/${path}`, options)).data },
  got: { library: got, get: (api, path, options) => api.get(path, options).json() },
}

/** Runs a snippet: the api that it makes, and the device that its last statement reads, unless it is left out. */
function apiOf(name, { address, credentials, tokenSource, calls = true }) {
  const last = /^const .*device\b.* = await .*$/m
  assert.match(snippets.get(name), last)
  const code = calls ? snippets.get(name) : snippets.get(name).replace(last, 'const device = undefined')
  const run = new AsyncFunction(name, 'RetryError', 'authFetch', 'CallAuth', 'address', 'credentials', `${code}\nreturn { api, device }`)
  const given = (options) => (tokenSource ? { ...options, credentials: undefined, tokenSource } : options)
  class Auth extends CallAuth {
    constructor(options) {
      super(given(options))
    }
  }
  return run(LIBRARIES[name].library, RetryError, (options) => authFetch(given(options)), Auth, address, credentials)
}

/** A Handler's device under the path that the snippets ask for, by the rules of `answer`; what it was asked. */
async function serve(t, answer) {
  const asked = []
  const server = createServer((request, response) => {
    asked.push({ url: request.url, authorization: request.headers.authorization })
    if (!answer(response, asked.at(-1), asked.length)) response.setHeader('content-type', 'application/json').end('{"dev_id":"dev-1"}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.closeAllConnections() ?? server.close())
  return { asked, address: `http://127.0.0.1:${server.address().port}` }
}

for (const [name, { get }] of Object.entries(LIBRARIES)) {
  test(`${name}: V2 with a token and a key, The Things Stack with an API key`, async () => {
    for (const secret of [sandbox().bearerToken, sandbox().accessKey]) {
      const { device } = await apiOf(name, { address: sandbox().httpAddress, credentials: Credentials.parse(secret) })
      assert.equal(device.dev_id, 'dev-1')
    }
    const { stack } = sandbox()
    const key = Credentials.apiKey(stack.apiKey)
    const { api } = await apiOf(name, { address: stack.httpAddress, credentials: key, calls: false })
    assert.equal((await get(api, 'api/v3/auth_info')).api_key.api_key.id, key.describe().id)
  })

  test(`${name}: a refused token is replaced, a rate limit waited for, an outage got over`, async (t) => {
    const { asked, address } = await serve(t, (response, { authorization }, times) => {
      if (authorization !== 'Bearer good-token') return response.writeHead(401).end()
      if (times === 2) return response.writeHead(429, { 'retry-after': '0' }).end()
      if (times === 3) return response.writeHead(503).end()
    })
    const give = giving('bad-token', 'good-token')
    const { device } = await apiOf(name, { address, tokenSource: give })
    assert.equal(device.dev_id, 'dev-1')
    assert.deepEqual([asked.map(({ authorization }) => authorization), give.times], [['bad', 'good', 'good', 'good'].map((each) => `Bearer ${each}-token`), 2])
  })

  test(`${name}: nothing goes along to another server, and no error holds a secret`, async (t) => {
    const other = await serve(t, () => false)
    const { address } = await serve(t, (response, { url }) => {
      if (url === '/away') return response.writeHead(302, { location: `${other.address}/there` }).end()
      if (url === '/no') return response.writeHead(403).end('{"message":"no"}')
    })
    const { api } = await apiOf(name, { address, credentials: Credentials.bearerToken(SECRET) })
    assert.equal((await get(api, 'away')).dev_id, 'dev-1')
    assert.deepEqual(other.asked, [{ url: '/there', authorization: undefined }])
    await assert.rejects(get(api, 'no'), (error) => {
      if (name === 'got') assert.equal(error.code, 'AUTH_PERMISSION_DENIED')
      else assert.equal(error.response.status, 403)
      // Its options, with headers that are gone by then, are the library's.
      if (name !== 'got') withoutSecret(error, SECRET)
      else assert.ok(!`${error.stack}`.includes(SECRET))
      return true
    })
  })
}

test('any other client', async (t) => {
  const { asked, address } = await serve(t, (response, _, times) => times === 1 && response.writeHead(503).end())
  const run = new AsyncFunction('CallAuth', 'credentials', 'url', 'send', snippets.get('any'))
  const send = async (url, headers) => {
    const response = await fetch(url, { headers })
    return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() }
  }
  const credentials = Credentials.bearerToken(SECRET)
  assert.equal((await run(CallAuth, credentials, address, send)).status, 200)
  assert.deepEqual(asked.map(({ authorization }) => authorization), [`Bearer ${SECRET}`, `Bearer ${SECRET}`])
  await rejects(run(CallAuth, credentials, 'http://192.0.2.1/', send), 'AUTH_INSECURE_TRANSPORT')
})

test('every snippet with a mark was run', () => assert.deepEqual([...snippets.keys()].sort(), ['any', 'axios', 'got', 'ky']))
