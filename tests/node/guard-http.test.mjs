// The guards of HTTP frameworks, each in a real server: who gets in, what the handler has of it, and that nothing opens the door.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import { connect as connect2 } from 'node:http2'
import { createRequire } from 'node:module'
import { connect as dial } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { inspect } from 'node:util'

import { Authenticator, Credentials, Sandbox } from '../../node/index.js'
import { connect, rejects, withSandbox } from './support.mjs'

const require = createRequire(import.meta.url)
const fastify = require('fastify')
const sandbox = withSandbox()
const ISSUER = 'ttn-account-v2'
const PATH = '/applications/:app_id/devices/:dev_id'
const DEVICE = { app_id: 'test-app', dev_id: 'dev-1' }
const ROUTE = '/applications/test-app/devices/dev-1'

const authenticatorOf = (network = sandbox(), options = {}) => new Authenticator({ authServers: { [ISSUER]: network.accountServer }, ...options })
const good = () => ({ authorization: `Bearer ${sandbox().bearerToken}` })

/** Everything of a request that may hold a credential. */
const contentOf = (req) => inspect([req.headers, req.rawHeaders, req.headersDistinct, req.url], { depth: 9, showHidden: true })

const answer = (auth, params) => ({ ...params, description: `read by ${auth.subject}` })

/** A guarded server of each kind: `rule` guards the device's route. Each handler adds what it saw of the request to `seen`. */
const SERVERS = {
  express: (authenticator, rule, seen) => withExpress(require('express'), authenticator, rule, seen),
  'express 4': (authenticator, rule, seen) => withExpress(require('express-4'), authenticator, rule, seen),
  async fastify(authenticator, rule, seen) {
    const app = fastify({ forceCloseConnections: true })
    app.setErrorHandler((error, _request, reply) => {
      seen.push({ error })
      reply.code(500).send('failed')
    })
    await app.register(authenticator.fastify())
    app.get(PATH, { config: { ttn: rule } }, async (request) => {
      seen.push({ content: contentOf(request.raw) + inspect(request.headers), auth: request.auth })
      return answer(request.auth, request.params)
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    return { address: `http://127.0.0.1:${app.server.address().port}`, stop: () => app.close() }
  },
  async 'node:http'(authenticator, rule, seen) {
    const idsOf = ({ url }) => url.split('/').filter((_, n) => n === 2 || n === 4).map(decodeURIComponent)
    const guard = authenticator.express({ appId: (req) => idsOf(req)[0], ...rule })
    return serve((req, res) => {
      guard(req, res, (error) => {
        seen.push(error ? { error } : { content: contentOf(req), auth: req.auth })
        if (error) return res.writeHead(500).end('failed')
        const [app_id, dev_id] = idsOf(req)
        res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer(req.auth, { app_id, dev_id })))
      })
    })
  },
}

async function serve(listener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  return { address: `http://127.0.0.1:${server.address().port}`, stop }
}

function withExpress(express, authenticator, rule, seen) {
  const app = express()
  app.get(PATH, authenticator.express(rule), (req, res) => {
    seen.push({ content: contentOf(req), auth: req.auth })
    res.json(answer(req.auth, req.params))
  })
  // Where `next('route')` would lead to.
  app.get(PATH, (req, res) => {
    seen.push({ content: contentOf(req) })
    res.json(DEVICE)
  })
  app.use((error, _req, res, _next) => {
    seen.push({ error })
    res.status(500).send('failed')
  })
  return serve(app)
}

/** A running server of this kind, stopped at the test's end. */
async function start(t, kind, { authenticator = authenticatorOf(), rule = { right: 'devices' } } = {}) {
  const seen = []
  const server = await SERVERS[kind](authenticator, rule, seen)
  t.after(server.stop)
  return { ...server, seen }
}

const token = (options) => Credentials.bearerToken(sandbox().mintToken(options))
const key = (secret) => Credentials.accessKey(secret)

