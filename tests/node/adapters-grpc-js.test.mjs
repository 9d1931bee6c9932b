// @grpc/grpc-js with our credentials: its own clients, channels and errors.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { promisify } from 'node:util'

import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { AuthError, CallAuth, Credentials, Sandbox, TokenSource } from '@thingskey/ttn-auth'
import { callCredentials, interceptor } from '@thingskey/ttn-auth/grpc-js'

import { DEVICE, PROTO, V2, caused, closedPort, flaky, giving } from './adapters-support.mjs'
import { withSandbox } from './support.mjs'

const sandbox = withSandbox()
const { handler, ttn } = grpc.loadPackageDefinition(loadSync(['handler.proto', 'stack.proto'], { includeDirs: [PROTO], keepCase: true }))
const hostOf = (address) => address.replace(/^\w+:\/\//, '')
const plain = grpc.credentials.createInsecure()
const tls = () => grpc.credentials.createSsl(Buffer.from(sandbox().ca))

/** A client whose calls are promises; closed after the test. */
function connect(t, Service, address, credentials, options) {
  const client = new Service(hostOf(address), credentials, { 'grpc.initial_reconnect_backoff_ms': 100, ...options })
  t.after(() => client.close())
  return new Proxy(client, { get: (target, name) => (name === 'raw' ? target : promisify(target[name]).bind(target)) })
}

const manager = (t, auth, { address = sandbox().grpcAddress, credentials = plain } = {}) =>
  connect(t, handler.ApplicationManager, address, credentials, auth ? { interceptors: [].concat(interceptor(auth)) } : {})

for (const [name, credentials] of Object.entries(V2)) {
  test(`${name}: interceptor on plaintext loopback and over TLS, call credentials over TLS`, async (t) => {
    const auth = credentials(sandbox())
    const { grpcsAddress } = sandbox()
    assert.deepEqual(await manager(t, auth).GetDevice(DEVICE), DEVICE)
    assert.deepEqual(await manager(t, auth, { address: grpcsAddress, credentials: tls() }).GetDevice(DEVICE), DEVICE)
    const combined = grpc.credentials.combineChannelCredentials(tls(), callCredentials(auth))
    assert.deepEqual(await manager(t, undefined, { address: grpcsAddress, credentials: combined }).GetDevice(DEVICE), DEVICE)
  })
}

test('errors are those of grpc-js, with an AuthError as their cause and nothing secret', async (t) => {
  const { accessKey, mintToken } = sandbox()
  for (const [secret, wanted, code, authCode] of [
    [accessKey, { ...DEVICE, dev_id: 'none' }, grpc.status.NOT_FOUND, 'AUTH_NOT_FOUND'],
    [`${accessKey}x`, DEVICE, grpc.status.UNKNOWN, 'AUTH_INVALID_KEY'],
    [sandbox().mintToken({ kind: 'nodevices' }), DEVICE, grpc.status.PERMISSION_DENIED, 'AUTH_PERMISSION_DENIED'],
    [sandbox().mintToken({ kind: 'expired' }), DEVICE, grpc.status.PERMISSION_DENIED, 'AUTH_TOKEN_EXPIRED'],
  ]) {
    await assert.rejects(manager(t, Credentials.parse(secret)).GetDevice(wanted), (error) => {
      assert.equal(error.code, code, error.details)
      assert.ok(error.details && error.message.endsWith(error.details) && error.metadata instanceof grpc.Metadata)
      return caused(error, authCode, secret)
    })
  }
})

test('what a server repeats of a credential is taken out', async (t) => {
  const server = new grpc.Server()
  server.addService(handler.ApplicationManager.service, {
    GetDevice: ({ metadata }, done) => done({ code: grpc.status.PERMISSION_DENIED, details: `no: ${metadata.get('token')[0]}` }),
  })
  const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', grpc.ServerCredentials.createInsecure())
  t.after(() => server.forceShutdown())
  const secret = 'hunter2hunter2'
  await assert.rejects(manager(t, Credentials.bearerToken(secret), { address: `127.0.0.1:${port}` }).GetDevice(DEVICE), (error) => {
    assert.equal(error.details, 'no: <redacted>')
    return caused(error, 'AUTH_PERMISSION_DENIED', secret)
  })
})

test('a refused token is replaced once, and the call made again', async (t) => {
  const bad = () => sandbox().mintToken({ kind: 'badsig' })
  const give = giving(bad(), sandbox().mintToken())
  const client = manager(t, { tokenSource: give })
  assert.deepEqual(await client.GetDevice(DEVICE), DEVICE)
  assert.deepEqual(await client.GetDevice(DEVICE), DEVICE)
  assert.equal(give.times, 2)

  const never = giving(bad(), bad(), bad())
  await assert.rejects(manager(t, TokenSource.callback(never)).GetDevice(DEVICE), (error) => caused(error, 'AUTH_INVALID_TOKEN'))
  assert.equal(never.times, 2)
})

test('no token to be had: 14, and why', async (t) => {
  const down = new Error('the vault is sealed')
  const client = manager(t, { tokenSource: () => { throw down }, retry: false })
  await assert.rejects(client.GetDevice(DEVICE), (error) => {
    assert.equal(error.code, grpc.status.UNAVAILABLE)
    assert.equal(error.cause.cause, down)
    return caused(error, 'AUTH_EXCHANGE_UNAVAILABLE')
  })
})

test('call credentials: an error of their own has a code that grpc-js knows', async (t) => {
  const failing = callCredentials({ tokenSource: () => { throw new Error('no') }, retry: false })
  const client = manager(t, undefined, { address: sandbox().grpcsAddress, credentials: grpc.credentials.combineChannelCredentials(tls(), failing) })
  await assert.rejects(client.GetDevice(DEVICE), ({ code, details }) => {
    assert.equal(code, grpc.status.UNAVAILABLE)
    assert.match(details, /the token source failed/)
    return true
  })
  const elsewhere = callCredentials({ credentials: Credentials.accessKey(sandbox().accessKey), address: 'grpcs://other.example:1904' })
  const misled = manager(t, undefined, { address: sandbox().grpcsAddress, credentials: grpc.credentials.combineChannelCredentials(tls(), elsewhere) })
  await assert.rejects(misled.GetDevice(DEVICE), ({ details }) => /other\.example/.test(details))
})

test('the server\'s rate limit is waited for', async (t) => {
  const limited = await Sandbox.start({ rateLimit: 5 })
  t.after(() => limited.stop())
  const client = manager(t, Credentials.accessKey(limited.accessKey), { address: limited.grpcAddress })
  const all = await Promise.all(Array.from({ length: 8 }, () => client.GetDevice(DEVICE)))
  assert.equal(all.length, 8)
  assert.ok(limited.counts.rateLimited > 0)

  const impatient = manager(t, { credentials: Credentials.accessKey(limited.accessKey), retry: false }, { address: limited.grpcAddress })
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => impatient.GetDevice(DEVICE)))
  const refused = results.find(({ status }) => status === 'rejected')
  assert.equal(refused.reason.code, grpc.status.RESOURCE_EXHAUSTED)
  caused(refused.reason, 'AUTH_RATE_LIMITED')
})

