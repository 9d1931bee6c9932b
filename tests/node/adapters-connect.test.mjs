// Connect's generated clients: on its own transports with our interceptor, and on our native channel.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as http2 from 'node:http2'
import { test } from 'node:test'

import { Code, ConnectError, createClient, createContextKey, createContextValues } from '@connectrpc/connect'
import { connectNodeAdapter, createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { AuthError, CallAuth, Client, Credentials, Sandbox } from '@thingskey/ttn-auth'
import { createTransport, interceptor } from '@thingskey/ttn-auth/connect'

import { ApplicationManager } from '../../examples/node/proto/handler_pb.mjs'
import { Events } from '../../examples/node/proto/stack_pb.mjs'
import { V2, caused, closedPort, flaky, giving } from './adapters-support.mjs'
import { withSandbox } from './support.mjs'

const SECRET = 'hunter2hunter2'
const DEVICE = { appId: 'test-app', devId: 'dev-1' }
const sandbox = withSandbox()
const urlOf = (address) => address.replace(/^grpc/, 'http')

/** A client of ApplicationManager with its own gRPC transport, or ours. */
const WAYS = {
  interceptor: (t, auth, address = sandbox().grpcAddress) => {
    const nodeOptions = address.startsWith('grpcs') ? { ca: sandbox().ca } : undefined
    const transport = createGrpcTransport({ baseUrl: urlOf(address), nodeOptions, interceptors: [interceptor(auth)] })
    return createClient(ApplicationManager, transport)
  },
  transport: (t, auth, address = sandbox().grpcAddress) => {
    const options = auth instanceof Credentials ? { credentials: auth } : auth
    const transport = createTransport({ address, ca: address.startsWith('grpcs') ? sandbox().ca : undefined, ...options })
    t.after(() => transport.close())
    return createClient(ApplicationManager, transport)
  },
}

const rejects = (promise, code, authCode, secret) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof ConnectError, String(error))
    assert.equal(error.code, code, error.message)
    return authCode === undefined || caused(error, authCode, secret)
  })

/** A server of Connect, over HTTP/2 without TLS, which takes gRPC, gRPC-Web and Connect. */
async function serve(t, routes) {
  const sessions = new Set()
  const server = http2.createServer(connectNodeAdapter({ routes }))
  server.on('session', (session) => sessions.add(session))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return `127.0.0.1:${server.address().port}`
}