/** Cause, credentials; code, HTTP status. */
const CAUSES = [
  ['no credential', () => undefined, 'AUTH_MISSING_CREDENTIALS', 401],
  ['expired', () => token({ kind: 'expired' }), 'AUTH_TOKEN_EXPIRED', 401],
  ['not yet valid', () => token({ kind: 'future' }), 'AUTH_TOKEN_NOT_YET_VALID', 401],
  ['forged', () => token({ kind: 'badsig' }), 'AUTH_INVALID_TOKEN', 401],
  ['unsigned', () => token({ kind: 'none' }), 'AUTH_INVALID_TOKEN', 401],
  ['public key as a password', () => token({ kind: 'hs256' }), 'AUTH_INVALID_TOKEN', 401],
  ['issuer not known', () => token({ kind: 'wrongissuer' }), 'AUTH_UNKNOWN_ISSUER', 401],
  ['issuer of a key not known', () => key('nobody.hunter2hunter2'), 'AUTH_UNKNOWN_ISSUER', 401],
  ['wrong key', () => key(`${ISSUER}.hunter2hunter2`), 'AUTH_INVALID_KEY', 401],
  ['key of another application', () => key(`${ISSUER}.full-other-app`), 'AUTH_INVALID_KEY', 401],
  ['right missing in a token', () => token({ kind: 'nodevices' }), 'AUTH_PERMISSION_DENIED', 403],
  ['right missing in a key', () => key(`${ISSUER}.nodev-test-app`), 'AUTH_PERMISSION_DENIED', 403],
  ['scope missing', () => token({ kind: 'noscope' }), 'AUTH_PERMISSION_DENIED', 403],
  ['token of another application', () => token({ kind: 'otherapp' }), 'AUTH_PERMISSION_DENIED', 403],
]

