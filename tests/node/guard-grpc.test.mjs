// The guard of @grpc/grpc-js servers: every kind of method, the first message judged, the handler never reached by strangers.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect, promisify } from 'node:util'

import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

import { Authenticator, Credentials, Sandbox } from '../../node/index.js'
import { connect, rejects, withSandbox } from './support.mjs'

const sandbox = withSandbox()
const ISSUER = 'ttn-account-v2'
const GET_DEVICE = '/handler.ApplicationManager/GetDevice'
const DEVICE = { app_id: 'test-app', dev_id: 'dev-1' }
const proto = fileURLToPath(new URL('../../proto', import.meta.url))
const { handler } = grpc.loadPackageDefinition(loadSync(join(proto, 'handler.proto'), { includeDirs: [proto], keepCase: true }))

const authenticatorOf = (network = sandbox(), options = {}) => new Authenticator({ authServers: { [ISSUER]: network.accountServer }, ...options })

async function bind(t, server) {
  const listen = promisify(server.bindAsync.bind(server))
  const port = await listen('127.0.0.1:0', grpc.ServerCredentials.createInsecure())
  t.after(() => server.forceShutdown())
  return `127.0.0.1:${port}`
}

/** A part of V2's ApplicationManager. Each call that reaches a handler is in `seen`. */
async function start(t, { authenticator = authenticatorOf(), rights = { [GET_DEVICE]: 'devices' }, appId } = {}) {
  const seen = []
  const server = new grpc.Server({ interceptors: [authenticator.grpc({ rights, appId })] })
  const handle = (call, callback) => {
    const claims = authenticator.claims(call)
    seen.push({ claims, metadata: inspect(call.metadata, { depth: 9, showHidden: true }) })
    callback(null, { ...call.request, description: `read by ${claims?.subject}` })
  }
  server.addService(handler.ApplicationManager.service, { GetDevice: handle, GetApplication: handle, DryUplink: handle })
  return { address: `grpc://${await bind(t, server)}`, seen }
}

const token = (options) => Credentials.bearerToken(sandbox().mintToken(options))
const key = (secret) => Credentials.accessKey(secret)

/** Cause, credentials; code, gRPC code: the same codes as over HTTP (guard-http.test.mjs). */
const CAUSES = [
  ['no credential', () => undefined, 'AUTH_MISSING_CREDENTIALS', 3],
  ['expired', () => token({ kind: 'expired' }), 'AUTH_TOKEN_EXPIRED', 7],
  ['not yet valid', () => token({ kind: 'future' }), 'AUTH_TOKEN_NOT_YET_VALID', 7],
  ['forged', () => token({ kind: 'badsig' }), 'AUTH_INVALID_TOKEN', 7],
  ['unsigned', () => token({ kind: 'none' }), 'AUTH_INVALID_TOKEN', 7],
  ['public key as a password', () => token({ kind: 'hs256' }), 'AUTH_INVALID_TOKEN', 7],
  ['issuer not known', () => token({ kind: 'wrongissuer' }), 'AUTH_UNKNOWN_ISSUER', 7],
  ['issuer of a key not known', () => key('nobody.hunter2hunter2'), 'AUTH_UNKNOWN_ISSUER', 2],
  ['wrong key', () => key(`${ISSUER}.hunter2hunter2`), 'AUTH_INVALID_KEY', 2],
  ['key of another application', () => key(`${ISSUER}.full-other-app`), 'AUTH_INVALID_KEY', 2],
  ['right missing in a token', () => token({ kind: 'nodevices' }), 'AUTH_PERMISSION_DENIED', 7],
  ['right missing in a key', () => key(`${ISSUER}.nodev-test-app`), 'AUTH_PERMISSION_DENIED', 7],
  ['scope missing', () => token({ kind: 'noscope' }), 'AUTH_PERMISSION_DENIED', 7],
  ['token of another application', () => token({ kind: 'otherapp' }), 'AUTH_PERMISSION_DENIED', 7],
]

test('our client gets in with both credentials, and the handler never sees them', async (t) => {
  const { address, seen } = await start(t)
  for (const secret of [sandbox().accessKey, sandbox().bearerToken]) {
    const client = connect(sandbox(), 'grpc', { address, credentials: Credentials.parse(secret) })
    assert.match((await client.getDevice(DEVICE)).description, /^read by .+/)
    client.close()
    const { claims, metadata } = seen.pop()
    assert.equal(claims.kind, Credentials.parse(secret).kind)
    assert.ok(!metadata.includes(secret), metadata)
    assert.ok(metadata.includes('user-agent'), metadata)
  }
})