test('an outage: calls that were not sent are made again', async (t) => {
  const credentials = Credentials.accessKey(sandbox().accessKey)
  const way = await flaky(t, sandbox().grpcAddress, 2)
  const client = manager(t, { credentials, retry: { attempts: 100, baseDelay: 100, maxDelay: 100 } }, { address: `127.0.0.1:${way.port}` })
  assert.deepEqual(await client.GetDevice(DEVICE), DEVICE)
  assert.ok(way.connections > 2)

  const dead = manager(t, { credentials, retry: { attempts: 2, baseDelay: 1 } }, { address: `127.0.0.1:${await closedPort()}` })
  await assert.rejects(dead.GetDevice(DEVICE), (error) => {
    assert.equal(error.code, grpc.status.UNAVAILABLE)
    return caused(error, 'AUTH_UNAVAILABLE')
  })
})

test('a lost answer: made again only where that was said to be safe', async (t) => {
  let times = 0
  const server = new grpc.Server()
  server.addService(handler.ApplicationManager.service, {
    GetDevice: (call, done) => ((times += 1) % 2 === 1 ? done({ code: grpc.status.UNAVAILABLE, details: 'gone' }) : done(null, DEVICE)),
  })
  const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', grpc.ServerCredentials.createInsecure())
  t.after(() => server.forceShutdown())
  const credentials = Credentials.bearerToken('hunter2hunter2')
  const address = `127.0.0.1:${port}`
  const asked = []
  for (const idempotent of [true, (method) => asked.push(method)]) {
    assert.deepEqual(await manager(t, { credentials, idempotent }, { address }).GetDevice(DEVICE), DEVICE)
  }
  assert.deepEqual(asked, ['/handler.ApplicationManager/GetDevice'])
  await assert.rejects(manager(t, credentials, { address }).GetDevice(DEVICE), (error) => caused(error, 'AUTH_UNAVAILABLE'))
  assert.equal(times, 5)
})

