// ttn-auth-headers with Node-RED's own http request node, and with another client over gRPC.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'

import * as grpc from '@grpc/grpc-js'

import { assertRefused, at, bothOnOnePort, holds, server, withHeaders } from './attached.mjs'
import { CREDENTIALS, Sandbox, folder, proxy, secretOf } from './support.mjs'

const flow = withHeaders()
const SCHEME = { 'access-key': 'Key', 'bearer-token': 'Bearer' }
const authorization = (kind) => `${SCHEME[kind]} ${secretOf(flow.sandbox, kind)}`
/** What was sent of a header, each time it was. */
const values = ({ raw }, name) => raw.filter((_, n) => n % 2 === 1 && raw[n - 1].toLowerCase() === name)

for (const kind of CREDENTIALS) {
  test(`http request reads the device with ${kind}, two times in a row with the same message`, async () => {
    const idle = await flow.serve({}, { config: { kind } })
    // The sandbox's token is good for an hour.
    if (kind === 'bearer-token') assert.deepEqual([idle.fill, idle.shape], ['yellow', 'dot'])
    else assert.deepEqual(idle, {})
    let msg = { url: flow.device }
    for (const time of ['first', 'second']) {
      const { out } = await flow.send(msg)
      assert.equal(out?.statusCode, 200, time)
      assert.equal(out.payload.dev_id, 'dev-1')
      assert.ok(!holds(out, secretOf(flow.sandbox, kind)), 'the answer has replaced msg.headers')
      msg = out
    }
    // A token that ends soon goes on showing that.
    if (kind === 'access-key') assert.deepEqual(await flow.status(/./), { fill: 'green', shape: 'dot', text: 'ttn.status.attached' })
    assert.ok(!holds([flow.log, flow.statuses], secretOf(flow.sandbox, kind)))
  })
}

test('a key that is exchanged here is sent as a token, exchanged once', async () => {
  const { sandbox } = flow
  const before = sandbox.exchanges
  await flow.serve({}, { config: { exchange: 'here', accountServer: sandbox.accountServer } })
  assert.equal(sandbox.exchanges, before, 'nothing is asked before it is needed')
  const answers = await Promise.all(Array.from({ length: 20 }, () => flow.send({ url: flow.device })))
  for (const { out } of answers) assert.equal(out.payload.dev_id, 'dev-1')
  assert.equal(sandbox.exchanges - before, 1)
  await flow.serve({}, { to: 'out', config: { exchange: 'here', accountServer: sandbox.accountServer } })
  const { out } = await flow.send({ url: flow.device })
  assert.match(out.headers.authorization, /^Bearer eyJ/)
})

test('a secret in a file is used when it has changed', async (t) => {
  const file = join(folder(t), 'key')
  writeFileSync(file, 'ttn-account-v2.one')
  await flow.serve({}, { to: 'out', config: { source: 'file', file }, secrets: { secret: '' } })
  assert.equal((await flow.send({ url: flow.device })).out.headers.authorization, 'Key ttn-account-v2.one')
  writeFileSync(`${file}.new`, 'ttn-account-v2.another')
  renameSync(`${file}.new`, file)
  for (;;) {
    const { out } = await flow.send({ url: flow.device })
    if (out.headers.authorization === 'Key ttn-account-v2.another') break
    assert.equal(out.headers.authorization, 'Key ttn-account-v2.one')
  }
})

test('any credential that is there is replaced; other headers arrive as they are (core http request: its own win)', async (t) => {
  const { seen, url, host } = await server(t)
  await flow.serve({ hosts: host })
  const headers = {
    Authorization: 'Basic bWU6aHVudGVyMg==', AUTHORIZATION: 'x', authorization: 'Bearer old', 'Grpc-Metadata-Key': 'old', 'grpc-metadata-token': 'old',
    accept: 'text/x-mine', 'X-Mine': 'stays', 'user-agent': 'mine',
  }
  const given = structuredClone(headers)
  assert.ok((await flow.send({ url, headers })).out)
  assert.deepEqual(values(seen[0], 'authorization'), [authorization('access-key')])
  assert.ok(!holds(seen, 'old') && !holds(seen, 'hunter2'))
  assert.deepEqual(['accept', 'x-mine', 'user-agent'].map((name) => values(seen[0], name)), [['text/x-mine'], ['stays'], ['mine']])
  assert.ok(seen[0].raw.includes('X-Mine'), 'letter case included')
  assert.deepEqual(headers, given, 'what another message may share is not touched')
  // As a function node makes it, which has an Object of its own.
  assert.ok((await flow.send({ url, headers: runInNewContext("({ 'x-mine': 'of a function' })") })).out)
  assert.deepEqual(values(seen[1], 'x-mine'), ['of a function'])
})