test('everyone else is told why, and our client understands', async (t) => {
  const servers = [
    [await start(t), (code) => code],
    [await start(t, { authenticator: authenticatorOf(sandbox(), { answers: 'v2' }) }), (code) => code],
    [await start(t, { authenticator: authenticatorOf(sandbox(), { answers: 'unauthenticated' }) }), (grpcCode, code) => (code === 'AUTH_PERMISSION_DENIED' ? 7 : 16)],
  ]
  for (const [cause, credentials, code, grpcCode] of CAUSES) {
    const given = credentials()
    const secret = given ? Object.values(given.metadata())[0] : undefined
    for (const [{ address, seen }, expected] of servers) {
      const client = connect(sandbox(), 'grpc', { address, credentials: given })
      await rejects(client.getDevice(DEVICE), code, { secret, check: (error) => assert.equal(error.grpcCode, expected(grpcCode, code), cause) })
      client.close()
      assert.deepEqual(seen, [], cause)
    }
  }
})

test('while the account server is away nobody new gets in: 14, as V2 2', async (t) => {
  const network = await Sandbox.start({ rateLimit: false })
  t.after(() => network.stop())
  const known = await start(t, { authenticator: authenticatorOf(network) })
  const client = connect(network, 'grpc', { address: known.address })
  await client.getDevice(DEVICE)
  network.stopAccountServer()
  await client.getDevice(DEVICE)
  client.close()
  for (const [answers, grpcCode] of [['standard', 14], ['unauthenticated', 14], ['v2', 2]]) {
    const { address, seen } = await start(t, { authenticator: authenticatorOf(network, { answers }) })
    const other = connect(network, 'grpc', { address, retry: false })
    await rejects(other.getDevice(DEVICE), 'AUTH_EXCHANGE_UNAVAILABLE', { check: (error) => assert.equal(error.grpcCode, grpcCode) })
    other.close()
    assert.deepEqual(seen, [])
  }
})

test('methods: one that is not named is closed, null is open, true is for whoever is known', async (t) => {
  const rights = { [GET_DEVICE]: true, '/handler.ApplicationManager/DryUplink': null }
  const { address, seen } = await start(t, { rights })
  const call = (credentials) => connect(sandbox(), 'grpc', { address, credentials })
  const someone = call(token({ rights: [] }))
  await rejects(someone.getApplication({ app_id: 'test-app' }), 'AUTH_UNIMPLEMENTED', { check: (error) => assert.equal(error.grpcCode, 12) })
  await someone.getDevice({ ...DEVICE, app_id: 'other-app' })
  assert.deepEqual(seen.pop().claims.kind, 'bearer-token')
  await rejects(call(undefined).getDevice(DEVICE), 'AUTH_MISSING_CREDENTIALS')
  await call(undefined).dryUplink({ payload: 'AQ==' })
  assert.equal(seen.pop().claims, undefined)
  await call(token({ kind: 'badsig' })).dryUplink({ payload: 'AQ==' })
  // An open method has no use for them either.
  const { claims, metadata } = seen.pop()
  assert.equal(claims, undefined)
  assert.ok(!metadata.includes('eyJ'), metadata)
  assert.deepEqual(seen, [])
})

test('an appId function: what it gets, and what it gives', async (t) => {
  const { address, seen } = await start(t, { appId: (message, path) => (path === GET_DEVICE ? message.dev_id : 'nobody') })
  const client = connect(sandbox(), 'grpc', { address })
  await client.getDevice({ app_id: 'other-app', dev_id: 'test-app' })
  await rejects(client.getDevice(DEVICE), 'AUTH_INVALID_KEY')
  assert.equal(seen.length, 1)
  for (const appId of [() => undefined, () => '', () => 5, () => ['test-app']]) {
    const other = connect(sandbox(), 'grpc', { address: (await start(t, { appId })).address })
    await rejects(other.getDevice(DEVICE), 'AUTH_INVALID_ARGUMENT', { check: (error) => assert.equal(error.grpcCode, 3) })
    other.close()
  }
  client.close()
})

test('an appId function that throws, whatever it throws, opens nothing and ends nothing; its owner is warned', async (t) => {
  const warnings = []
  const listener = (warning) => warnings.push(warning)
  process.on('warning', listener)
  t.after(() => process.removeListener('warning', listener))
  const thrown = [new Error('mine'), undefined, null, 0, 'text', { answer: { grpcCode: 0, grpcMessage: '' } }, { code: 0 }]
  for (const what of thrown) {
    for (const appId of [() => { throw what }, () => Promise.reject(what)]) {
      const { address, seen } = await start(t, { appId })
      const client = connect(sandbox(), 'grpc', { address, retry: false })
      await rejects(client.getDevice(DEVICE), 'AUTH_SERVER', { check: (error) => assert.deepEqual([error.grpcCode, error.message.includes('mine')], [13, false]) })
      client.close()
      assert.deepEqual(seen, [])
    }
  }
  assert.equal(warnings.length, 2 * thrown.length)
  assert.equal(warnings[0].message, 'mine')
})