for (const [way, connect] of Object.entries(WAYS)) {
  for (const [name, credentials] of Object.entries(V2)) {
    test(`${way}, ${name}: plaintext loopback, and TLS`, async (t) => {
      for (const address of [sandbox().grpcAddress, sandbox().grpcsAddress]) {
        const { appId, devId } = await connect(t, credentials(sandbox()), address).getDevice(DEVICE)
        assert.deepEqual({ appId, devId }, DEVICE)
      }
    })
  }

  test(`${way}: errors are Connect's, with an AuthError as their cause and nothing secret`, async (t) => {
    for (const [secret, wanted, code, authCode] of [
      [sandbox().accessKey, { ...DEVICE, devId: 'none' }, Code.NotFound, 'AUTH_NOT_FOUND'],
      [`${sandbox().accessKey}x`, DEVICE, Code.Unknown, 'AUTH_INVALID_KEY'],
      [sandbox().mintToken({ kind: 'nodevices' }), DEVICE, Code.PermissionDenied, 'AUTH_PERMISSION_DENIED'],
      [sandbox().mintToken({ kind: 'expired' }), DEVICE, Code.PermissionDenied, 'AUTH_TOKEN_EXPIRED'],
    ]) {
      await rejects(connect(t, Credentials.parse(secret)).getDevice(wanted), code, authCode, secret)
    }
  })

  test(`${way}: what a server repeats of a credential is taken out`, async (t) => {
    const host = await serve(t, (router) =>
      router.service(ApplicationManager, {
        getDevice(_, { requestHeader }) {
          const details = [{ desc: ApplicationManager.method.getDevice.input, value: DEVICE }]
          throw new ConnectError(`no: ${requestHeader.get('token')}`, Code.PermissionDenied, undefined, details)
        },
      }),
    )
    await assert.rejects(connect(t, Credentials.bearerToken(SECRET), `grpc://${host}`).getDevice(DEVICE), (error) => {
      assert.equal(error.rawMessage, 'no: <redacted>')
      // Where gRPC has it once more, in bytes. The details are read already.
      assert.equal(error.metadata.get('grpc-status-details-bin'), null)
      if (way === 'interceptor') assert.equal(error.findDetails(ApplicationManager.method.getDevice.input)[0].devId, 'dev-1')
      return caused(error, 'AUTH_PERMISSION_DENIED', SECRET)
    })
  })

  test(`${way}: a refused token is replaced once; none to be had is told`, async (t) => {
    const bad = () => sandbox().mintToken({ kind: 'badsig' })
    const give = giving(bad(), sandbox().mintToken())
    const client = connect(t, { tokenSource: give })
    assert.equal((await client.getDevice(DEVICE)).devId, 'dev-1')
    assert.equal((await client.getDevice(DEVICE)).devId, 'dev-1')
    assert.equal(give.times, 2)
    const never = giving(bad(), bad(), bad())
    await rejects(connect(t, { tokenSource: never }).getDevice(DEVICE), Code.PermissionDenied, 'AUTH_INVALID_TOKEN')
    assert.equal(never.times, 2)
    const down = connect(t, { tokenSource: () => { throw new Error('the vault is sealed') }, retry: false })
    await rejects(down.getDevice(DEVICE), Code.Unavailable, 'AUTH_EXCHANGE_UNAVAILABLE')
  })

  test(`${way}: rate limits are waited for`, async (t) => {
    const limited = await Sandbox.start({ rateLimit: 5 })
    t.after(() => limited.stop())
    const client = connect(t, Credentials.accessKey(limited.accessKey), limited.grpcAddress)
    const all = await Promise.all(Array.from({ length: 8 }, () => client.getDevice(DEVICE)))
    assert.equal(all.length, 8)
    assert.ok(limited.counts.rateLimited > 0)
  })

  test(`${way}: an outage: what was not sent is made again, and what may be carried out twice`, async (t) => {
    const credentials = Credentials.accessKey(sandbox().accessKey)
    const way = await flaky(t, sandbox().grpcAddress, 2)
    const client = connect(t, { credentials, retry: { attempts: 50, baseDelay: 10 } }, `grpc://127.0.0.1:${way.port}`)
    assert.equal((await client.getDevice(DEVICE)).devId, 'dev-1')
    const dead = connect(t, { credentials, retry: { attempts: 2, baseDelay: 1 } }, `grpc://127.0.0.1:${await closedPort()}`)
    await rejects(dead.getDevice(DEVICE), Code.Unavailable, 'AUTH_UNAVAILABLE', sandbox().accessKey)

    let times = 0
    const host = await serve(t, (router) =>
      router.service(ApplicationManager, {
        getDevice(device) {
          if ((times += 1) === 1) throw new ConnectError('gone', Code.Unavailable)
          return device
        },
      }),
    )
    // Its .proto file says that it has no side effects.
    assert.equal((await connect(t, credentials, `grpc://${host}`).getDevice(DEVICE)).devId, 'dev-1')
    assert.equal(times, 2)
  })

  test(`${way}: headers, trailers, binary ones, and credentials of the caller's own`, async (t) => {
    const seen = []
    const host = await serve(t, (router) =>
      router.service(ApplicationManager, {
        getDevice(device, { requestHeader, responseHeader, responseTrailer }) {
          seen.push(requestHeader)
          responseHeader.set('x-first', 'a')
          responseTrailer.set('x-last-bin', 'AQI')
          return device
        },
      }),
    )
    const got = {}
    const headers = { 'x-own': '1', 'x-own-bin': 'AQI', token: 'theirs' }
    await connect(t, Credentials.bearerToken(SECRET), `grpc://${host}`).getDevice(DEVICE, {
      headers,
      onHeader: (all) => (got.first = all.get('x-first')),
      onTrailer: (all) => (got.last = all.get('x-last-bin')),
    })
    assert.deepEqual(got, { first: 'a', last: 'AQI' })
    assert.deepEqual(['x-own', 'x-own-bin', 'token'].map((name) => seen[0].get(name)), ['1', 'AQI', SECRET])
  })

  test(`${way}: time limits and signals`, async (t) => {
    const host = await serve(t, (router) => router.service(ApplicationManager, { getDevice: () => new Promise(() => {}) }))
    const credentials = Credentials.bearerToken(SECRET)
    const client = connect(t, credentials, `grpc://${host}`)
    await rejects(client.getDevice(DEVICE, { timeoutMs: 50 }), Code.DeadlineExceeded)
    await rejects(connect(t, { credentials, timeout: 50 }, `grpc://${host}`).getDevice(DEVICE), Code.DeadlineExceeded, 'AUTH_TIMEOUT', SECRET)
    await rejects(client.getDevice(DEVICE, { signal: AbortSignal.abort() }), Code.Canceled)
    for (const waiting of [client, connect(t, { tokenSource: () => new Promise(() => {}) })]) {
      const controller = new AbortController()
      const called = waiting.getDevice(DEVICE, { signal: controller.signal })
      setImmediate(() => controller.abort())
      await rejects(called, Code.Canceled)
    }
  })
}

