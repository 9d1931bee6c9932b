// Redirects, from a real HTTP server: the credentials stay at the origin they were given for.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { runInNewContext } from 'node:vm'

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
  const query = { limit: 2, tag: ['a b', undefined, 'c&d'], none: undefined, nil: null, yes: true }
  const answer = await client.request({ path: '/things', query })
  assert.deepEqual(seen.home, [['GET', '/things?limit=2&tag=a+b&tag=c%26d&yes=true', `Key ${key}`]])
  assert.equal(answer.status, 200)
  assert.equal(answer.headers['x-two'], 'a, b')
  assert.ok(Buffer.isBuffer(answer.body))
  assert.deepEqual(JSON.parse(answer.body), { url: '/things?limit=2&tag=a+b&tag=c%26d&yes=true' })
  client.close()
})

test('a query may be URLSearchParams; headers that are undefined or null are left out', async () => {
  const requests = []
  const echo = await listen((request, response) => {
    requests.push([request.url, request.headers])
    response.end()
  })
  const client = new Client({ address: echo.origin })
  const query = new URLSearchParams([['a', '1'], ['a', 'x y']])
  const headers = { 'x-none': undefined, 'x-nil': null, 'x-number': 5, 'x-no': false, 'x-empty': '' }
  await client.request({ path: '/p?z=0', query, headers })
  await client.request({ path: '/p', query: runInNewContext('({ a: [1, 2] })'), headers: runInNewContext('({ x: 1 })') })
  const [[url, sent], [again, sentAgain]] = requests
  assert.equal(url, '/p?z=0&a=1&a=x+y')
  assert.deepEqual(
    Object.entries(sent).filter(([name]) => name.startsWith('x-')),
    [['x-number', '5'], ['x-no', 'false'], ['x-empty', '']],
  )
  assert.deepEqual([again, sentAgain.x], ['/p?a=1&a=2', '1'])
  client.close()
  echo.server.close()
  echo.server.closeAllConnections()
})

test('what would be lost or sent as another thing is refused, by name and without its value', async () => {
  seen.home.length = 0
  const client = new Client({ address: home.origin, credentials })
  const grpc = new Client({ address: home.origin.replace('http', 'grpc') })
  class Own {
    secret = 'hunter2'
  }
  const values = [{ secret: 'hunter2' }, Symbol('hunter2'), () => 'hunter2', new Map([['hunter2', 1]]), new Date()]
  const request = (given) => () => client.request({ path: '/', ...given })
  const calls = [
    ...[new Map([['hunter2', 1]]), new Set(['hunter2']), new Own(), new Blob(['hunter2']), new FormData(), /hunter2/].map((body) => [
      request({ method: 'POST', body }),
      new RegExp(`^body: cannot be a ${body.constructor.name}; pass a string, bytes, a plain object or a list$`),
    ]),
    [request({ body: new URLSearchParams('hunter2=1') }), /^body: cannot be a URLSearchParams; pass String\(params\)/],
    [request({ body: () => 'hunter2' }), /^body must be/],
    [request({ body: Symbol('hunter2') }), /^body must be/],
    ...[...values, ['hunter2', ['hunter2']]].flatMap((value) => [
      [request({ query: { since: value } }), /^query: "since" must be a string, a number, true or false, or a list of these, not /],
      [request({ headers: { 'x-since': value } }), /^headers: "x-since" must be a string, a number, true or false, not /],
      [() => grpc.unary('/a.B/C', new Uint8Array(), { metadata: { since: value } }), /^metadata: "since" must be/],
    ]),
    [request({ query: new Map([['a', 'hunter2']]) }), /^query: must be a plain object or URLSearchParams, not a Map$/],
    [request({ query: [['a', 'hunter2']] }), /^query: must be a plain object or URLSearchParams, not a list$/],
    [request({ headers: new Headers({ a: 'hunter2' }) }), /^headers: must be a plain object, .*, not a Headers$/],
    [request({ path: '/a#hunter2' }), /^path cannot have a fragment/],
    [request({ path: '/a?b=1#hunter2' }), /^path cannot have a fragment/],
    [request({ path: '/a#', query: { hunter2: 1 } }), /^path cannot have a fragment/],
  ]
  for (const [call, message] of calls) {
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof AuthError)
      assert.equal(error.code, 'AUTH_INVALID_ARGUMENT', `${message}: ${error.message}`)
      assert.match(error.message, message)
      assert.ok(!`${error.stack}${JSON.stringify(error)}`.includes('hunter2'))
      return true
    })
  }
  client.close()
  grpc.close()
  assert.deepEqual(seen.home, [])
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
  const raw = []
  const echo = await listen(async (request, response) => {
    const chunks = await request.toArray()
    raw.push(Buffer.concat(chunks))
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
  raw.length = 0
  const bytes = new Uint8Array([0, 1, 128, 255, 4, 5, 6, 7])
  const shared = new SharedArrayBuffer(8)
  new Uint8Array(shared).set(bytes)
  const given = [
    [bytes.buffer, bytes],
    [shared, bytes],
    [new Uint8Array(shared, 2, 3), bytes.subarray(2, 5)],
    [new DataView(bytes.buffer, 1, 2), bytes.subarray(1, 3)],
    [new Uint16Array(bytes.buffer, 2, 2), bytes.subarray(2, 6)],
    [new Float64Array(bytes.buffer), bytes],
    [new Uint8ClampedArray(bytes.buffer, 3), bytes.subarray(3)],
    [new ArrayBuffer(0), []],
    [runInNewContext('new Uint8Array([9]).buffer'), [9]],
    [runInNewContext('({ a: 1 })'), Buffer.from('{"a":1}')],
    [Object.assign(Object.create(null), { a: 1 }), Buffer.from('{"a":1}')],
    [new Date(0), Buffer.from('"1970-01-01T00:00:00.000Z"')],
    [Object.assign(new Map(), { toJSON: () => [1] }), Buffer.from('[1]')],
  ]
  for (const [body] of given) await client.request({ method: 'POST', path: '/', body })
  assert.deepEqual(raw, given.map(([, expected]) => Buffer.from(expected)))
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