for (const kind of Object.keys(SERVERS)) {
  test(`${kind}: our client gets in with both credentials, and the handler never sees them`, async (t) => {
    const { address, seen } = await start(t, kind)
    for (const secret of [sandbox().accessKey, sandbox().bearerToken]) {
      const client = connect(sandbox(), 'http', { address, credentials: Credentials.parse(secret) })
      const device = await client.getDevice(DEVICE)
      assert.match(device.description, /^read by .+/)
      assert.equal(device.dev_id, 'dev-1')
      client.close()
      const { content, auth } = seen.pop()
      assert.ok(!content.includes(secret) && !/authorization/i.test(content), content)
      assert.equal(auth.kind, Credentials.parse(secret).kind)
    }
    // V2's gateway has names of its own for them.
    for (const [name, secret] of [['Grpc-Metadata-Key', sandbox().accessKey], ['GRPC-METADATA-TOKEN', sandbox().bearerToken]]) {
      assert.equal((await fetch(address + ROUTE, { headers: { [name]: secret, 'X-Other': 'stays' } })).status, 200)
      const { content } = seen.pop()
      assert.ok(!content.includes(secret) && !/grpc-metadata/i.test(content), content)
      // In headers, rawHeaders and headersDistinct.
      assert.ok(content.match(/stays/g).length >= 3, content)
    }
  })

  test(`${kind}: the first of two values counts`, async (t) => {
    const { address, seen } = await start(t, kind)
    const port = new URL(address).port
    const [first, second] = [sandbox().bearerToken, sandbox().mintToken({ kind: 'badsig' })]
    for (const name of ['Authorization', 'Grpc-Metadata-Token']) {
      for (const [tokens, status] of [[[first, second], 200], [[second, first], 401]]) {
        const socket = dial(port, '127.0.0.1')
        const lines = tokens.map((each) => `${name}: ${name === 'Authorization' ? 'Bearer ' : ''}${each}\r\n`).join('')
        socket.write(`GET ${ROUTE} HTTP/1.1\r\nHost: h\r\n${lines}Connection: close\r\n\r\n`)
        assert.match(await text(socket), new RegExp(`^HTTP/1.1 ${status} `), name)
      }
      assert.ok(!seen.pop().content.includes('eyJ'))
    }
  })

  test(`${kind}: everyone else is told why, and our client understands`, async (t) => {
    const own = { standard: await start(t, kind), v2: await start(t, kind, { authenticator: authenticatorOf(sandbox(), { answers: 'v2' }) }) }
    for (const [cause, credentials, code, status] of CAUSES) {
      const given = credentials()
      const secret = given ? Object.values(given.metadata())[0] : undefined
      for (const [mode, { address, seen }] of Object.entries(own)) {
        const client = connect(sandbox(), 'http', { address, credentials: given })
        const httpStatus = mode === 'v2' ? 500 : status
        await rejects(client.getDevice(DEVICE), code, { secret, check: (error) => assert.equal(error.httpStatus, httpStatus, cause) })
        client.close()
        assert.deepEqual(seen, [], cause)
      }
      const response = await fetch(own.standard.address + ROUTE, { headers: given?.headers() })
      const challenge = response.headers.get('www-authenticate')
      if (!given) assert.match(challenge, /^Bearer realm=/)
      else assert.ok(challenge.startsWith(`Bearer error="${status === 403 ? 'insufficient_scope' : 'invalid_token'}"`), challenge)
      assert.match(response.headers.get('content-type'), /^application\/json/)
      assert.ok((await response.json()).message)
    }
    // An id that is none is looked at before any credential.
    const response = await fetch(`${own.standard.address}/applications/No-App/devices/dev-1`)
    assert.deepEqual([response.status, (await response.json()).code], [400, 3])
    assert.deepEqual(own.standard.seen, [])
  })

  test(`${kind}: while the account server is away nobody new gets in, and it says so`, async (t) => {
    const network = await Sandbox.start({ rateLimit: false })
    t.after(() => network.stop())
    const { address, seen } = await start(t, kind, { authenticator: authenticatorOf(network) })
    const known = connect(network, 'http', { address })
    await known.getDevice(DEVICE)
    network.stopAccountServer()
    await known.getDevice(DEVICE)
    known.close()
    const headers = { authorization: `Key ${network.addAccessKey('test-app', ['devices'])}` }
    const response = await fetch(address + ROUTE, { headers })
    assert.equal(response.status, 503)
    assert.match(response.headers.get('retry-after'), /^[1-9]\d*$/)
    assert.ok(!(await response.text()).includes(new URL(network.accountServer).port))
    const other = connect(network, 'http', { address, retry: false, credentials: Credentials.accessKey(headers.authorization.slice(4)) })
    await rejects(other.getDevice(DEVICE), 'AUTH_EXCHANGE_UNAVAILABLE')
    other.close()
    assert.equal(seen.length, 2)
  })

  test(`${kind}: an appId function that throws, whatever it throws, opens nothing and ends nothing`, async (t) => {
    const thrown = [new Error('mine'), undefined, null, false, 0, '', 'route', 'router', { status: 200 }, { answer: { status: 200, headers: {}, body: '' } }, new (class { get answer() { throw new Error('a getter') } })()]
    for (const what of thrown) {
      for (const appId of [() => { throw what }, () => Promise.reject(what)]) {
        const { address, seen } = await start(t, kind, { rule: { right: 'devices', appId } })
        const response = await fetch(address + ROUTE, { headers: good() })
        assert.equal(response.status, 500, inspect(what))
        assert.equal(await response.text(), 'failed')
        assert.equal(seen.length, 1)
        assert.ok(seen[0].error instanceof Error, inspect(seen))
        if (what instanceof Error) assert.equal(seen[0].error, what)
        else assert.equal(seen[0].error.cause, what)
      }
    }
  })

  test(`${kind}: an application that is told by a function; what is no text is no id`, async (t) => {
    for (const [appId, status] of [
      [() => 'test-app', 200],
      [async () => 'test-app', 200],
      ['test-app', 200],
      [() => 'other-app', 403],
      [() => undefined, 400],
      [() => '', 400],
      [() => 5, 400],
      [() => ['test-app'], 400],
      [() => ({ toString: () => 'test-app' }), 400],
    ]) {
      const { address } = await start(t, kind, { rule: { right: 'devices', appId } })
      assert.equal((await fetch(address + ROUTE, { headers: good() })).status, status, inspect(appId))
    }
    // Without a right whoever is known gets in.
    const { address } = await start(t, kind, { rule: {} })
    const elsewhere = `${address}/applications/other-app/devices/dev-1`
    assert.equal((await fetch(elsewhere, { headers: good() })).status, 200)
    assert.equal((await fetch(elsewhere)).status, 401)
  })
}