test('the interceptor: over gRPC-Web metadata, over Connect a header', async (t) => {
  const seen = []
  const host = await serve(t, (router) =>
    router.service(ApplicationManager, {
      getDevice(device, { requestHeader }) {
        seen.push(Object.fromEntries(requestHeader))
        if (seen.length % 2 === 1) throw new ConnectError('unable to parse token: no', Code.Unauthenticated)
        return device
      },
    }),
  )
  const baseUrl = `http://${host}`
  for (const [create, options, name, value] of [
    [createGrpcTransport, {}, 'token', (token) => token],
    [createGrpcWebTransport, { httpVersion: '2' }, 'token', (token) => token],
    [createConnectTransport, { httpVersion: '2' }, 'authorization', (token) => `Bearer ${token}`],
    [createConnectTransport, { httpVersion: '2', useHttpGet: true }, 'authorization', (token) => `Bearer ${token}`],
  ]) {
    const auth = interceptor({ tokenSource: giving('bad-token', 'good-token') })
    const client = createClient(ApplicationManager, create({ baseUrl, ...options, interceptors: [auth] }))
    assert.equal((await client.getDevice(DEVICE)).devId, 'dev-1')
    assert.deepEqual(seen.splice(0).map((headers) => headers[name]), ['bad-token', 'good-token'].map(value))
  }
})

test('the interceptor: plaintext to another machine, and another server than was said, get no credentials', async () => {
  const credentials = Credentials.bearerToken(SECRET)
  for (const [auth, baseUrl, code, authCode] of [
    [credentials, 'http://192.0.2.1:1904', Code.FailedPrecondition, 'AUTH_INSECURE_TRANSPORT'],
    [{ credentials, address: 'grpcs://handler.example:1904' }, urlOf(sandbox().grpcAddress), Code.InvalidArgument, 'AUTH_INVALID_ARGUMENT'],
  ]) {
    const client = createClient(ApplicationManager, createGrpcTransport({ baseUrl, interceptors: [interceptor(auth)] }))
    await rejects(client.getDevice(DEVICE), code, authCode, SECRET)
  }
})

/** Streams of answers: the first token is refused, some break later. */
const streaming = (t) =>
  serve(t, (router) =>
    router.service(Events, {
      async *stream({ identifiers }, { requestHeader }) {
        if (requestHeader.get('token') !== 'good-token') throw new ConnectError('unable to parse token: no', Code.Unauthenticated)
        for (let n = 0; n < 5; n++) yield { name: `e${n}`, identifiers }
        if (identifiers.length > 0) throw new ConnectError('good-token broke', Code.Aborted)
      },
    }),
  )

async function names(stream) {
  const all = []
  for await (const { name } of stream) all.push(name)
  return all
}

