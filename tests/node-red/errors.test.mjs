// What goes wrong ends at the catch node, with a code and a hint; Node-RED lives on.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { test } from 'node:test'

import { TRANSPORTS, Sandbox, flow, helper, load, network, proxy, send, shows, statuses, withSandbox } from './support.mjs'

const sandbox = withSandbox()

/** The error of one message. */
async function failure(msg) {
  const { caught, out } = await send(msg)
  assert.equal(out, undefined, 'nothing is sent on')
  return { ...caught.error, msg: caught }
}

for (const transport of TRANSPORTS) {
  test(`wrong key over ${transport}`, async () => {
    await load(flow({ transport }, network(sandbox())), 'ttn-account-v2.wrong')
    const { code, cause, message, msg } = await failure()
    assert.equal(code, 'AUTH_INVALID_KEY')
    assert.equal(cause.kind, 'invalid-key')
    assert.equal(cause.transient, false)
    assert.ok(cause.hint && message.includes(cause.hint))
    assert.equal(transport === 'grpc' ? msg.grpcCode : msg.statusCode, transport === 'grpc' ? 2 : 500)
    await shows({ fill: 'red', shape: 'dot', text: 'ttn.status.invalid-key' })
  })

  test(`expired token over ${transport}`, async () => {
    const token = sandbox().mintToken({ expiresIn: -60 })
    await load(flow({ transport }, network(sandbox(), { kind: 'bearer-token' })), token)
    await shows({ fill: 'red', shape: 'dot', text: 'ttn.status.token-expired' })
    assert.equal((await failure()).code, 'AUTH_TOKEN_EXPIRED')
    await shows({ fill: 'red', shape: 'dot', text: 'ttn.status.token-expired' })
  })

  test(`a right that is missing, over ${transport}`, async () => {
    const token = sandbox().mintToken({ rights: ['settings'] })
    await load(flow({ transport }, network(sandbox(), { kind: 'bearer-token' })), token)
    const { code, message } = await failure()
    assert.equal(code, 'AUTH_PERMISSION_DENIED')
    assert.match(message, /devices/)
  })

  test(`server down over ${transport}, and up again`, async () => {
    const gone = await Sandbox.start({ rateLimit: false })
    const through = await proxy(transport === 'grpc' ? gone.grpcAddress : gone.httpAddress)
    const { port } = through.server.address()
    await load(flow({ transport }, network(sandbox(), { [`${transport}Address`]: through.address })), sandbox().accessKey)
    assert.ok((await send()).out)
    through.stop()
    await gone.stop()
    const { code, cause } = await failure()
    assert.equal(code, 'AUTH_UNAVAILABLE')
    assert.equal(cause.transient, true)
    await shows({ fill: 'red', shape: 'ring', text: 'ttn.status.unavailable' })
    // The same address, another server behind it.
    const again = await proxy(transport === 'grpc' ? sandbox().grpcAddress : sandbox().httpAddress, { port })
    assert.ok((await send()).out, 'the node heals without a deployment')
    await shows('ttn.status.ok')
    again.stop()
  })

  test(`a server that never answers, over ${transport}`, async () => {
    const silent = await proxy(sandbox()[`${transport}Address`], { hold: true })
    await load(flow({ transport, timeout: '60000' }, network(sandbox(), { [`${transport}Address`]: silent.address })), sandbox().accessKey)
    const { code } = await failure({ timeout: 100 })
    assert.equal(code, 'AUTH_TIMEOUT')
    silent.stop()
  })

  test(`plaintext to another machine over ${transport} is refused before a connection is made`, async () => {
    const elsewhere = { grpcAddress: 'grpc://192.0.2.1:1904', httpAddress: 'http://192.0.2.1:8084' }
    await load(flow({ transport }, network(sandbox(), elsewhere)), sandbox().accessKey)
    assert.equal(statuses().at(-1).text, 'ttn.status.insecure-transport')
    assert.equal((await failure()).code, 'AUTH_INSECURE_TRANSPORT')
  })

  test(`a certificate that is not trusted, over ${transport}`, async () => {
    const { grpcsAddress: grpcAddress, httpsAddress: httpAddress } = sandbox()
    await load(flow({ transport }, network(sandbox(), { grpcAddress, httpAddress })), sandbox().accessKey)
    assert.equal((await failure()).code, 'AUTH_TLS')
  })
}