test('wrong rules are found when the server is built', async () => {
  const authenticator = authenticatorOf()
  for (const [rule, expected] of [
    [{ right: 'device' }, /right: no such right; expected one of: .*devices/],
    [{ right: 5 }, /right must be a string/],
    // A misspelt constant asks for nothing: it must not let in whoever is known.
    [{ right: undefined }, /right is undefined or null; leave it out/],
    [{ right: null }, /right is undefined or null; leave it out/],
    [{ rights: 'devices' }, /no option "rights"; there are: appId, right/],
    [{ appId: 5 }, /appId must be a string, or a function/],
    [{ appId: 'No App' }, /AppID not valid/],
    ['devices', /options must be an object/],
  ]) {
    const wrong = { name: 'AuthError', code: 'AUTH_INVALID_ARGUMENT', message: expected }
    assert.throws(() => authenticator.express(rule), wrong)
    assert.throws(() => authenticator.fastify(rule), wrong)
    const app = fastify()
    await app.register(authenticator.fastify())
    assert.throws(() => app.get('/', { config: { ttn: rule } }, () => 'in'), wrong)
    // A route from before the plugin was there: nobody gets in.
    const early = fastify()
    early.register(authenticator.fastify())
    early.get('/', { config: { ttn: rule } }, () => 'in')
    const { statusCode, body } = await early.inject({ url: '/', headers: good() })
    assert.equal(statusCode, 500)
    assert.ok(!body.includes('"in"'))
  }
})

test('fastify: a route whose rule is misspelt is not open', async () => {
  const authenticator = authenticatorOf()
  for (const rules of [undefined, { right: 'devices' }]) {
    const app = fastify()
    await app.register(authenticator.fastify(rules))
    for (const ttn of [undefined, null]) {
      assert.throws(() => app.get('/', { config: { ttn } }, () => 'in'), { code: 'AUTH_INVALID_ARGUMENT' })
    }
  }
})

test('express: over a router, and two guards of one request', async (t) => {
  const express = require('express')
  const authenticator = authenticatorOf()
  const app = express()
  app.use(authenticator.express())
  const router = express.Router({ mergeParams: true })
  router.get('/devices', authenticator.express({ right: 'devices' }), (req, res) => res.json([req.auth.subject, contentOf(req)]))
  router.get('/settings', authenticator.express({ right: 'settings' }), (req, res) => res.json('in'))
  app.use('/applications/:appId', authenticator.express({ right: 'messages:up:r' }), router)
  app.get('/me', (req, res) => res.json(req.auth.subject))
  const { address, stop } = await serve(app)
  t.after(stop)
  const ask = async (path, rights) => {
    const authorization = `Bearer ${sandbox().mintToken({ subject: 'me', rights })}`
    const response = await fetch(address + path, { headers: { authorization } })
    return [response.status, response.status === 200 ? await response.json() : undefined]
  }
  const [status, [subject, content]] = await ask('/applications/test-app/devices', ['messages:up:r', 'devices'])
  assert.deepEqual([status, subject], [200, 'me'])
  assert.ok(!content.includes('eyJ'))
  assert.deepEqual(await ask('/applications/test-app/settings', ['messages:up:r', 'devices']), [403, undefined])
  assert.deepEqual(await ask('/applications/test-app/devices', ['devices']), [403, undefined])
  assert.deepEqual(await ask('/applications/other-app/devices', ['messages:up:r', 'devices']), [403, undefined])
  assert.deepEqual(await ask('/me', []), [200, 'me'])
  assert.equal((await fetch(`${address}/me`)).status, 401)
})

test('express: what middleware before the guard puts into the headers counts, and what it takes out does not', async (t) => {
  const app = require('express')()
  app.use((req, _res, next) => {
    if (req.query.cookie) req.headers.authorization = `Bearer ${req.query.cookie}`
    if (req.query.none) delete req.headers.authorization
    next()
  })
  app.get('/', authenticatorOf().express(), (req, res) => res.json(contentOf(req).includes('eyJ')))
  const { address, stop } = await serve(app)
  t.after(stop)
  const forged = { authorization: `Bearer ${sandbox().mintToken({ kind: 'badsig' })}` }
  assert.equal((await fetch(`${address}?cookie=${sandbox().bearerToken}`)).status, 200)
  assert.equal((await fetch(`${address}?cookie=${sandbox().bearerToken}`, { headers: forged })).status, 200)
  assert.equal((await fetch(`${address}?none=1`, { headers: good() })).status, 401)
  assert.deepEqual(await (await fetch(address, { headers: good() })).json(), false)
})

test('express: a caller that has gone, and a body that nobody reads', async (t) => {
  const seen = []
  const app = require('express')()
  app.post('/', authenticatorOf().express(), (req, res) => {
    seen.push(req.auth.subject)
    res.json('in')
  })
  const { address, stop } = await serve(app)
  t.after(stop)
  const body = Buffer.alloc(1 << 20)
  assert.equal((await fetch(address, { method: 'POST', body })).status, 401)
  assert.equal((await fetch(address, { method: 'POST', body, headers: good() })).status, 200)
  const gone = httpRequest(address, { method: 'POST', headers: good() })
  gone.on('error', () => {})
  gone.write('x')
  gone.destroy()
  assert.equal((await fetch(address, { method: 'POST', headers: good() })).status, 200)
  assert.ok(seen.length >= 2)
})