test('of an earlier answer no header is sent, also beside one that was added', async (t) => {
  const { seen, url, host } = await server(t, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'x-answer': 'yes', etag: 'abc', 'set-cookie': 'a=b' }).end('"an answer of some length"')
  })
  await flow.serve({ hosts: host }, { request: { method: 'POST' } })
  const first = (await flow.send({ url, payload: { n: 1 }, headers: { 'x-mine': '1' } })).out
  first.payload = { n: 2 }
  const second = (await flow.send(first)).out
  Object.assign(second, { payload: { n: 3 } })
  second.headers['x-mine'] = '3'
  assert.equal((await flow.send(second)).out.statusCode, 200)
  assert.deepEqual(seen.map(({ body }) => body), ['{"n":1}', '{"n":2}', '{"n":3}'])
  assert.deepEqual(seen.map((request) => values(request, 'x-mine')), [['1'], [], ['3']])
  for (const request of seen) {
    assert.deepEqual(values(request, 'authorization'), [authorization('access-key')])
    assert.deepEqual(values(request, 'content-type'), ['application/json'])
    for (const name of ['x-answer', 'etag', 'date', 'set-cookie', 'x-node-red-request-node']) assert.deepEqual(values(request, name), [], name)
  }
})

test('a redirect takes the secret nowhere', async (t) => {
  const other = await server(t)
  const { seen, url, host } = await server(t, (_, response) => response.writeHead(302, { location: other.url }).end())
  await flow.serve({ hosts: host })
  const { out } = await flow.send({ url })
  assert.deepEqual([out.statusCode, out.headers.location, other.seen.length], [302, other.url, 0])
  assert.deepEqual(values(seen[0], 'authorization'), [authorization('access-key')])
  // A flow that wants it followed: the http request node drops the header on the way to another host.
  assert.equal((await flow.send({ url, followRedirects: true })).out.statusCode, 200)
  assert.equal(other.seen.length, 1)
  assert.ok(!holds(other.seen, flow.sandbox.accessKey))
})

test('nor one from https to plaintext on the same host and port, where http request would keep the header', async (t) => {
  const { seen, host } = await bothOnOnePort(t, (request, response) => {
    response.writeHead(request.socket.encrypted ? 302 : 200, { location: `http://${host}/` }).end('{}')
  })
  await flow.serve({ hosts: host })
  const { out, caught } = await flow.send({ url: `https://${host}/`, rejectUnauthorized: false })
  assert.equal(out?.statusCode, 302, caught?.error.message)
  assert.deepEqual(values(seen.tls[0], 'authorization'), [authorization('access-key')])
  assert.deepEqual(seen.plain, [])
})

test('a message with a caller is refused, who gets no secret (any header decorator: through http response)', async (t) => {
  const { seen, url, host } = await server(t, (request, response) => (request.url === '/dies' ? request.socket.destroy() : response.end('{}')))
  const httpIn = { id: 'in', type: 'http in', ...at, name: '', url: '/headers/:way', method: 'get', upload: false, wires: [['url']] }
  const setUrl = { id: 'url', type: 'change', ...at, name: '', rules: [{ t: 'set', p: 'url', pt: 'msg', to: `"${url}" & req.params.way`, tot: 'jsonata' }], wires: [['headers']] }
  const response = { id: 'response', type: 'http response', ...at, name: '', statusCode: '200', headers: {}, wires: [] }
  const clean = { id: 'clean', type: 'change', ...at, name: '', rules: [{ t: 'delete', p: 'headers', pt: 'msg' }], wires: [['response']] }
  const caught = (to) => ({ id: 'caught', type: 'change', ...at, name: '', rules: [{ t: 'set', p: 'payload', pt: 'msg', to: 'error', tot: 'msg' }], wires: [[to]] })
  const call = async (way) => {
    const answer = await fetch(`${flow.nodeRed.url}headers/${way}`, { headers: { authorization: 'Basic bWU6bXk=' } })
    const text = await answer.text()
    const all = text + JSON.stringify([...answer.headers])
    assert.ok(!all.includes(flow.sandbox.accessKey), `${way}: the caller was sent the key`)
    return text
  }
  // Whatever is behind: an http response alone, or the request first.
  for (const to of ['response', 'request']) {
    await flow.serve({ hosts: host }, { to, request: { wires: [['response']] }, more: [httpIn, setUrl, response, caught('response')] })
    assert.equal(JSON.parse(await call('x')).code, 'AUTH_INVALID_ARGUMENT')
    assert.deepEqual(await flow.status(/with-caller/), { fill: 'red', shape: 'ring', text: 'ttn.problem-short.with-caller' })
  }
  assert.deepEqual(seen, [])
  // Allowed, with what the help asks for: msg.headers deleted before each http response.
  await flow.serve({ hosts: host, withCaller: true }, { request: { wires: [['clean']] }, more: [httpIn, setUrl, clean, response, caught('clean')] })
  assert.equal(await call('x'), '{}')
  assert.deepEqual(values(seen[0], 'authorization'), [authorization('access-key')])
  assert.match(await call('dies'), /ECONNRESET|hang up/)
})

