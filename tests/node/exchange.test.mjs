// A client that exchanges its key itself, and one with a token source: over both transports, while everything fails.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { setImmediate as turn } from 'node:timers/promises'

import { AuthError, Client, Credentials, Sandbox, TokenSource, bulk } from '../../node/index.js'
import { connect, rejects } from './support.mjs'

const DEVICE = { app_id: 'test-app', dev_id: 'dev-1' }
const TRANSPORTS = ['grpc', 'http']

async function start(t, options) {
  const sandbox = await Sandbox.start({ rateLimit: false, ...options })
  t.after(() => sandbox.stop())
  const credentials = Credentials.accessKey(sandbox.accessKey, { appId: sandbox.appId })
  const exchange = { accountServer: sandbox.accountServer }
  const client = (scheme, settings) => {
    const made = connect(sandbox, scheme, { credentials, exchange, ...settings })
    t.after(() => made.close())
    return made
  }
  return { sandbox, credentials, exchange, client }
}

for (const scheme of TRANSPORTS) {
  test(`${scheme}: many first calls, one exchange; each refused token is replaced and its call made once more`, async (t) => {
    const { sandbox, client } = await start(t)
    const own = client(scheme)
    await Promise.all(Array.from({ length: 200 }, () => own.getDevice(DEVICE)))
    assert.equal(sandbox.exchanges, 1)
    for (const round of [2, 3, 4]) {
      sandbox.revokeTokens()
      await Promise.all(Array.from({ length: 50 }, () => own.getDevice(DEVICE)))
      assert.equal(sandbox.exchanges, round)
    }
  })

  test(`${scheme}: tokens end, calls do not`, async (t) => {
    const { sandbox, client } = await start(t, { tokenLifetime: 1 })
    const own = client(scheme)
    const until = performance.now() + 2500
    while (performance.now() < until) await own.getDevice(DEVICE)
    assert.ok(sandbox.exchanges >= 3 && sandbox.exchanges < 20, String(sandbox.exchanges))
  })

  test(`${scheme}: an outage of the account server is not noticed while the token is good`, async (t) => {
    const { sandbox, client } = await start(t)
    const own = client(scheme)
    await own.getDevice(DEVICE)
    sandbox.stopAccountServer()
    await own.getDevice(DEVICE)
    // With nothing to fall back on the call waits for the account server, as long as it may.
    sandbox.revokeTokens()
    await rejects(own.getDevice(DEVICE, { timeout: 300 }), 'AUTH_EXCHANGE_UNAVAILABLE', { secret: sandbox.accessKey })
    const waiting = own.getDevice(DEVICE)
    await sandbox.startAccountServer()
    await waiting
  })

  test(`${scheme}: a key that the account server refuses`, async (t) => {
    const { sandbox, client } = await start(t)
    const key = 'ttn-account-v2.hunter2hunter2'
    const own = client(scheme, { credentials: Credentials.accessKey(key, { appId: sandbox.appId }) })
    for (let n = 0; n < 3; n += 1) await rejects(own.getDevice(DEVICE), 'AUTH_INVALID_KEY', { secret: 'hunter2' })
    assert.equal(sandbox.exchanges, 1, 'it is not asked again at once')
  })

  test(`${scheme}: a client that the account server asks for`, async (t) => {
    const { client, sandbox } = await start(t, { clientId: 'mine', clientSecret: 'hunter2hunter2' })
    const { accountServer } = sandbox
    await client(scheme, { exchange: { accountServer, clientId: 'mine', clientSecret: 'hunter2hunter2' } }).getDevice(DEVICE)
    const bearerToken = sandbox.mintToken({ component: 'handler/dev' })
    await client(scheme, { exchange: { accountServer, bearerToken } }).getDevice(DEVICE)
    const wrong = client(scheme, { exchange: { accountServer, clientId: 'mine', clientSecret: 'hunter3hunter3' } })
    await assert.rejects(wrong.getDevice(DEVICE), (error) => error instanceof AuthError && !inspect(error).includes('hunter3'))
  })

  test(`${scheme}: a missing right is no reason for another token`, async (t) => {
    const { sandbox, client } = await start(t)
    const credentials = Credentials.accessKey(sandbox.addAccessKey('test-app', ['settings']), { appId: 'test-app' })
    const own = client(scheme, { credentials })
    for (let n = 0; n < 3; n += 1) await rejects(own.getDevice(DEVICE), 'AUTH_PERMISSION_DENIED')
    assert.equal(sandbox.exchanges, 1)
  })

  test(`${scheme}: a token function, asked again when its token is refused, and no more than that`, async (t) => {
    const { sandbox, client } = await start(t)
    let asked = 0
    const minted = []
    const tokenSource = async () => {
      asked += 1
      minted.push(sandbox.mintToken())
      return { token: minted.at(-1), expiresIn: 3600 }
    }
    const own = client(scheme, { credentials: undefined, exchange: undefined, tokenSource })
    await Promise.all(Array.from({ length: 50 }, () => own.getDevice(DEVICE)))
    assert.equal(asked, 1)
    sandbox.revoke(minted[0])
    await Promise.all(Array.from({ length: 50 }, () => own.getDevice(DEVICE)))
    assert.equal(asked, 2)
    const cause = new Error('the vault is sealed')
    const failing = client(scheme, { credentials: undefined, exchange: undefined, retry: false, tokenSource: () => { throw cause } })
    await rejects(failing.getDevice(DEVICE), 'AUTH_EXCHANGE_UNAVAILABLE', { check: (error) => assert.equal(error.cause, cause) })
    const bad = client(scheme, { credentials: undefined, exchange: undefined, tokenSource: () => sandbox.mintToken({ kind: 'badsig' }) })
    await rejects(bad.getDevice(DEVICE), 'AUTH_INVALID_TOKEN')
  })
}

