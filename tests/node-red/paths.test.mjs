// A message chooses the path, never the host.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { once } from 'node:events'
import { after, before, test } from 'node:test'

import { flow, helper, load, network, send } from './support.mjs'

const require = createRequire(import.meta.url)
const { join, route } = require('../../node/nodes/lib/path.js')
const { withScheme } = require('../../node/nodes/lib/setting.js')

const TRICKS = [
  '', 'applications', 'http://evil.example/', '//evil.example', '///evil.example', '/\\evil.example', '\\\\evil.example',
  '@evil.example', '.evil.example', ':1@evil.example', '?x=1', '#x', '/a#b', '/../x', '/a/../../x', '/a/..', '/.', '/a/./b',
  '/a/%2e%2e/b', '/a/%2E./b', '/a\\..\\b', '/a b', '/a\nb', '/a\tb', '/\tevil.example', '/a\0b', ' /a', '\t//evil.example',
]

test('tricks with the path are refused', () => {
  for (const path of TRICKS) {
    assert.throws(() => route(path, {}), { code: 'AUTH_INVALID_ARGUMENT' }, JSON.stringify(path))
  }
  for (const path of [undefined, null, 7, {}, ['/a']]) assert.throws(() => route(path, {}), { code: 'AUTH_INVALID_ARGUMENT' })
})

test('what looks like a host stays a path', () => {
  for (const path of ['/@evil.example/x', '/a//evil.example', '/http://evil.example', '/%2F%2Fevil.example', '/a:b@c']) {
    const url = new URL(join('https://handler.example:8094', route(path, {})))
    assert.equal(url.origin, 'https://handler.example:8094', path)
  }
})

test('join refuses another host, whatever route let through', () => {
  for (const path of ['//evil.example', 'https://evil.example', '/\\evil.example', 'http://handler.example:8094/x']) {
    assert.throws(() => join('https://handler.example:8094', path), { code: 'AUTH_INVALID_ARGUMENT' }, path)
  }
  assert.equal(join('grpcs://h:1', '/a.B/C'), 'grpcs://h:1/a.B/C')
})

test('ids are percent-encoded, and cannot climb', () => {
  assert.equal(route('/a/{app_id}/d/{dev_id}', { app_id: 'a/b?c#d', dev_id: 'ü %2e' }), '/a/a%2Fb%3Fc%23d/d/%C3%BC%20%252e')
  for (const id of ['..', '.']) assert.throws(() => route('/a/{dev_id}/b', { dev_id: id }), { code: 'AUTH_INVALID_ARGUMENT' })
  assert.throws(() => route('/a/{dev_id}', {}), { code: 'AUTH_INVALID_ARGUMENT' })
})

test('queries are joined and encoded', () => {
  assert.equal(route('/a?x=1', {}, { y: 'a b&c', z: [1, 2], x: 3 }), '/a?y=a+b%26c&z=1&z=2&x=3')
  assert.equal(route('/a', {}, 'limit=1'), '/a?limit=1')
  assert.equal(route('/a', {}, { gone: undefined, none: null }), '/a')
  for (const bad of [7, [1], { a: {} }]) assert.throws(() => route('/a', {}, bad), { code: 'AUTH_INVALID_ARGUMENT' })
})

test('an address without a scheme gets TLS', () => {
  for (const [text, transport, address] of [
    ['h:1904', 'grpc', 'grpcs://h:1904'],
    ['https://h:1904', 'grpc', 'grpcs://h:1904'],
    ['http://h', 'grpc', 'grpc://h'],
    ['grpc://h', 'grpc', 'grpc://h'],
    [' h ', 'http', 'https://h'],
    ['grpcs://h', 'http', 'https://h'],
    ['ftp://h', 'http', 'ftp://h'],
  ]) {
    assert.equal(withScheme(text, transport), address)
  }
})

// Two servers: one that is configured, one that nothing may reach.
let ours, evil
const requests = []
before(async () => {
  ours = createServer((request, response) => {
    requests.push(request.url)
    if (request.url.startsWith('/away')) response.writeHead(302, { location: `${url(evil)}/stolen` })
    response.end()
  }).listen(0, '127.0.0.1')
  evil = createServer((request, response) => {
    requests.push(`evil ${request.url} ${request.headers.authorization}`)
    response.end()
  }).listen(0, '127.0.0.1')
  await Promise.all([once(ours, 'listening'), once(evil, 'listening')])
})
after(() => {
  for (const server of [ours, evil]) {
    server.closeAllConnections()
    server.close()
  }
})
const url = (server) => `http://127.0.0.1:${server.address().port}`

test('through the node: no trick reaches another server, a redirect does not either', async () => {
  const settings = network({ appId: 'test-app', grpcAddress: '', httpAddress: url(ours) })
  await load(flow({ call: 'http', path: '/x', devId: '' }, settings), 'ttn-account-v2.abc')
  const host = `127.0.0.1:${evil.address().port}`
  for (const path of [`//${host}/x`, `@${host}/x`, `/\\${host}/x`, `http://${host}/x`, '/a/../x', '/a/%2e%2e/x']) {
    const { caught, out } = await send({ path, host, url: url(evil), hostname: '127.0.0.1', baseUrl: url(evil) })
    assert.equal(out, undefined, path)
    assert.equal(caught.error.code, 'AUTH_INVALID_ARGUMENT', path)
  }
  assert.deepEqual(requests, [])
  assert.ok((await send({ url: url(evil) })).out, 'a url in the message changes nothing')
  assert.equal((await send({ path: '/away' })).caught.error.code, 'AUTH_REDIRECT')
  assert.deepEqual(requests, ['/x', '/away'])
  await helper.unload()
})
