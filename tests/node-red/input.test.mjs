// Wrong input in a message or in the settings is named, and never taken for a mistake of this package.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { once } from 'node:events'
import { test } from 'node:test'

import { flow, helper, load, network, send, shows, withSandbox } from './support.mjs'

const require = createRequire(import.meta.url)
const { Problem, toNodeError } = require('../../node/nodes/lib/problem.js')
const { plan } = require('../../node/nodes/lib/request.js')
const { withScheme } = require('../../node/nodes/lib/setting.js')
const sandbox = withSandbox()

/** A server that answers each request with what it was sent. */
async function echo(t) {
  const server = createServer(async (request, response) => {
    const chunks = await request.toArray()
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ method: request.method, url: request.url, body: Buffer.concat(chunks).toString() }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${server.address().port}`
}

const cyclic = {}
cyclic.self = cyclic
const bare = Object.create(null)
const half = '\ud800'

const raw = { call: 'http', path: '/applications/{app_id}', httpMethod: 'POST', devId: '' }
for (const [what, request, msg, problem] of [
  ['a payload that holds itself', raw, { payload: cyclic }, 'payload-json'],
  ['a big integer as payload', raw, { payload: 7n }, 'payload-json'],
  ['a function as payload', raw, { payload: () => {} }, 'payload-json'],
  ['half a character as id', raw, { app_id: half }, 'id-text'],
  ['half a character as id of a call', {}, { app_id: half }, 'id-text'],
  ['a symbol as time limit', raw, { timeout: Symbol('x') }, 'timeout'],
  ['an object as time limit', raw, { timeout: bare }, 'timeout'],
  ['true as time limit', raw, { timeout: true }, 'timeout'],
  ['a symbol as HTTP method', raw, { method: Symbol('x') }, 'http-method'],
  ['an object without toString as HTTP method', raw, { method: bare }, 'http-method'],
  ['an object without toString as call', {}, { method: bare }, 'call'],
  ['a symbol in the query', raw, { query: { a: Symbol('x') } }, 'query'],
  ['a symbol as limit', {}, { method: 'getDevices', query: { limit: Symbol('x') } }, 'query'],
]) {
  test(`${what} is an invalid argument`, async () => {
    await load(flow(request, network(sandbox())), sandbox().accessKey)
    const { caught } = await send(msg)
    assert.equal(caught?.error.code, 'AUTH_INVALID_ARGUMENT')
    assert.match(caught.error.message, new RegExp(`ttn\\.problem\\.${problem} `))
    await shows(`ttn.problem-short.${problem}`)
  })
}

// Node-RED copies a message for the catch node, which such an object would end.
test('an object that throws when it is read is an invalid argument', () => {
  const payload = {
    get dev_id() {
      throw new Error('no')
    },
  }
  assert.throws(() => plan({ call: 'setDevice' }, {}, { payload }), { code: 'AUTH_INVALID_ARGUMENT', key: 'message' })
})

for (const [what, payload] of [['itself', cyclic], ['a big integer', { description: 7n }], ['half a character', { description: half }]]) {
  for (const transport of ['grpc', 'http']) {
    test(`a device that holds ${what}, over ${transport}: not an internal error`, async () => {
      await load(flow({ call: 'setDevice', transport }, network(sandbox())), sandbox().accessKey)
      const { caught } = await send({ payload })
      if (caught) assert.equal(caught.error.code, 'AUTH_INVALID_ARGUMENT', caught.error.message)
    })
  }
}

test('an error that the nodes find carries kind, hint and transient, as those of the core do', async () => {
  await load(flow({}, network(sandbox())), sandbox().accessKey)
  const { caught } = await send({ dev_id: 7 })
  const { message, kind, hint, transient } = caught.error.cause
  assert.deepEqual([message, kind, hint, transient], ['ttn.problem.id-text', 'invalid-argument', 'ttn.hint.argument', false])
  assert.ok(caught.error.message.endsWith('(ttn.hint.argument)'))
  const RED = { _: (key) => key }
  for (const [code, key, kindOf] of [
    ['AUTH_MISSING_CREDENTIALS', 'not-configured', 'missing-credentials'],
    ['AUTH_CANCELLED', 'closed', 'cancelled'],
  ]) {
    const { cause } = toNodeError(RED, new Problem(code, key))
    assert.deepEqual([cause.kind, cause.hint, cause.transient], [kindOf, `ttn.hint.${key}`, false])
  }
  const mistake = toNodeError(RED, new TypeError('x is not a function'))
  assert.deepEqual([mistake.code, mistake.cause.kind, mistake.cause.transient], ['AUTH_INTERNAL', 'internal', false])
})

test('which HTTP methods send the payload', async (t) => {
  await load(flow({ call: 'http', path: '/x' }, network(sandbox(), { httpAddress: await echo(t) })), 'a.b')
  for (const [method, payload, body] of [
    ['GET', { a: 1 }, ''],
    ['POST', { a: 1 }, '{"a":1}'],
    ['POST', 7, '7'],
    ['PUT', 'text', 'text'],
    ['DELETE', { a: 1 }, '{"a":1}'],
    ['DELETE', 'text', 'text'],
    ['DELETE', Buffer.from('bytes'), 'bytes'],
    // An inject node's payload is the time.
    ['DELETE', 1732444800000, ''],
    ['DELETE', undefined, ''],
  ]) {
    const { out } = await send({ method, payload })
    assert.deepEqual([out?.payload.method, out?.payload.body], [method, body])
  }
})

test('an unset variable as time limit is named', async () => {
  for (const [request, settings] of [[{}, { timeout: '${TTN_NOT_SET}' }], [{ timeout: '${TTN_NOT_SET}' }, {}]]) {
    await load(flow(request, network(sandbox(), settings)), sandbox().accessKey)
    assert.match((await send()).caught.error.message, /ttn\.problem\.variable/)
    await helper.unload()
  }
})

test('an unset variable as application matters to what needs an application only', async (t) => {
  const settings = network(sandbox(), { appId: '${TTN_NOT_SET}', httpAddress: await echo(t) })
  await load(flow({ call: 'http', path: '/x' }, settings), 'a.b')
  assert.equal((await send()).out?.payload.url, '/x')
  assert.match((await send({ path: '/x/{app_id}' })).caught.error.message, /ttn\.problem\.variable/)
  assert.equal((await send({ path: '/x/{app_id}', app_id: 'mine' })).out?.payload.url, '/x/mine')
  await helper.unload()
  await load(flow({}, { ...settings, grpcAddress: sandbox().grpcAddress }), sandbox().accessKey)
  assert.match((await send()).caught.error.message, /ttn\.problem\.variable/)
  assert.equal((await send({ app_id: 'test-app' })).out?.payload.dev_id, 'dev-1')
})

test('the case of a scheme does not matter', async () => {
  for (const [text, transport, address] of [
    ['GRPC://h', 'grpc', 'grpc://h'],
    ['HTTPS://h:1904', 'grpc', 'grpcs://h:1904'],
    ['Https://h', 'http', 'https://h'],
  ]) {
    assert.equal(withScheme(text, transport), address)
  }
  const grpcAddress = sandbox().grpcAddress.replace('grpc', 'GRPC')
  await load(flow({}, network(sandbox(), { grpcAddress })), sandbox().accessKey)
  assert.equal((await send()).out?.payload.dev_id, 'dev-1')
})