test('one source for clients over both transports, and for a library of your own', async (t) => {
  const { sandbox, credentials, exchange, client } = await start(t)
  const source = TokenSource.keyExchange({ credentials, ...exchange })
  const clients = TRANSPORTS.map((scheme) => client(scheme, { credentials: undefined, exchange: undefined, tokenSource: source }))
  await Promise.all(clients.flatMap((own) => Array.from({ length: 20 }, () => own.getDevice(DEVICE))))
  const url = `${sandbox.httpAddress}/applications/test-app/devices/dev-1`
  assert.equal((await fetch(url, { headers: await source.headers() })).status, 200)
  // What a client made is for others too.
  const own = client('grpc')
  await own.getDevice(DEVICE)
  assert.equal((await fetch(url, { headers: await own.tokenSource.headers() })).status, 200)
  assert.deepEqual(await own.tokenSource.metadata(), { token: await own.tokenSource.token() })
  assert.equal(sandbox.exchanges, 2)
  const discovered = await Client.discover('test-app', { discovery: sandbox.discovery, ca: sandbox.ca, tokenSource: source })
  await discovered.getDevice(DEVICE)
  assert.equal(await discovered.tokenSource.token(), await source.token())
  discovered.close()
  assert.equal(sandbox.exchanges, 2)
  assert.equal(connect(sandbox, 'grpc').tokenSource, null)
})

test('a source goes on when its client is closed', async (t) => {
  const { client, sandbox } = await start(t)
  const own = client('http')
  const { tokenSource } = own
  own.close()
  assert.match(await tokenSource.token(), /^eyJ/)
  await client('grpc', { credentials: undefined, exchange: undefined, tokenSource }).getDevice(DEVICE)
  assert.equal(sandbox.exchanges, 1)
})

