// Guards for The Things Stack's callers, each in a real server: who gets in, and that only what is ours is taken off.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect, promisify } from 'node:util'

import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

import { Authenticator, Client, Credentials, Sandbox } from '../../node/index.js'
import { rejects, withSandbox } from './support.mjs'

const require = createRequire(import.meta.url)
const sandbox = withSandbox()
const bearer = (token) => ({ authorization: `Bearer ${token}` })
const key = (name) => sandbox().stack.key(name)
const both = () => new Authenticator({ authServers: { 'ttn-account-v2': sandbox().accountServer }, stack: { address: sandbox().stack.httpAddress } })

test('Express and Fastify: a right by its name, and nothing left of the key', async (t) => {
  const authenticator = both()
  const rule = { right: 'RIGHT_APPLICATION_DEVICES_READ' }
  const seen = (req) => ({ kind: req.auth.kind, left: inspect([req.headers, req.rawHeaders ?? req.raw.rawHeaders]).includes('NNSXS') })
  const express = require('express')()
  express.get('/:app_id', authenticator.express(rule), (req, res) => res.json(seen(req)))
  const server = createServer(express).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const fastify = require('fastify')({ forceCloseConnections: true })
  await fastify.register(authenticator.fastify())
  fastify.get('/:app_id', { config: { ttn: rule } }, async (req) => seen(req))
  await fastify.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => fastify.close())
  for (const { port } of [server.address(), fastify.server.address()]) {
    const get = (name, app = 'app1') => fetch(`http://127.0.0.1:${port}/${app}`, { headers: bearer(key(name)) })
    assert.deepEqual(await (await get('app1_read_only')).json(), { kind: 'api-key', left: false })
    assert.equal((await get('app1_read_only', 'app2')).status, 403)
    assert.equal((await get('app1_info_only')).status, 403)
    const refused = await get('app1_expired')
    assert.equal(refused.status, 401)
    assert.match(refused.headers.get('www-authenticate'), /^Bearer error="invalid_token"/)
  }
})

test('@grpc/grpc-js: authorization is read where it is The Things Stack\'s, and stays where it is not', async (t) => {
  const proto = fileURLToPath(new URL('../../proto', import.meta.url))
  const { handler } = grpc.loadPackageDefinition(loadSync(join(proto, 'handler.proto'), { includeDirs: [proto], keepCase: true }))
  const authenticator = both()
  const rights = { '/handler.ApplicationManager/GetDevice': 'devices', '/handler.ApplicationManager/GetApplication': null }
  const server = new grpc.Server({ interceptors: [authenticator.grpc({ rights })] })
  server.addService(handler.ApplicationManager.service, {
    GetDevice: (call, callback) => callback(null, { description: `${authenticator.claims(call).kind} ${call.metadata.get('authorization')}` }),
    GetApplication: (call, callback) => callback(null, { app_id: String(call.metadata.get('authorization')) }),
  })
  const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', grpc.ServerCredentials.createInsecure())
  t.after(() => server.forceShutdown())
  const get = async (secret, app_id = 'app1') => {
    const client = new Client({ address: `grpc://127.0.0.1:${port}`, credentials: Credentials.parse(secret), retry: false })
    t.after(() => client.close())
    return (await client.getDevice({ app_id, dev_id: 'dev1' })).description
  }
  assert.equal(await get(key('app1_all')), 'api-key ')
  assert.equal(await get(key('oauth_access')), 'bearer-token ')
  await rejects(get(key('app1_all'), 'app2'), 'AUTH_PERMISSION_DENIED')
  await rejects(get(key('app1_wrong_secret')), 'AUTH_INVALID_KEY')
  await rejects(get(key('app1_expired')), 'AUTH_KEY_EXPIRED')
  const raw = new handler.ApplicationManager(`127.0.0.1:${port}`, grpc.credentials.createInsecure())
  t.after(() => raw.close())
  const metadata = new grpc.Metadata()
  metadata.set('authorization', 'Basic x')
  const { app_id } = await promisify(raw.GetApplication.bind(raw))({ app_id: 'app1' }, metadata)
  assert.equal(app_id, 'Basic x')
})

test('nothing is remembered beside Rust', async (t) => {
  const network = await Sandbox.start({ rateLimit: false })
  t.after(() => network.stop())
  const authenticator = new Authenticator({ stack: { address: network.stack.httpAddress } })
  const call = () => authenticator.authenticate(bearer(network.stack.apiKey), { appId: 'app1', right: 'devices' })
  for (let n = 0; n < 5; n++) await call()
  await network.stop()
  await call()
  await authenticator.reload()
  await rejects(call(), 'AUTH_EXCHANGE_UNAVAILABLE', { check: ({ answer }) => assert.deepEqual([answer.status, answer.grpcCode], [503, 14]) })
  assert.ok(!inspect(authenticator, { showHidden: true, depth: 9 }).includes('NNSXS'))
})

test('a key that is sent as V2 sends keys goes to no account server', async () => {
  const before = sandbox().exchanges
  for (const [presented, carrier] of [[{ authorization: `Key ${key('app1_all')}` }, 'header'], [{ key: key('app1_all') }, 'metadata']]) {
    await rejects(both().authenticate(presented, { carrier, appId: 'app1' }), 'AUTH_INVALID_KEY', { secret: key('app1_all').split('.')[2] })
  }
  assert.equal(sandbox().exchanges, before)
})
