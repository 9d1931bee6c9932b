// Restricted tokens, refresh tokens, and a key in a file that is replaced.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { inspect } from 'node:util'

import { Credentials, Sandbox, TokenSource } from '../../node/index.js'
import { connect, rejects } from './support.mjs'

const DEVICE = { app_id: 'test-app', dev_id: 'dev-1' }
const folder = mkdtempSync(join(tmpdir(), 'ttn-auth-'))
after(() => rmSync(folder, { recursive: true }))
const key = randomBytes(32).toString('base64')
const scopeOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).scope

async function start(t, options) {
  const sandbox = await Sandbox.start({ rateLimit: false, ...options })
  t.after(() => sandbox.stop())
  const read = async (tokenSource) => {
    for (const scheme of ['grpc', 'http']) {
      const client = connect(sandbox, scheme, { credentials: undefined, tokenSource })
      await client.getDevice(DEVICE).finally(() => client.close())
    }
  }
  return { sandbox, accountServer: sandbox.accountServer, read }
}

/** Signs in as a person does; the refresh token. */
async function signIn(accountServer) {
  const body = new URLSearchParams({ grant_type: 'password', username: 'sandbox', password: 'sandbox' })
  const answer = await fetch(`${accountServer}/users/token`, { method: 'POST', body })
  return (await answer.json()).refresh_token
}

test('restricted: from a bearer token, from a source; remembered, and replaced when refused', async (t) => {
  const { sandbox, accountServer, read } = await start(t)
  const wide = () => sandbox.mintToken({ scope: ['apps:test-app', 'apps:other-app'], subject: 'me' })
  let asked = 0
  const exchanged = TokenSource.keyExchange({ credentials: Credentials.accessKey(sandbox.accessKey, { appId: 'test-app' }), accountServer })
  for (const from of [Credentials.bearerToken(wide()), exchanged, TokenSource.callback(() => { asked += 1; return wide() })]) {
    const source = TokenSource.restricted({ accountServer, from, appIds: ['test-app'] })
    assert.equal(inspect(source), "TokenSource { kind: 'restricted' }")
    assert.deepEqual(scopeOf(await source.token()), ['apps:test-app'])
    await read(source)
  }
  assert.deepEqual([sandbox.counts.restricts, sandbox.exchanges, asked], [3, 1, 1])
  // All of them: the restricted one and what it was made from.
  const source = TokenSource.restricted({ accountServer, from: exchanged, appIds: ['test-app'] })
  await read(source)
  sandbox.revokeTokens()
  await read(source)
  assert.equal(sandbox.exchanges, 2)
})

test('restricted: to what the token is not for', async (t) => {
  const { sandbox, accountServer } = await start(t)
  const from = Credentials.bearerToken(sandbox.mintToken({ kind: 'expired' }))
  await rejects(TokenSource.restricted({ accountServer, from, appIds: ['test-app'] }).token(), 'AUTH_INVALID_TOKEN')
  const failing = TokenSource.callback(() => { throw new Error('mine') })
  const check = ({ cause }) => assert.equal(cause.message, 'mine')
  await rejects(TokenSource.restricted({ accountServer, from: failing, appIds: ['test-app'] }).token(), 'AUTH_EXCHANGE_UNAVAILABLE', { check })
})

test('restricted: kept in a store by whose it is', async (t) => {
  const { sandbox, accountServer } = await start(t)
  const store = { file: join(folder, 'restricted'), key }
  const [mine, yours] = ['me', 'you'].map((subject) => Credentials.bearerToken(sandbox.mintToken({ scope: ['apps:test-app', 'apps:other-app'], subject })))
  const of = (from, appIds = ['test-app', 'other-app'], settings = { store }) => TokenSource.restricted({ accountServer, from, appIds, ...settings })
  const token = await of(mine).token()
  assert.equal(await of(mine, ['other-app', 'test-app']).token(), token)
  assert.equal(sandbox.counts.restricts, 1)
  assert.notEqual(await of(yours).token(), token)
  assert.notEqual(await of(mine, ['test-app']).token(), token)
  const exchanged = { credentials: Credentials.accessKey(sandbox.accessKey, { appId: 'test-app' }), accountServer, store }
  const [first, second] = [1, 2].map(() => of(TokenSource.keyExchange(exchanged), ['test-app']))
  assert.equal(await first.token(), await second.token())
  assert.throws(() => of(TokenSource.callback(() => 'x')), ({ code, message }) => code === 'AUTH_INVALID_ARGUMENT' && /whose tokens/.test(message))
})

test('refresh token: each is used once, and the next one is told', async (t) => {
  const { sandbox, accountServer, read } = await start(t)
  const first = await signIn(accountServer)
  const told = []
  const source = TokenSource.refreshToken({ accountServer, refreshToken: first, onRotate: (next) => void told.push(next) })
  assert.equal(inspect(source), "TokenSource { kind: 'refresh-token' }")
  await Promise.all([read(source), read(source)])
  assert.equal(sandbox.counts.refreshes, 1)
  for (const round of [2, 3]) {
    source.invalidate(await source.token())
    await read(source)
    assert.equal(sandbox.counts.refreshes, round)
  }
  assert.deepEqual([told.length, new Set([first, ...told]).size], [3, 4])
  // Where the last one ended, the next start goes on; the first is worth nothing.
  await read(TokenSource.refreshToken({ accountServer, refreshToken: told.at(-1) }))
  await rejects(TokenSource.refreshToken({ accountServer, refreshToken: first }).token(), 'AUTH_INVALID_TOKEN', { secret: first })
})