test('metadata for a gRPC call of another client', async () => {
  const client = new grpc.Client(new URL(flow.sandbox.grpcAddress.replace('grpc', 'http')).host, grpc.credentials.createInsecure())
  const id = Buffer.from(`\x0a\x08${flow.sandbox.appId}\x12\x05dev-1`)
  /** The device, as encoded, or the error. */
  const read = (metadata) => new Promise((resolve) => {
    const sent = new grpc.Metadata()
    for (const [name, value] of Object.entries(metadata)) sent.set(name, value)
    const as = (bytes) => bytes
    client.makeUnaryRequest('/handler.ApplicationManager/GetDevice', as, as, id, sent, (error, answer) => resolve(error ?? answer))
  })
  for (const [config, name] of [
    [{ kind: 'access-key' }, 'key'],
    [{ kind: 'bearer-token' }, 'token'],
    [{ exchange: 'here', accountServer: flow.sandbox.accountServer }, 'token'],
  ]) {
    await flow.serve({ target: 'metadata' }, { to: 'out', config })
    const given = { Key: 'old', TOKEN: 'old', 'x-mine': 'stays' }
    const { out } = await flow.send({ metadata: given })
    assert.deepEqual(Object.keys(out.metadata), ['x-mine', name])
    assert.deepEqual([given.Key, out.headers, out.followRedirects], ['old', undefined, undefined])
    assert.ok((await read(out.metadata)).includes?.('dev-1'), name)
  }
  assert.ok((await read({})) instanceof Error, 'without it there is no answer')
  client.close()
})

test('headers that are no object are refused, whatever they are', async () => {
  for (const [target, property] of [['header', 'headers'], ['metadata', 'metadata']]) {
    await flow.serve({ target }, { to: 'out' })
    for (const value of ['authorization: x', 7, true, ['authorization', 'x'], new Map(), new grpc.Metadata(), Buffer.from('x')]) {
      const url = target === 'header' ? flow.device : undefined
      assertRefused(await flow.send({ url, [property]: value }), 'AUTH_INVALID_ARGUMENT', new RegExp(`msg.${property} must be an object`))
    }
    for (const nothing of [undefined, null, {}, Object.create(null)]) {
      assert.ok((await flow.send({ url: target === 'header' ? flow.device : undefined, [property]: nothing })).out)
    }
  }
  await flow.status(/not-object/)
  // A message that cannot be read at all is an error too, and ends nothing.
  await flow.serve({}, { to: 'out' })
  const trap = { get() { throw new Error('a trap') } }
  assertRefused(await flow.send(Object.defineProperty({}, 'url', { ...trap, enumerable: false })), 'AUTH_INTERNAL', /a trap/)
  // Node-RED cannot even copy this one for the catch node.
  const logged = once(flow.nodeRed.RED.events, 'headers-caught')
  flow.send({ url: flow.device, headers: new Proxy({}, { ownKeys: trap.get }) })
  assert.match((await logged)[0].error.message, /a trap/)
  assert.ok((await flow.send({ url: flow.device })).out)
})

