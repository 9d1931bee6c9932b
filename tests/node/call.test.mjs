// How a call ends when it is not answered: time limit, abort, close, refusal; with real sockets that never answer.
import assert from 'node:assert/strict'
import { getEventListeners, once } from 'node:events'
import { createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'

import { AuthError, Client, Credentials } from '../../node/index.js'

const credentials = Credentials.accessKey('ttn-account-v2.hunter2hunter2')
const DEVICE = { app_id: 'my-app', dev_id: 'my-device' }
const TRANSPORTS = ['grpc', 'http']

/** Accepts, reads, and never answers. */
let silent
const sockets = new Set()
before(async () => {
  silent = createServer((socket) => {
    sockets.add(socket.resume())
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    silent.emit('accepted')
  }).listen(0, '127.0.0.1')
  await once(silent, 'listening')
})
after(() => {
  silent.close()
  for (const socket of sockets) socket.destroy()
})

const client = (transport, options) =>
  new Client({ address: `${transport}://127.0.0.1:${silent.address().port}`, credentials, ...options })

const rejects = (promise, code, check = () => {}) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof AuthError, String(error))
    assert.equal(error.code, code, error.message)
    assert.ok(!error.message.includes('hunter2'))
    check(error)
    return true
  })

/** Every way to make a call. */
const calls = (transport) => ({
  getDevice: (client, options) => client.getDevice(DEVICE, options),
  getDevices: (client, options) => client.getDevices({ app_id: 'my-app' }, options),
  setDevice: (client, options) => client.setDevice(DEVICE, options),
  ...(transport === 'http'
    ? { request: (client, options) => client.request({ path: '/applications', ...options }) }
    : { unary: (client, options) => client.unary('/handler.ApplicationManager/GetDevice', new Uint8Array(), options) }),
})

for (const transport of TRANSPORTS) {
  for (const [name, call] of Object.entries(calls(transport))) {
    test(`${transport} ${name}: a call's time limit`, async () => {
      const started = performance.now()
      await rejects(call(client(transport), { timeout: 60 }), 'AUTH_TIMEOUT', (error) => {
        assert.equal(error.transient, true)
        assert.match(error.message, /did not answer within 60 ms/)
      })
      const took = performance.now() - started
      assert.ok(took >= 55 && took < 5000, `${took} ms`)
    })

    test(`${transport} ${name}: aborted before, during and after`, async () => {
      const one = client(transport)
      const reason = new Error('enough')
      await rejects(call(one, { signal: AbortSignal.abort(reason) }), 'AUTH_CANCELLED', (error) => {
        assert.equal(error.cause, reason)
      })

      const controller = new AbortController()
      let own = 0
      controller.signal.onabort = () => (own += 1)
      const accepted = once(silent, 'accepted')
      const promise = call(one, { signal: controller.signal })
      await accepted
      assert.equal(getEventListeners(controller.signal, 'abort').length, 2)
      controller.abort(reason)
      await rejects(promise, 'AUTH_CANCELLED', (error) => assert.equal(error.cause, reason))
      assert.equal(own, 1, "the caller's own onabort is kept")
      one.close()

      const late = new AbortController()
      await rejects(call(client(transport), { signal: late.signal, timeout: 20 }), 'AUTH_TIMEOUT')
      assert.equal(getEventListeners(late.signal, 'abort').length, 0)
      late.abort()
    })
  }

  test(`${transport}: a client's time limit, and a signal's own`, async () => {
    await rejects(client(transport, { timeout: 40 }).getDevice(DEVICE), 'AUTH_TIMEOUT')
    await rejects(client(transport).getDevice(DEVICE, { signal: AbortSignal.timeout(40) }), 'AUTH_CANCELLED', (error) => {
      assert.equal(error.cause.name, 'TimeoutError')
    })
  })

  test(`${transport}: one signal for many calls leaves no listener behind`, async () => {
    const controller = new AbortController()
    const one = client(transport)
    const warnings = []
    const warn = (warning) => warnings.push(warning)
    process.on('warning', warn)
    const many = Array.from({ length: 50 }, () => one.getDevice(DEVICE, { signal: controller.signal }))
    const short = one.getDevice(DEVICE, { signal: controller.signal, timeout: 20 })
    await rejects(short, 'AUTH_TIMEOUT')
    assert.equal(getEventListeners(controller.signal, 'abort').length, 1)
    controller.abort()
    for (const { reason } of await Promise.allSettled(many)) assert.equal(reason.code, 'AUTH_CANCELLED')
    process.off('warning', warn)
    assert.deepEqual(warnings, [])
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
    one.close()
  })

  test(`${transport}: close ends what is in flight and refuses what comes later`, async () => {
    // With a time limit of its own it shares no connection, so that one is made.
    const one = client(transport, { connectTimeout: 9999 })
    const accepted = once(silent, 'accepted')
    const inFlight = [one.getDevice(DEVICE), one.getDevices({ app_id: 'my-app' })]
    await accepted
    one.close()
    for (const { reason } of await Promise.allSettled(inFlight)) {
      assert.equal(reason.code, 'AUTH_CANCELLED')
      assert.match(reason.message, /closed/)
    }
    one.close()
    await rejects(one.getDevice(DEVICE), 'AUTH_CANCELLED')
    await one[Symbol.asyncDispose]()
  })

  test(`${transport}: nothing listens`, async () => {
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const { port } = gone.address()
    await new Promise((resolve) => gone.close(resolve))
    await rejects(new Client({ address: `${transport}://127.0.0.1:${port}`, credentials }).getDevice(DEVICE), 'AUTH_UNAVAILABLE', (error) => {
      assert.equal(error.transient, true)
      assert.ok(error.cause instanceof Error)
    })
  })

  test(`${transport}: plaintext to another machine is refused before any packet`, async () => {
    // 192.0.2.0/24 is reserved for documentation; the refusal is synchronous, so nothing can have been sent.
    for (const host of ['192.0.2.1', 'handler.example', '[2001:db8::1]']) {
      assert.throws(() => new Client({ address: `${transport}://${host}:1904`, credentials }), (error) => {
        assert.ok(error instanceof AuthError)
        assert.equal(error.code, 'AUTH_INSECURE_TRANSPORT')
        assert.match(error.hint, /allowInsecure/)
        return true
      })
    }
    assert.equal(new Client({ address: `${transport}://192.0.2.1:1`, allowInsecure: true }).transport, transport)
  })

  test(`${transport}: wrong arguments reject, and name what is wrong`, async () => {
    const one = client(transport)
    const cases = [
      [() => one.getDevice(), /request must be an object, not undefined/],
      [() => one.getDevice('my-device'), /request must be an object, not a string/],
      [() => one.getDevice({ app_id: 1n, dev_id: 'my-device' }), /BigInt/],
      [() => one.getDevice({ app_id: 1, dev_id: 'my-device' }), /app_id/],
      [() => one.getDevice({ app_id: 'Not Valid', dev_id: 'my-device' }), /not valid/],
      [() => one.getDevice(DEVICE, 5), /options must be an object/],
      [() => one.getDevice(DEVICE, { timeout: '5' }), /timeout must be a number, not a string/],
      [() => one.getDevice(DEVICE, { timeout: 0 }), /timeout must be a number of milliseconds above 0/],
      [() => one.getDevice(DEVICE, { timeout: NaN }), /timeout must be/],
      [() => one.getDevice(DEVICE, { timeout: Infinity }), /timeout must be/],
      [() => one.getDevice(DEVICE, { signal: {} }), /signal: .*AbortSignal/],
      [() => one.getDevice(DEVICE, { signal: 'x' }), /signal: .*AbortSignal/],
      [() => one.getDevices({ app_id: 'my-app' }, { limit: -1 }), /limit must be a whole number/],
      [() => one.getDevices({ app_id: 'my-app' }, { offset: 1.5 }), /offset must be a whole number/],
      [() => one.setDevice({ ...DEVICE, lorawan_device: { app_key: 'SECRET' } }), /app_key: expected 32 hex digits/],
    ]
    for (const [call, message] of cases) {
      await rejects(call(), 'AUTH_INVALID_ARGUMENT', (error) => {
        assert.match(error.message, message)
        assert.ok(!error.message.includes('SECRET'))
      })
    }
  })
}