test('plaintext to another machine, and another server than was said, get no credentials', async (t) => {
  const credentials = Credentials.bearerToken('hunter2hunter2')
  for (const [auth, address, code] of [
    [credentials, '192.0.2.1:1904', 'AUTH_INSECURE_TRANSPORT'],
    [credentials, 'ipv4:127.0.0.1:1,192.0.2.1:1', 'AUTH_INSECURE_TRANSPORT'],
    [{ credentials, address: 'grpc://127.0.0.1:1' }, sandbox().grpcAddress, 'AUTH_INVALID_ARGUMENT'],
  ]) {
    await assert.rejects(manager(t, auth, { address }).GetDevice(DEVICE), (error) => caused(error, code, 'hunter2hunter2'))
  }
  // Over TLS it is only the connection that fails.
  const far = manager(t, { credentials, retry: false }, { address: `127.0.0.1:${await closedPort()}`, credentials: tls() })
  await assert.rejects(far.GetDevice(DEVICE), (error) => caused(error, 'AUTH_UNAVAILABLE'))
})

test('deadlines and cancelling', async (t) => {
  const slow = manager(t, { tokenSource: () => new Promise(() => {}) })
  await assert.rejects(slow.GetDevice(DEVICE, new grpc.Metadata(), { deadline: Date.now() + 50 }), (error) => {
    assert.equal(error.code, grpc.status.DEADLINE_EXCEEDED)
    return caused(error, 'AUTH_TIMEOUT')
  })
  const shorter = manager(t, { tokenSource: () => new Promise(() => {}), timeout: 50 })
  await assert.rejects(shorter.GetDevice(DEVICE), ({ code }) => code === grpc.status.DEADLINE_EXCEEDED)
  const cancelled = new Promise((_, reject) => slow.raw.GetDevice(DEVICE, reject).cancel())
  await assert.rejects(cancelled, ({ code, cause }) => code === grpc.status.CANCELLED && cause === undefined)
})

test('metadata of the call is kept, other credentials in it are not; the answer\'s metadata arrive', async (t) => {
  const seen = []
  const server = new grpc.Server()
  server.addService(handler.ApplicationManager.service, {
    GetDevice(call, done) {
      seen.push(call.metadata.getMap())
      const first = new grpc.Metadata()
      first.set('x-first', 'a')
      call.sendMetadata(first)
      const last = new grpc.Metadata()
      last.set('x-last-bin', Buffer.of(1, 2))
      done(null, DEVICE, last)
    },
  })
  const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', grpc.ServerCredentials.createInsecure())
  t.after(() => server.forceShutdown())
  const client = manager(t, Credentials.bearerToken('hunter2hunter2'), { address: `127.0.0.1:${port}` }).raw
  const metadata = new grpc.Metadata()
  metadata.set('x-trace', '1')
  metadata.set('key', 'ttn-account-v2.theirs')
  const got = await new Promise((resolve, reject) => {
    const got = {}
    const call = client.GetDevice(DEVICE, metadata, (error, device) => (error ? reject(error) : Object.assign(got, { device })))
    call.on('metadata', (first) => (got.first = first.getMap()))
    call.on('status', (status) => resolve({ ...got, last: status.metadata.getMap() }))
  })
  assert.deepEqual([got.device, got.first['x-first'], got.last['x-last-bin']], [DEVICE, 'a', Buffer.of(1, 2)])
  assert.deepEqual([seen[0].token, seen[0].key, seen[0]['x-trace']], ['hunter2hunter2', undefined, '1'])
  assert.deepEqual(metadata.getMap(), { 'x-trace': '1', key: 'ttn-account-v2.theirs' })
})