test('after an error no credential is left, old ones included', async () => {
  const old = () => ({
    headers: { authorization: 'Bearer old', AUTHORIZATION: 'old', 'x-mine': 'stays' },
    metadata: { token: 'old', Key: 'old', 'x-mine': 'stays' },
  })
  const clean = { headers: { 'x-mine': 'stays' }, metadata: { 'x-mine': 'stays' } }
  for (const [settings, options, msg, code] of [
    [{}, {}, {}, 'AUTH_INVALID_ARGUMENT'],
    [{}, {}, { url: 'https://evil.example/' }, 'AUTH_INVALID_ARGUMENT'],
    [{}, {}, { url: flow.device, res: {} }, 'AUTH_INVALID_ARGUMENT'],
    [{ target: 'metadata' }, {}, { res: {} }, 'AUTH_INVALID_ARGUMENT'],
    [{}, { secrets: { secret: '' } }, { url: flow.device }, 'AUTH_MISSING_CREDENTIALS'],
    [{}, { config: null }, { url: flow.device }, 'AUTH_MISSING_CREDENTIALS'],
    [{}, { secrets: { secret: 'not a key' } }, { url: flow.device }, 'AUTH_INVALID_CREDENTIALS'],
  ]) {
    await flow.serve(settings, { to: 'out', ...options })
    const given = old()
    const answer = await flow.send({ ...msg, ...given })
    assertRefused(answer, code, /./, flow.sandbox.accessKey, 'old')
    assert.deepEqual({ headers: answer.caught.headers, metadata: answer.caught.metadata }, clean)
    assert.ok(answer.caught.error.cause.hint, code)
    assert.deepEqual(given, old(), 'what another message may share is not touched')
  }
})

test('an account server that is down, and a refused key', async (t) => {
  const own = await Sandbox.start({ rateLimit: false })
  t.after(() => own.stop())
  own.stopAccountServer()
  const config = { exchange: 'here', accountServer: own.accountServer }
  await flow.serve({}, { config })
  assertRefused(await flow.send({ url: flow.device }), 'AUTH_EXCHANGE_UNAVAILABLE', /./, flow.sandbox.accessKey)
  assert.deepEqual(await flow.status(/./), { fill: 'red', shape: 'ring', text: 'ttn.status.exchange-unavailable' })
  await flow.serve({}, { config: { ...config, accountServer: flow.sandbox.accountServer }, secrets: { secret: 'ttn-account-v2.wrong' } })
  assertRefused(await flow.send({ url: flow.device }), 'AUTH_INVALID_KEY', /./, 'ttn-account-v2.wrong')
  assert.deepEqual(await flow.status(/./), { fill: 'red', shape: 'dot', text: 'ttn.status.invalid-key' })
})

test('what would fail is said before the first message', async () => {
  const grey = { fill: 'grey', shape: 'ring', text: 'ttn.status.not-configured' }
  assert.deepEqual(await flow.serve({ network: '' }), grey)
  assert.equal((await flow.serve({ hosts: '${TTN_NOT_SET}' })).text, 'variable TTN_NOT_SET not set')
  assert.equal((await flow.serve({ hosts: 'good.example, ${TTN_NOT_SET}' })).text, 'variable TTN_NOT_SET not set')
  assert.equal((await flow.serve({ hosts: '*.example' })).text, 'ttn.problem-short.host-form')
  assert.equal((await flow.serve({}, { secrets: { secret: '' } })).text, 'ttn.problem-short.secret-missing')
  assert.equal((await flow.serve({}, { secrets: { secret: '${TTN_NOT_SET}' } })).text, 'variable TTN_NOT_SET not set')
  assert.equal((await flow.serve({}, { config: { httpAddress: '' } })).text, 'ttn.problem-short.http-address-missing')
})

test('statuses come at most one a second', async () => {
  await flow.serve({}, { to: 'out' })
  await Promise.all(Array.from({ length: 100 }, (_, n) => flow.send({ url: n % 2 ? flow.device : 'https://evil.example' })))
  assert.ok(flow.statuses.length <= 2, `${flow.statuses.length}`)
})

test('closed while an account server takes its time: each message is told, at once', async (t) => {
  const held = await proxy(flow.sandbox.accountServer, { hold: true })
  t.after(() => held.stop())
  const config = { exchange: 'here', accountServer: held.address, timeout: '' }
  await flow.serve({}, { config })
  const answers = [1, 2, 3].map(() => flow.send({ url: flow.device, headers: { authorization: 'old' } }))
  await once(held.server, 'opened')
  await flow.serve({ name: 'changed' }, { config, type: 'nodes' })
  for (const answer of await Promise.all(answers)) assertRefused(answer, 'AUTH_CANCELLED', /./, flow.sandbox.accessKey, 'old')
})