test('refresh token: a store keeps it, and the first one finds it', async (t) => {
  const { sandbox, accountServer, read } = await start(t, { clientId: 'me', clientSecret: 'hunter2hunter2' })
  const body = new URLSearchParams({ grant_type: 'password', username: 'sandbox', password: 'sandbox' })
  const headers = { authorization: `Basic ${btoa('me:hunter2hunter2')}` }
  const { refresh_token: refreshToken } = await (await fetch(`${accountServer}/users/token`, { method: 'POST', body, headers })).json()
  const store = { file: join(folder, 'refresh'), key }
  const begin = () => TokenSource.refreshToken({ accountServer, clientId: 'me', clientSecret: 'hunter2hunter2', refreshToken, store })
  const token = await begin().token()
  assert.equal(await begin().token(), token, 'a token that is there needs no trade')
  for (let round = 0; round < 3; round += 1) {
    const source = begin()
    source.invalidate(await source.token())
    await read(source)
  }
  assert.equal(sandbox.counts.refreshes, 4)
})

test('refresh token: a listener that fails is warned of, and costs nothing', async (t) => {
  const { accountServer } = await start(t)
  const refreshToken = await signIn(accountServer)
  const warned = once(process, 'warning')
  const source = TokenSource.refreshToken({ accountServer, refreshToken, onRotate: () => Promise.reject(new Error('disk full')) })
  assert.match(await source.token(), /^eyJ/)
  assert.equal((await warned)[0].message, 'disk full')
})

test('wrong options', () => {
  const accountServer = 'http://127.0.0.1:1'
  const from = Credentials.bearerToken('x')
  const refreshToken = 'hunter2'
  for (const [act, message] of [
    [() => TokenSource.restricted(), /options/],
    [() => TokenSource.restricted({ accountServer, appIds: ['a-b'] }), /from is missing/],
    [() => TokenSource.restricted({ accountServer, from: 'x', appIds: ['a-b'] }), /from must be/],
    [() => TokenSource.restricted({ accountServer, from: Credentials.accessKey('x'), appIds: ['a-b'] }), /exchanged first/],
    [() => TokenSource.restricted({ accountServer, from }), /appIds are missing/],
    [() => TokenSource.restricted({ accountServer, from, appIds: 'a-b' }), /appIds must be a list/],
    [() => TokenSource.restricted({ accountServer, from, appIds: [] }), /1 to 10/],
    [() => TokenSource.restricted({ accountServer, from, appIds: Array(11).fill('a-b') }), /1 to 10/],
    [() => TokenSource.restricted({ accountServer, from, appIds: ['No Id'] }), /AppID not valid/],
    [() => TokenSource.restricted({ from, appIds: ['a-b'] }), /accountServer is missing/],
    [() => TokenSource.refreshToken({ accountServer }), /refreshToken is missing/],
    [() => TokenSource.refreshToken({ accountServer, refreshToken: '' }), /refreshToken is missing/],
    [() => TokenSource.refreshToken({ refreshToken }), /accountServer is missing/],
    [() => TokenSource.refreshToken({ accountServer, refreshToken, onRotate: 'log' }), /onRotate must be a function/],
    [() => TokenSource.refreshToken({ accountServer, refreshToken, clientId: 'me' }), /belong together/],
  ]) {
    assert.throws(act, (error) => {
      assert.equal(error.code, 'AUTH_INVALID_ARGUMENT', error.message)
      assert.match(error.message, message)
      assert.ok(!inspect(error).includes('hunter2'))
      return true
    })
  }
})

for (const scheme of ['grpc', 'http']) {
  test(`${scheme}: a key in a file is replaced while calls are made, exchanged or not`, async (t) => {
    const { sandbox, accountServer } = await start(t)
    const path = join(folder, `key-${scheme}`)
    const put = (secret) => {
      writeFileSync(`${path}.new`, `${secret}\n`)
      renameSync(`${path}.new`, path)
    }
    const keys = Array.from({ length: 3 }, () => sandbox.addAccessKey('test-app', ['devices']))
    put(keys[0])
    const credentials = Credentials.fromFile(path, { appId: 'test-app' })
    const plain = connect(sandbox, scheme, { credentials })
    const exchanging = connect(sandbox, scheme, { credentials, exchange: { accountServer } })
    for (const [index, next] of [...keys.slice(1), sandbox.mintToken()].entries()) {
      await Promise.all([plain.getDevice(DEVICE), exchanging.getDevice(DEVICE)])
      put(next)
      sandbox.removeAccessKey(keys[index])
      sandbox.revokeTokens()
      await sandbox.reloadKeys()
      if (index === 2) put(sandbox.mintToken())
      await plain.getDevice(DEVICE)
      if (index < 2) await exchanging.getDevice(DEVICE)
    }
    // A bearer token cannot be exchanged, and the last key is no good any more.
    await assert.rejects(exchanging.getDevice(DEVICE), ({ code }) => ['AUTH_INVALID_CREDENTIALS', 'AUTH_INVALID_KEY'].includes(code))
    plain.close()
    exchanging.close()
  })
}