/** A service with a stream each way, that refuses the first token it sees of each method. */
async function streams(t) {
  const proto = { serialize: (text) => Buffer.from(text), deserialize: (bytes) => bytes.toString() }
  const method = (name, requestStream, responseStream) => ({
    path: `/test.Streams/${name}`, requestStream, responseStream,
    requestSerialize: proto.serialize, requestDeserialize: proto.deserialize, responseSerialize: proto.serialize, responseDeserialize: proto.deserialize,
  })
  const service = { Down: method('Down', false, true), Up: method('Up', true, false), Both: method('Both', true, true) }
  const refused = { code: grpc.status.UNAUTHENTICATED, details: 'unable to parse token: no' }
  const isGood = (call) => call.metadata.get('token')[0] === 'good-token'
  const server = new grpc.Server()
  server.addService(service, {
    Down(call) {
      if (!isGood(call)) return call.emit('error', refused)
      for (let n = 0; n < 5; n++) call.write(`${call.request}${n}`)
      if (call.request === 'broken') return call.emit('error', { code: grpc.status.ABORTED, details: 'good-token broke' })
      call.end()
    },
    Up(call, done) {
      const all = []
      call.on('data', (each) => all.push(each))
      call.on('end', () => (isGood(call) ? done(null, all.join('')) : done(refused)))
    },
    Both(call) {
      if (!isGood(call)) return call.emit('error', refused)
      call.on('data', (each) => call.write(each.toUpperCase()))
      call.on('end', () => call.end())
    },
  })
  const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', grpc.ServerCredentials.createInsecure())
  t.after(() => server.forceShutdown())
  const Streams = grpc.makeGenericClientConstructor(service, 'Streams')
  return (...tokens) => {
    const client = new Streams(`127.0.0.1:${port}`, plain, { interceptors: [interceptor({ tokenSource: giving(...tokens) })] })
    t.after(() => client.close())
    return client
  }
}

const read = async (stream) => {
  const all = []
  for await (const each of stream) all.push(each)
  return all
}

test('streams: what was sent is sent again after a refusal, and comes once', async (t) => {
  const client = await streams(t)
  assert.deepEqual(await read(client('bad-token', 'good-token').Down('x')), ['x0', 'x1', 'x2', 'x3', 'x4'])
  const up = await new Promise((resolve, reject) => {
    const call = client('bad-token', 'good-token').Up((error, text) => (error ? reject(error) : resolve(text)))
    for (const each of ['a', 'b', 'c']) call.write(each)
    call.end()
  })
  assert.equal(up, 'abc')
  const both = client('bad-token', 'good-token').Both()
  for (const each of ['a', 'b', 'c']) both.write(each)
  both.end()
  assert.deepEqual(await read(both), ['A', 'B', 'C'])
})

test('streams: more than is kept is not sent twice, and what breaks later is an error without secrets', async (t) => {
  const client = await streams(t)
  const many = Array.from({ length: 200 }, (_, n) => `${n};`)
  const send = (client) =>
    new Promise((resolve, reject) => {
      const call = client.Up((error, text) => (error ? reject(error) : resolve(text)))
      for (const each of many) call.write(each)
      call.end()
    })
  await assert.rejects(send(client('bad-token', 'good-token')), ({ code }) => code === grpc.status.UNAUTHENTICATED)
  assert.equal(await send(client('good-token')), many.join(''))
  const stream = client('good-token').Down('broken')
  const seen = []
  await assert.rejects(
    async () => {
      for await (const each of stream) seen.push(each)
    },
    (error) => error.code === grpc.status.ABORTED && error.details === '<redacted> broke',
  )
  assert.equal(seen.length, 5)
})

test('one CallAuth for many clients, and what is no credential', async (t) => {
  const give = giving(sandbox().mintToken())
  const auth = new CallAuth({ tokenSource: give })
  for (const one of [auth, { auth }, { auth, idempotent: true }]) assert.deepEqual(await manager(t, one).GetDevice(DEVICE), DEVICE)
  assert.equal(give.times, 1)
  for (const wrong of [undefined, null, 'ttn-account-v2.x', [], { auth: {} }, { auth, retry: false }]) {
    for (const make of [interceptor, callCredentials]) {
      assert.throws(() => make(wrong), (error) => error instanceof AuthError && error.code === 'AUTH_INVALID_ARGUMENT')
    }
  }
})
