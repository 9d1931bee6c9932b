// OAuth tokens of The Things Stack: refreshed, shared by processes through a store, never lost to one another.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'
import { Worker } from 'node:worker_threads'
import ttn from '@thingskey/ttn-auth'

const { Client, Sandbox, TokenSource } = ttn

const folder = mkdtempSync(join(tmpdir(), 'ttn-auth-oauth-'))
let sandbox
before(async () => {
  sandbox = await Sandbox.start()
})
after(async () => {
  rmSync(folder, { recursive: true })
  await sandbox.stop()
})

const options = ({ stack } = sandbox) => ({
  accountServer: stack.httpAddress,
  clientId: stack.clientId,
  clientSecret: stack.clientSecret,
  refreshToken: stack.refreshToken,
})

const whoAmI = async (tokenSource, address = sandbox.stack.grpcAddress) => (await new Client({ address, tokenSource }).authInfo())?.entity.id

test('a refresh token gives access tokens, over both transports, and each trade its successor', async () => {
  const own = await Sandbox.start()
  const rotated = []
  const source = TokenSource.refreshToken({ ...options(own), onRotate: (next) => rotated.push(next) })
  assert.equal(source.kind, 'refresh-token')
  for (const address of [own.stack.grpcAddress, own.stack.httpAddress]) assert.equal(await whoAmI(source, address), 'alice')
  assert.equal(own.stack.counts.tokens, 1)
  assert.match((await source.metadata()).authorization, /^Bearer MFRWG\./)
  // Expired by the server's clock: replaced, and the call made again.
  own.stack.setClock(3601)
  assert.equal(await whoAmI(source, own.stack.httpAddress), 'alice')
  assert.equal(own.stack.counts.tokens, 2)
  assert.equal(rotated.length, 2)
  assert.ok(rotated.every((next) => next.startsWith('OJSWM.')) && rotated[0] !== rotated[1])
  assert.ok(!inspect(source, { showHidden: true, depth: 9 }).includes('OJSWM'))
  await own.stop()
})

test('workers that share a store make one trade, and one that comes later goes on where they are', async () => {
  const store = { file: join(folder, 'tokens.json'), key: randomBytes(32).toString('base64') }
  const settings = { ...options(), store }
  const work = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Client, TokenSource } = require('@thingskey/ttn-auth')
    const tokenSource = TokenSource.refreshToken(workerData.settings)
    new Client({ address: workerData.address, tokenSource }).authInfo().then(
      ({ entity }) => parentPort.postMessage(entity.id), ({ message }) => parentPort.postMessage(message))`
  const ask = () =>
    new Promise((resolve, reject) => {
      const worker = new Worker(work, { eval: true, workerData: { settings, address: sandbox.stack.grpcAddress } })
      worker.once('message', resolve).once('error', reject)
    })
  assert.deepEqual(await Promise.all(Array.from({ length: 6 }, ask)), Array(6).fill('alice'))
  assert.equal(sandbox.stack.counts.tokens, 1)
  sandbox.stack.setClock(3601)
  // Each of them begins with the first refresh token, which the server has ended long since.
  assert.deepEqual(await Promise.all(Array.from({ length: 3 }, ask)), Array(3).fill('alice'))
  assert.equal(sandbox.stack.counts.tokens, 2)
  sandbox.stack.setClock(0)
  assert.ok(!/OJSWM|MFRWG/.test(readFileSync(store.file, 'utf8')))
})

test('what cannot be refreshed says what to do, and nothing secret', async () => {
  const own = await Sandbox.start()
  const { stack } = own
  for (const [changed, code, told] of [
    [{ clientSecret: 'hunter2hunter2' }, 'AUTH_INVALID_ARGUMENT', /id or secret/],
    [{ clientId: 'nobody' }, 'AUTH_INVALID_ARGUMENT', /id or secret/],
    [{ clientId: undefined, clientSecret: undefined }, 'AUTH_INVALID_ARGUMENT', /only with the id and secret/],
    [{ refreshToken: 'OJSWM.UNKNOWN.HUNTER2HUNTER2' }, 'AUTH_INVALID_TOKEN', /sign in again/],
    [{ accountServer: 'http://127.0.0.1:1' }, 'AUTH_EXCHANGE_UNAVAILABLE', /refused/],
  ]) {
    const error = await TokenSource.refreshToken({ ...options(own), ...changed }).token().then(assert.fail, (error) => error)
    assert.equal(error.code, code, error.message)
    assert.match(error.message, told)
    assert.ok(!/hunter2hunter2|HUNTER2HUNTER2/.test(inspect(error, { depth: 9 })), error.message)
  }
  stack.loseTokenAnswers(1)
  const lost = TokenSource.refreshToken(options(own))
  await assert.rejects(lost.token(), { code: 'AUTH_EXCHANGE_UNAVAILABLE' })
  await own.stop()
})
