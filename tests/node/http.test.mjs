// Redirects, from a real HTTP server: the credentials stay at the origin they were given for.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'

import { AuthError, Client, Credentials } from '../../node/index.js'

const key = 'ttn-account-v2.hunter2hunter2'
const credentials = Credentials.accessKey(key)

async function listen(handler) {
  const server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, origin: `http://127.0.0.1:${server.address().port}` }
}

let home
let other
const seen = { home: [], other: [] }
before(async () => {
  other = await listen((request, response) => {
    seen.other.push(request.headers)
    response.end('{}')
  })
  home = await listen((request, response) => {
    seen.home.push([request.method, request.url, request.headers.authorization])
    const { searchParams } = new URL(request.url, home.origin)
    const to = searchParams.get('to')
    if (to) response.writeHead(Number(searchParams.get('status')), { location: to }).end()
    else response.setHeader('x-two', ['a', 'b']).end(JSON.stringify({ url: request.url }))
  })
})
after(() => {
  for (const { server } of [home, other]) {
    server.close()
    server.closeAllConnections()
  }
})

for (const status of [301, 302, 303, 307, 308]) {
  test(`${status} to another origin is refused, and nothing is sent there`, async () => {
    const client = new Client({ address: home.origin, credentials })
    for (const to of [`${other.origin}/x`, `//127.0.0.1:${other.server.address().port}/x`, 'http://192.0.2.1/x']) {
      await assert.rejects(client.request({ path: '/start', query: { to, status } }), (error) => {
        assert.ok(error instanceof AuthError)
        assert.equal(error.code, 'AUTH_REDIRECT')
        assert.equal(error.httpStatus, status)
        assert.ok(!`${error.stack}${JSON.stringify(error)}`.includes(key))
        return true
      })
    }
    client.close()
    assert.deepEqual(seen.other, [])
  })
}

test('credentials, query, headers and bodies arrive as they were given', async () => {
  seen.home.length = 0
  const client = new Client({ address: home.origin, credentials })
  const query = { limit: 2, tag: ['a b', 'c&d'], none: undefined, nil: null, yes: true }
  const answer = await client.request({ path: '/things', query })
  assert.deepEqual(seen.home, [['GET', '/things?limit=2&tag=a+b&tag=c%26d&yes=true', `Key ${key}`]])
  assert.equal(answer.status, 200)
  assert.equal(answer.headers['x-two'], 'a, b')
  assert.ok(Buffer.isBuffer(answer.body))
  assert.deepEqual(JSON.parse(answer.body), { url: '/things?limit=2&tag=a+b&tag=c%26d&yes=true' })
  client.close()
})

test('a path cannot lead to another host', async () => {
  const client = new Client({ address: home.origin, credentials })
  for (const path of [`//127.0.0.1:${other.server.address().port}/`, `${other.origin}/`, '@evil/', '/a/../../b', '', 'x']) {
    await assert.rejects(client.request({ path }), (error) => {
      assert.equal(error.code, 'AUTH_INVALID_ARGUMENT', `${path}: ${error.message}`)
      return true
    })
  }
  assert.deepEqual(seen.other, [])
  client.close()
})

test('bodies: text, bytes, and objects as JSON', async () => {
  const bodies = []
  const echo = await listen(async (request, response) => {
    const chunks = await request.toArray()
    bodies.push([request.method, request.headers['content-type'], Buffer.concat(chunks).toString('latin1')])
    response.end()
  })
  const client = new Client({ address: echo.origin })
  await client.request({ method: 'post', path: '/', body: 'text' })
  await client.request({ method: 'PUT', path: '/', body: new Uint8Array([1, 255]) })
  await client.request({ method: 'POST', path: '/', body: Buffer.from('buffer') })
  await client.request({ method: 'POST', path: '/', body: { a: [1, 'é'] } })
  await client.request({ method: 'POST', path: '/', body: [], headers: { 'Content-Type': 'application/x' } })
  assert.deepEqual(bodies, [
    ['POST', 'application/json', 'text'],
    ['PUT', 'application/json', '\x01\xff'],
    ['POST', 'application/json', 'buffer'],
    ['POST', 'application/json', Buffer.from('{"a":[1,"é"]}').toString('latin1')],
    ['POST', 'application/x', '[]'],
  ])
  for (const [request, message] of [
    [{ path: '/', body: 5 }, /body must be/],
    [{ path: '/', query: 'a=b' }, /query must be an object, not a string/],
    [{ path: '/', headers: { 'x\n': '1' } }, /headers: /],
    [{ path: '/', headers: { x: 'hunter2\r\nevil: 1' } }, /headers: "x" or its value cannot be sent/],
    [{ path: '/', method: 'NOT VALID' }, /method must be/],
    [{}, /path is missing/],
  ]) {
    await assert.rejects(client.request(request), (error) => {
      assert.equal(error.code, 'AUTH_INVALID_ARGUMENT')
      assert.match(error.message, message)
      assert.ok(!error.message.includes('hunter2'))
      return true
    })
  }
  client.close()
  echo.server.close()
  echo.server.closeAllConnections()
})