test('an exception of the caller’s own getter comes back as it is, one of toJSON as a reason', async () => {
  const own = new Error('mine')
  const isOwn = (error) => error === own
  assert.throws(() => new Client({ get address() { throw own } }), isOwn)
  const one = client('grpc')
  await assert.rejects(one.getDevice(DEVICE, { get timeout() { throw own } }), isOwn)
  await assert.rejects(one.getDevice(DEVICE, { get signal() { throw own } }), isOwn)
  await rejects(one.getDevice({ toJSON() { throw own } }), 'AUTH_INVALID_ARGUMENT', (error) => assert.match(error.message, /mine/))
  await rejects(one.getDevice(DEVICE, { timeout: 30 }), 'AUTH_TIMEOUT')
})

test('a client shows its address, never its credentials', () => {
  for (const transport of TRANSPORTS) {
    const one = client(transport)
    const { address } = one
    assert.equal(inspect(one), `Client { address: '${address}', transport: '${transport}' }`)
    assert.deepEqual(JSON.parse(JSON.stringify(one)), { address, transport })
    assert.ok(!inspect(one, { showHidden: true, depth: 9, customInspect: false, getters: true }).includes('hunter2'))
  }
})

test('each transport refuses the other’s raw calls', async () => {
  await rejects(client('grpc').request({ path: '/' }), 'AUTH_UNIMPLEMENTED')
  await rejects(client('http').unary('/a.B/C', new Uint8Array()), 'AUTH_UNIMPLEMENTED')
  for (const call of ['dryUplink', 'dryDownlink', 'simulateUplink']) {
    await rejects(client('http')[call]({ ...DEVICE, payload: 'AA==', port: 1 }), 'AUTH_UNIMPLEMENTED', (error) => {
      assert.match(error.message, /no HTTP route/)
    })
  }
})

test('options of a client are checked', () => {
  const address = 'grpc://127.0.0.1:1'
  const cases = [
    [undefined, /options must be an object/],
    [{}, /options.address is missing/],
    [{ address: 'ftp://x' }, /scheme is none of grpc, grpcs, http, https/],
    [{ address: 1 }, /address must be a string/],
    [{ address, credentials: 'ttn-account-v2.hunter2' }, /credentials must be made by/],
    [{ address, credentials: {} }, /credentials must be made by/],
    [{ address, credentials: new Client({ address }) }, /credentials must be made by/],
    [{ address, allowInsecure: 'no' }, /allowInsecure must be true or false/],
    [{ address, timeout: -1 }, /timeout must be/],
    [{ address, connectTimeout: 1e300 }, /connectTimeout must be/],
    [{ address: 'grpcs://127.0.0.1:1', ca: 'no pem' }, /./],
  ]
  for (const [options, message] of cases) {
    assert.throws(() => new Client(options), (error) => {
      assert.ok(error instanceof AuthError, String(error))
      assert.match(error.code, /^AUTH_(INVALID_ARGUMENT|TLS)$/)
      assert.match(error.message, message)
      assert.ok(!error.message.includes('hunter2'))
      return true
    })
  }
})