test('wrong options', () => {
  const authenticator = authenticatorOf()
  for (const [options, expected] of [
    [undefined, /options must be an object/],
    [{}, /rights are missing, such as/],
    [{ rights: 'devices' }, /rights must be an object/],
    [{ rights: { [GET_DEVICE]: 'device' } }, /GetDevice: no such right/],
    [{ rights: { [GET_DEVICE]: undefined } }, /GetDevice must be a right, true .*, or null/],
    [{ rights: { [GET_DEVICE]: false } }, /GetDevice must be a right/],
    [{ rights: { [GET_DEVICE]: {} } }, /GetDevice must be a right/],
    [{ rights: { GetDevice: 'devices' } }, /"GetDevice" is no method/],
    [{ rights: {}, appId: 5 }, /appId must be a string, or a function/],
    [{ rights: {}, methods: {} }, /no option "methods"; there are: appId, rights/],
  ]) {
    assert.throws(() => authenticator.grpc(options), { name: 'AuthError', code: 'AUTH_INVALID_ARGUMENT', message: expected })
  }
})

// Streams: text in, text out; the application is what stands before a colon.
const codec = { serialize: (text) => Buffer.from(text), deserialize: (bytes) => bytes.toString() }
const method = (name, requestStream, responseStream) => ({
  path: `/test.Streams/${name}`,
  requestStream,
  responseStream,
  requestSerialize: codec.serialize,
  requestDeserialize: codec.deserialize,
  responseSerialize: codec.serialize,
  responseDeserialize: codec.deserialize,
})
const SERVICE = { Unary: method('Unary', false, false), Down: method('Down', false, true), Up: method('Up', true, false), Both: method('Both', true, true) }
const Streams = grpc.makeGenericClientConstructor(SERVICE, 'Streams')

const textOf = (message) => message?.split(':')[0]

async function streams(t, interceptors = (guard) => [guard], appId = textOf) {
  const authenticator = authenticatorOf()
  const seen = []
  const rights = Object.fromEntries(Object.values(SERVICE).map(({ path }) => [path, 'devices']))
  const guard = authenticator.grpc({ rights, appId })
  const server = new grpc.Server({ interceptors: interceptors(guard) })
  const enter = (call) => {
    seen.push(call.getPath())
    assert.equal(authenticator.claims(call).subject, 'me')
    assert.ok(call.getPeer().startsWith('127.0.0.1:'))
    assert.ok(call.getDeadline() > Date.now())
  }
  server.addService(SERVICE, {
    Unary(call, callback) {
      enter(call)
      callback(null, call.request)
    },
    Down(call) {
      enter(call)
      for (const n of [1, 2, 3]) call.write(`${call.request} ${n}`)
      call.end()
    },
    Up(call, callback) {
      enter(call)
      const all = []
      call.on('data', (message) => all.push(message))
      call.on('end', () => callback(null, all.join()))
      // It is read at once: what was judged still comes first.
      call.read()
    },
    Both(call) {
      enter(call)
      call.on('data', (message) => call.write(`got ${message}`))
      call.on('end', () => call.end())
    },
  })
  const client = new Streams(await bind(t, server), grpc.credentials.createInsecure())
  t.after(() => client.close())
  return { client, seen }
}

function metadataOf(options) {
  const metadata = new grpc.Metadata()
  if (options) metadata.set('token', sandbox().mintToken({ subject: 'me', ...options }))
  return metadata
}

/** A call's status. Not by `once`, which an error before it would end. */
const statusOf = (call) => new Promise((resolve) => call.on('error', () => {}).on('status', resolve))

/** All that a call gives, or its status. */
async function outcome(call) {
  const all = []
  call.on('data', (message) => all.push(message))
  const { code, details } = await statusOf(call)
  return code === 0 ? all : [code, details]
}

/** A call of each kind with these messages. */
const CALLS = {
  Unary: (client, metadata, [first]) =>
    new Promise((resolve) => client.Unary(first, metadata, { deadline: Date.now() + 10_000 }, (error, answer) => resolve(error ? [error.code, error.details] : [answer]))),
  Down: (client, metadata, [first]) => outcome(client.Down(first, metadata, { deadline: Date.now() + 10_000 })),
  Up: (client, metadata, messages) =>
    new Promise((resolve) => {
      const call = client.Up(metadata, { deadline: Date.now() + 10_000 }, (error, answer) => resolve(error ? [error.code, error.details] : [answer]))
      for (const message of messages) call.write(message)
      call.end()
    }),
  Both(client, metadata, messages) {
    const call = client.Both(metadata, { deadline: Date.now() + 10_000 })
    for (const message of messages) call.write(message)
    call.end()
    return outcome(call)
  },
}
const MESSAGES = ['test-app:a', 'other-app:b', 'c', 'd']
const ANSWERS = {
  Unary: ['test-app:a'],
  Down: ['test-app:a 1', 'test-app:a 2', 'test-app:a 3'],
  Up: [MESSAGES.join()],
  Both: MESSAGES.map((message) => `got ${message}`),
}