test('what shows of it', async (t) => {
  const { client, sandbox, credentials, exchange } = await start(t)
  const own = client('grpc')
  const source = TokenSource.keyExchange({ credentials, ...exchange })
  const token = await source.token()
  const shown = [own, source, own.tokenSource, credentials].map((each) => `${inspect(each, { showHidden: true, depth: 9 })}${JSON.stringify(each)}`).join()
  assert.ok(!shown.includes(sandbox.accessKey) && !shown.includes(token), shown)
  assert.equal(inspect(source), "TokenSource { kind: 'key-exchange' }")
})

test('wrong options say what to do', () => {
  const address = 'grpc://127.0.0.1:1'
  const key = Credentials.accessKey('ttn-account-v2.hunter2', { appId: 'my-app' })
  const accountServer = 'http://127.0.0.1:1'
  const exchange = { accountServer }
  for (const [options, message] of [
    [{ credentials: Credentials.accessKey('ttn-account-v2.hunter2'), exchange }, /Credentials\.accessKey\(key, \{ appId: /],
    [{ credentials: Credentials.accessKey('ttn-account-v2.hunter2'), exchange: true }, /Credentials\.accessKey\(key, \{ appId: /],
    [{ credentials: Credentials.bearerToken('hunter2'), exchange: { accountServer, appId: 'my-app' } }, /bearer token is one already/],
    [{ credentials: Credentials.fromFile('x', { kind: 'bearer-token', appId: 'my-app' }), exchange }, /bearer token is one already/],
    [{ exchange }, /exchange needs credentials/],
    [{ exchange: true }, /exchange needs credentials/],
    [{ credentials: key, tokenSource: () => 'x' }, /either credentials or a tokenSource/],
    [{ tokenSource: 'hunter2' }, /tokenSource must be a TokenSource, or a function/],
    [{ tokenSource: {} }, /tokenSource must be a TokenSource, or a function/],
    [{ tokenSource: key }, /tokenSource must be a TokenSource, or a function/],
    [{ credentials: key, exchange: 'https://account.example' }, /exchange must be an object/],
    [{ credentials: key, exchange: { accountServer: 'account.example' } }, /account server's address/],
    [{ credentials: key, exchange: { ca: 'x' } }, /accountServer, which is missing/],
    [{ credentials: Credentials.accessKey('hunter2', { appId: 'my-app' }), exchange: true }, /accountServer is missing/],
    [{ credentials: Credentials.accessKey('other-issuer.hunter2', { appId: 'my-app' }), exchange: true }, /give the address/],
    [{ credentials: Credentials.fromFile('/no/such/file', { kind: 'access-key', appId: 'my-app' }), exchange: true }, /does not exist/],
    [{ credentials: key, exchange: { accountServer, clientId: 'mine' } }, /belong together/],
    [{ credentials: key, exchange: { accountServer, clientSecret: 'hunter2' } }, /belong together/],
    [{ credentials: key, exchange: { accountServer, clientId: 'mine', clientSecret: 'hunter2', bearerToken: 'x' } }, /either/],
    [{ credentials: key, exchange: { accountServer, appId: 'My App' } }, /AppID not valid/],
    [{ credentials: key, retry: { attempts: 0 } }, /attempts/],
    [{ credentials: key, retry: { attempts: 1.5 } }, /attempts/],
    [{ credentials: key, retry: { baseDelay: -1 } }, /baseDelay/],
    [{ credentials: key, retry: 'no' }, /retry/],
    [{ credentials: key, rateLimit: 0 }, /rate limit/],
    [{ credentials: key, rateLimit: '5' }, /rateLimit/],
  ]) {
    assert.throws(
      () => new Client({ address, ...options }),
      (error) => {
        assert.ok(error instanceof AuthError)
        assert.equal(error.code, 'AUTH_INVALID_ARGUMENT')
        assert.match(error.message, message)
        assert.ok(!inspect(error).includes('hunter2'))
        return true
      },
    )
  }
  const insecure = { credentials: key, exchange: { accountServer: 'http://account.example' } }
  assert.throws(() => new Client({ address, ...insecure }), ({ code }) => code === 'AUTH_INSECURE_TRANSPORT')
  assert.throws(() => TokenSource.keyExchange({ accountServer }), ({ code }) => code === 'AUTH_INVALID_ARGUMENT')
  assert.throws(() => TokenSource.keyExchange(), ({ code }) => code === 'AUTH_INVALID_ARGUMENT')
  // The public network's account server is known, and nothing is sent before a call.
  new Client({ address, credentials: key, exchange: true }).close()
  new Client({ address, credentials: key, exchange: {} }).close()
  new Client({ address, credentials: key, exchange: false }).close()
})

for (const scheme of TRANSPORTS) {
  test(`${scheme}: a job paces itself, or takes the server's pace, and loses nothing`, async (t) => {
    for (const rateLimit of [20, undefined]) {
      const { sandbox, client } = await start(t, { rateLimit: 20 })
      // Waiting for its turn is not a part of a call's time.
      const own = client(scheme, { rateLimit, timeout: 500 })
      const results = await bulk(Array(60).fill(DEVICE), (id) => own.getDevice(id), { concurrency: 60 })
      assert.deepEqual(results.filter(({ status }) => status === 'rejected'), [])
      if (rateLimit === undefined) assert.ok(sandbox.counts.rateLimited > 0)
    }
    const { client } = await start(t, { rateLimit: 20 })
    const impatient = client(scheme, { retry: false })
    const all = await Promise.allSettled(Array.from({ length: 60 }, () => impatient.getDevice(DEVICE)))
    assert.ok(all.some(({ reason }) => reason?.code === 'AUTH_RATE_LIMITED'))
  })

  test(`${scheme}: calls are made again when the server comes back, unless they are not to be`, async (t) => {
    const { sandbox, client } = await start(t)
    const address = sandbox[`${scheme}Address`]
    const ports = { [`${scheme}Port`]: Number(new URL(address.replace('grpc', 'http')).port) }
    const token = sandbox.mintToken()
    const settings = { credentials: undefined, exchange: undefined, tokenSource: () => token }
    const patient = client(scheme, { ...settings, retry: { attempts: 1000, baseDelay: 10, maxDelay: 20 } })
    const impatient = client(scheme, { ...settings, retry: false })
    await Promise.all([patient.getDevice(DEVICE), impatient.getDevice(DEVICE)])
    await sandbox.stop()
    await rejects(impatient.getDevice(DEVICE), 'AUTH_UNAVAILABLE')
    let ended = false
    const waiting = patient.getDevice(DEVICE).finally(() => (ended = true))
    waiting.catch(() => {})
    for (let n = 0; n < 50; n += 1) await turn()
    assert.equal(ended, false)
    const again = await Sandbox.start({ rateLimit: false, ...ports })
    t.after(() => again.stop())
    // It has new keys, so that the token is no good there: but it was reached.
    await rejects(waiting, 'AUTH_INVALID_TOKEN')
  })
}

test('idempotent: what may be carried out twice is sent again when its answer was lost', async (t) => {
  let requests = 0
  const server = createServer((request, response) => {
    requests += 1
    if (requests > 1) response.end('{}')
    else request.socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const client = new Client({ address: `http://127.0.0.1:${server.address().port}`, credentials: Credentials.bearerToken('x') })
  for (const [method, idempotent, sent] of [['POST', undefined, 1], ['POST', false, 1], ['POST', true, 2], ['GET', undefined, 2], ['GET', false, 1]]) {
    requests = 0
    const outcome = await client.request({ method, path: '/', idempotent }).then(({ status }) => status, ({ code }) => code)
    assert.deepEqual([method, idempotent, outcome, requests], [method, idempotent, sent === 1 ? 'AUTH_UNAVAILABLE' : 200, sent])
  }
  await rejects(client.request({ path: '/', idempotent: 'yes' }), 'AUTH_INVALID_ARGUMENT')
  client.close()
})