const wrong = [
  ['no network', {}, null, 'k', 'AUTH_MISSING_CREDENTIALS', 'ttn.status.not-configured'],
  ['no secret', {}, {}, undefined, 'AUTH_MISSING_CREDENTIALS', 'ttn.problem-short.secret-missing'],
  ['no gRPC address', {}, { grpcAddress: '' }, 'a.b', 'AUTH_INVALID_ARGUMENT', 'ttn.problem-short.grpc-address-missing'],
  ['no HTTP address', { transport: 'http' }, { httpAddress: '' }, 'a.b', 'AUTH_INVALID_ARGUMENT', 'ttn.problem-short.http-address-missing'],
  ['an address that is none', {}, { grpcAddress: 'ftp://x' }, 'a.b', 'AUTH_INVALID_ARGUMENT', 'ttn.status.invalid-argument'],
  ['a password in the address', {}, { grpcAddress: 'grpcs://me:hunter2@host' }, 'a.b', 'AUTH_INVALID_ARGUMENT', 'ttn.status.invalid-argument'],
  ['a certificate that is none', {}, { ca: 'no PEM', grpcAddress: 'grpcs://localhost:1' }, 'a.b', 'AUTH_INVALID_ARGUMENT', 'ttn.status.invalid-argument'],
  ['a time limit that is none', {}, { timeout: '-1' }, 'a.b', 'AUTH_INVALID_ARGUMENT', 'ttn.problem-short.timeout'],
  ['Bearer in front', {}, {}, 'Bearer a.b', 'AUTH_INVALID_CREDENTIALS', 'ttn.status.invalid-credentials'],
  ['a blank', {}, {}, ' a.b', 'AUTH_INVALID_CREDENTIALS', 'ttn.status.invalid-credentials'],
  ['a token as a key', {}, {}, 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln', 'AUTH_INVALID_CREDENTIALS', 'ttn.status.invalid-credentials'],
  ['a key as a token', {}, { kind: 'bearer-token' }, 'ttn-account-v2.abc', 'AUTH_INVALID_CREDENTIALS', 'ttn.status.invalid-credentials'],
  ['an unset variable as secret', {}, {}, '${TTN_NOT_SET}', 'AUTH_MISSING_CREDENTIALS', 'ttn.problem.variable'],
  ['an unset variable as address', {}, { grpcAddress: '${TTN_NOT_SET}' }, 'a.b', 'AUTH_INVALID_ARGUMENT', 'ttn.problem.variable'],
]
for (const [what, request, settings, secret, code, text] of wrong) {
  test(`${what}: said at once, and for each message`, async () => {
    await load(flow(request, settings && network(sandbox(), settings)), secret)
    assert.equal(statuses().at(-1).text, text)
    const found = await failure()
    assert.equal(found.code, code)
    assert.ok(!JSON.stringify(found).includes('hunter2'))
  })
}

test('an unset variable is refused by its name; a set one is used', async (t) => {
  await load(flow({}, network(sandbox())), '${TTN_TEST_KEY}')
  await assert.rejects(helper.getNode('network').network.client('grpc'), { key: 'variable', values: { name: 'TTN_TEST_KEY' } })
  await helper.unload()
  process.env.TTN_TEST_KEY = sandbox().accessKey
  t.after(() => delete process.env.TTN_TEST_KEY)
  await load(flow({}, network(sandbox())), '${TTN_TEST_KEY}')
  assert.ok((await send()).out)
})

const refused = [
  [{ method: 'constructor' }, /problem.call/],
  [{ method: 'close' }, /problem.call/],
  [{ method: 7 }, /problem.call/],
  [{ method: 'setDevice', payload: 'text' }, /payload-object/],
  [{ method: 'setDevice', payload: null }, /payload-object/],
  [{ dev_id: 7 }, /id-text/],
  [{ dev_id: '../x' }, /./],
  [{ timeout: 'soon' }, /problem.timeout/],
  [{ timeout: -5 }, /problem.timeout/],
  [{ method: 'getDevices', query: { limit: 'x' } }, /problem.query/],
]
test('messages that ask for nothing possible are refused, and the next one is served', async () => {
  await load(flow({}, network(sandbox())), sandbox().accessKey)
  for (const [msg, message] of refused) {
    const { code, ...error } = await failure(msg)
    assert.equal(code, 'AUTH_INVALID_ARGUMENT', JSON.stringify(msg))
    assert.match(error.message, message)
  }
  assert.ok((await send()).out)
})

test('at most 16 calls at once; the others wait and are served in order', async () => {
  const waiting = []
  let most = 0
  const server = createServer((request, response) => {
    if (request.url === '/round-trip') return response.end()
    waiting.push(response)
    most = Math.max(most, waiting.length)
    server.emit('waiting')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const httpAddress = `http://127.0.0.1:${server.address().port}`
  await load(flow({ transport: 'http' }, network(sandbox(), { httpAddress })), sandbox().accessKey)
  let answers = 0
  const all = new Promise((resolve) => helper.getNode('out').on('input', () => (answers += 1) === 40 && resolve()))
  for (let i = 0; i < 40; i += 1) helper.getNode('request').receive({})
  while (waiting.length < 16) await once(server, 'waiting')
  // A seventeenth would have arrived before these.
  for (let i = 0; i < 20; i += 1) await fetch(`${httpAddress}/round-trip`)
  assert.equal(waiting.length, 16)
  // Each answer lets exactly one more in.
  for (let left = 40; left > 0; left -= 1) {
    if (waiting.length === 0) await once(server, 'waiting')
    waiting.shift().setHeader('content-type', 'application/json').end('{"dev_id":"dev-1"}')
    if (left === 40) await shows('ttn.status.requesting-many')
  }
  await all
  assert.equal(most, 16)
  server.closeAllConnections()
  server.close()
})