test('fastify: a rule for every route, and routes that are open', async (t) => {
  const authenticator = authenticatorOf()
  const app = fastify()
  t.after(() => app.close())
  await app.register(authenticator.fastify({ right: 'devices' }))
  app.get('/healthz', { config: { ttn: false } }, async (request) => ({ auth: request.auth }))
  app.get('/applications/:app_id/devices', async (request) => request.auth.subject)
  app.get('/applications/:app_id/settings', { config: { ttn: { right: 'settings' } } }, async () => 'in')
  await app.register(async (child) => child.get('/child/:app_id', async () => 'in'))
  // The plugin's right still counts where a route says something else.
  app.get('/test', { config: { ttn: { appId: 'test-app' } } }, async () => 'in')
  app.get('/other', { config: { ttn: { appId: 'other-app' } } }, async () => 'in')
  const ask = async (url, headers) => (await app.inject({ url, headers })).statusCode
  const onlyDevices = { authorization: `Bearer ${sandbox().mintToken({ rights: ['devices'] })}` }
  assert.deepEqual((await app.inject('/healthz')).json(), { auth: null })
  for (const [url, status] of [['/applications/test-app/devices', 200], ['/child/test-app', 200], ['/applications/test-app/settings', 403], ['/child/other-app', 403], ['/test', 200], ['/other', 403]]) {
    assert.equal(await ask(url, onlyDevices), status, url)
    assert.equal(await ask(url), 401, url)
  }
  assert.equal((await app.inject({ method: 'HEAD', url: '/applications/test-app/devices' })).statusCode, 401)
  // What is not there is closed as well: a handler for it may serve something.
  assert.equal(await ask('/no-such-route'), 400)
})

test('fastify: strangers are refused before their body is read; a function that tells the application has it', async (t) => {
  const app = fastify({ bodyLimit: 100 })
  t.after(() => app.close())
  await app.register(authenticatorOf().fastify())
  const schema = { body: { type: 'object', required: ['app_id'] } }
  app.post('/early/:app_id', { schema, config: { ttn: { right: 'devices' } } }, async () => 'in')
  const rule = { right: 'devices', appId: ({ body }) => body.app_id }
  app.post('/late', { schema, config: { ttn: rule } }, async ({ auth }) => auth.kind)
  const post = async (url, payload, headers) => (await app.inject({ method: 'POST', url, payload, headers })).statusCode
  assert.equal(await post('/early/test-app', { wrong: 'x'.repeat(200) }), 401)
  assert.equal(await post('/early/test-app', { wrong: 1 }, good()), 400)
  assert.equal(await post('/early/test-app', { app_id: 1 }, good()), 200)
  assert.equal(await post('/late', { app_id: 'test-app' }, good()), 200)
  assert.equal(await post('/late', { app_id: 'test-app' }), 401)
  assert.equal(await post('/late', { app_id: 'other-app' }, good()), 403)
  assert.equal(await post('/late', { app_id: ['test-app'] }, good()), 400)
})

test('fastify: over HTTP/2', async (t) => {
  const app = fastify({ http2: true })
  await app.register(authenticatorOf().fastify({ right: 'devices' }))
  app.get('/:app_id', async (request) => contentOf(request.raw))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const session = connect2(`http://127.0.0.1:${app.server.address().port}`)
  t.after(() => {
    session.destroy()
    return app.close()
  })
  const ask = async (headers) => {
    const stream = session.request({ ':path': '/test-app', ...headers })
    const [{ ':status': status }] = await once(stream, 'response')
    return [status, await text(stream)]
  }
  const [status, content] = await ask(good())
  assert.equal(status, 200)
  assert.ok(!/eyJ|authorization:/.test(content), content)
  const forged = sandbox().mintToken({ kind: 'badsig' })
  assert.equal((await ask({ 'grpc-metadata-token': [sandbox().bearerToken, forged] }))[0], 200)
  assert.equal((await ask({ 'grpc-metadata-token': [forged, sandbox().bearerToken] }))[0], 401)
  assert.equal((await ask({}))[0], 401)
})