test('the interceptor: streams of answers', async (t) => {
  const baseUrl = `http://${await streaming(t)}`
  const client = (...tokens) =>
    createClient(Events, createGrpcTransport({ baseUrl, interceptors: [interceptor({ tokenSource: giving(...tokens) })] }))
  assert.deepEqual(await names(client('bad-token', 'good-token').stream({})), ['e0', 'e1', 'e2', 'e3', 'e4'])
  await rejects(names(client('bad-token', 'worse-token').stream({})), Code.Unauthenticated, 'AUTH_INVALID_TOKEN')
  await assert.rejects(names(client('good-token').stream({ identifiers: [{}] })), ({ code, rawMessage }) => {
    assert.deepEqual([code, rawMessage], [Code.Aborted, '<redacted> broke'])
    return true
  })
})

test('the transport: streams of answers', async (t) => {
  const address = `grpc://${await streaming(t)}`
  const client = (...tokens) => {
    const transport = createTransport({ address, tokenSource: giving(...tokens) })
    t.after(() => transport.close())
    return createClient(Events, transport)
  }
  assert.deepEqual(await names(client('bad-token', 'good-token').stream({})), ['e0', 'e1', 'e2', 'e3', 'e4'])
  await rejects(names(client('bad-token', 'worse-token').stream({})), Code.Unauthenticated, 'AUTH_INVALID_TOKEN')
  const seen = []
  await assert.rejects(
    async () => {
      for await (const { name } of client('good-token').stream({ identifiers: [{}] })) seen.push(name)
    },
    (error) => error instanceof ConnectError && error.code === Code.Aborted && error.rawMessage === '<redacted> broke',
  )
  assert.equal(seen.length, 5)
})

/** The methods that our channel does not have, by name. */
const METHODS = { client_streaming: 'Up', bidi_streaming: 'Both' }

test('the transport: streams of requests are not implemented, and say so', async (t) => {
  const transport = createTransport({ address: sandbox().grpcAddress })
  t.after(() => transport.close())
  for (const [methodKind, name] of Object.entries(METHODS)) {
    const { input, output } = ApplicationManager.method.getDevice
    const method = { ...ApplicationManager.method.getDevice, kind: 'rpc', methodKind, name, input, output }
    await rejects(transport.stream(method, undefined, undefined, undefined, (async function* () {})()), Code.Unimplemented)
  }
})

test('the transport: a client that is there, interceptors, context values', async (t) => {
  const client = new Client({ address: sandbox().grpcAddress, credentials: Credentials.accessKey(sandbox().accessKey) })
  t.after(() => client.close())
  const key = createContextKey('none')
  const seen = []
  const log = (next) => async (request) => {
    seen.push([request.url, request.contextValues.get(key), request.message.devId])
    request.header.set('x-own', '1')
    const response = await next(request)
    seen.push(response.message.devId)
    return response
  }
  const transport = createTransport({ client, interceptors: [log] })
  const contextValues = createContextValues().set(key, 'some')
  await createClient(ApplicationManager, transport).getDevice(DEVICE, { contextValues })
  assert.deepEqual(seen, [[`${urlOf(client.address)}/handler.ApplicationManager/GetDevice`, 'some', 'dev-1'], 'dev-1'])
  // It is the caller's to close.
  transport.close()
  assert.equal((await client.getDevice({ app_id: 'test-app', dev_id: 'dev-1' })).dev_id, 'dev-1')
})

test('one CallAuth for many clients, and what is not taken', async () => {
  const give = giving(sandbox().mintToken())
  const auth = new CallAuth({ tokenSource: give })
  for (const one of [auth, { auth }]) assert.equal((await WAYS.interceptor(undefined, one).getDevice(DEVICE)).devId, 'dev-1')
  assert.equal(give.times, 1)
  const invalid = (make) => assert.throws(make, (error) => error instanceof AuthError && error.code === 'AUTH_INVALID_ARGUMENT')
  for (const wrong of [undefined, null, 'x', { auth: {} }]) invalid(() => interceptor(wrong))
  for (const wrong of [undefined, {}, { address: sandbox().httpAddress }, { client: {} }]) invalid(() => createTransport(wrong))
})