const passing = (_method, call) => new grpc.ServerInterceptingCall(call)

for (const [order, interceptors] of Object.entries({ alone: undefined, 'first of two': (guard) => [guard, passing], 'last of two': (guard) => [passing, guard] })) {
  test(`every kind of method, judged by its first message, in order (${order})`, async (t) => {
    const { client, seen } = await streams(t, interceptors)
    for (const [name, call] of Object.entries(CALLS)) {
      for (const _ of [1, 2, 3]) assert.deepEqual(await call(client, metadataOf({}), MESSAGES), ANSWERS[name], name)
      assert.equal(seen.splice(0).length, 3)
      for (const [options, messages, code] of [
        [undefined, MESSAGES, 3],
        [{ kind: 'badsig' }, MESSAGES, 7],
        [{ rights: ['settings'] }, MESSAGES, 7],
        [{}, ['other-app:a', 'test-app:b'], 7],
        [{}, ['No App', 'test-app:b'], 3],
      ]) {
        assert.equal((await call(client, metadataOf(options), messages))[0], code, `${name} ${inspect(options)} ${messages[0]}`)
      }
      assert.deepEqual(seen, [], name)
    }
    // A request without a message is about no application.
    for (const name of ['Up', 'Both']) assert.equal((await CALLS[name](client, metadataOf({}), []))[0], 3, name)
    assert.deepEqual(seen, [])
  })
}

test('a stream that waits for its answers, and one that is cancelled while it is judged', async (t) => {
  const { client, seen } = await streams(t)
  const call = client.Both(metadataOf({}), { deadline: Date.now() + 10_000 })
  for (const message of MESSAGES) {
    call.write(message)
    assert.deepEqual(await once(call, 'data'), [`got ${message}`])
  }
  call.end()
  call.resume()
  assert.equal((await statusOf(call)).code, 0)
  assert.equal(seen.splice(0).length, 1)

  for (const _ of Array.from({ length: 20 })) {
    const cancelled = client.Both(metadataOf({}), { deadline: Date.now() + 10_000 })
    const status = statusOf(cancelled)
    cancelled.write('test-app:a')
    setImmediate(() => cancelled.cancel())
    assert.equal((await status).code, grpc.status.CANCELLED)
  }
  assert.deepEqual(await CALLS.Unary(client, metadataOf({}), MESSAGES), ANSWERS.Unary)
})

test('a call that was cancelled while it was judged never begins', async (t) => {
  let [cancel, judging] = []
  const cancelled = new Promise((resolve) => (cancel = resolve))
  const watching = (_method, call) => new grpc.ServerInterceptingCall(call, { start: (next) => next({ onCancel: cancel }) })
  const asked = new Promise((resolve) => (judging = resolve))
  const appId = async (message) => {
    judging()
    // The second call is not held up.
    if (message === 'first') await cancelled
    return 'test-app'
  }
  const { client, seen } = await streams(t, (guard) => [watching, guard], appId)
  const call = client.Both(metadataOf({}), { deadline: Date.now() + 10_000 })
  const status = statusOf(call)
  call.write('first')
  await asked
  call.cancel()
  assert.equal((await status).code, grpc.status.CANCELLED)
  await cancelled
  assert.deepEqual(await CALLS.Unary(client, metadataOf({}), ['second']), ['second'])
  assert.deepEqual(seen, ['/test.Streams/Unary'])
})

test('what fails behind the guard ends the call, not the process', async (t) => {
  const failing = (_method, call) =>
    new grpc.ServerInterceptingCall(call, {
      start: (next) => next({ onReceiveMetadata: () => { throw new Error('mine') } }),
    })
  const warnings = []
  const listener = (warning) => warnings.push(warning.message)
  process.on('warning', listener)
  t.after(() => process.removeListener('warning', listener))
  const { client } = await streams(t, (guard) => [guard, failing])
  for (const [name, call] of Object.entries(CALLS)) assert.equal((await call(client, metadataOf({}), MESSAGES))[0], grpc.status.INTERNAL, name)
  assert.deepEqual(warnings, Array(4).fill('mine'))
})

test('many callers at once', async (t) => {
  const { client, seen } = await streams(t)
  const calls = Array.from({ length: 200 }, (_, n) => CALLS.Unary(client, metadataOf(n % 2 ? {} : { kind: 'badsig' }), [`test-app:${n}`]))
  for (const [n, answer] of (await Promise.all(calls)).entries()) assert.equal(answer[0], n % 2 ? `test-app:${n}` : 7)
  assert.equal(seen.length, 100)
})
