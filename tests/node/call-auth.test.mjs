// CallAuth: what is put on calls that another library makes, and whether one that failed is made again.
import assert from 'node:assert/strict'
import test from 'node:test'
import { inspect } from 'node:util'
import ttn from '@thingskey/ttn-auth'

const { AuthError, CallAuth, Credentials } = ttn

const KEY = 'NNSXS.ID.HUNTER2HUNTER2'
const EXPIRED = { grpcCode: 16, message: 'error:pkg/identityserver:token_expired (token expired)' }
const withCode = (code) => (error) => error instanceof AuthError && error.code === code

const ofTokens = (...tokens) =>
  new CallAuth({ tokenSource: () => tokens.shift() ?? assert.fail('no token is left') })

test('an attempt has the credential for either transport, and its time', async () => {
  for (const [credentials, headers, metadata] of [
    [Credentials.apiKey(KEY), { authorization: `Bearer ${KEY}` }, { authorization: `Bearer ${KEY}` }],
    [Credentials.accessKey('i.k'), { authorization: 'Key i.k' }, { key: 'i.k' }],
    [Credentials.bearerToken('t'), { authorization: 'Bearer t' }, { token: 't' }],
    [undefined, {}, {}],
  ]) {
    const call = new CallAuth({ credentials, timeout: 5000 }).begin()
    const attempt = await call.next()
    assert.deepEqual([attempt.headers, attempt.metadata], [headers, metadata])
    assert.ok(attempt.timeLeft > 0 && attempt.timeLeft <= 5000)
    call.succeeded()
  }
})

test('a refused token is replaced once, also for the calls that follow', async () => {
  const auth = ofTokens('MFRWG.A.1', 'MFRWG.A.2', 'MFRWG.A.3')
  const call = auth.begin()
  assert.equal((await call.next()).metadata.authorization, 'Bearer MFRWG.A.1')
  await call.failed(EXPIRED)
  assert.equal((await call.next()).metadata.authorization, 'Bearer MFRWG.A.2')
  await assert.rejects(call.failed(EXPIRED), withCode('AUTH_TOKEN_EXPIRED'))
})

test('the error that a call ends with has kind, details, and no secret', async () => {
  const auth = new CallAuth({ credentials: Credentials.apiKey(KEY) })
  const details = [
    {
      '@type': 'type.googleapis.com/ttn.lorawan.v3.ErrorDetails',
      namespace: 'pkg/auth/rights',
      name: 'insufficient_application_rights',
      attributes: { missing: ['RIGHT_APPLICATION_DEVICES_READ'], uid: 'app1' },
      correlation_id: 'c',
    },
  ]
  const message = 'error:pkg/auth/rights:insufficient_application_rights (HUNTER2HUNTER2)'
  const call = auth.begin()
  await call.next()
  const body = JSON.stringify({ code: 7, message, details })
  const error = await call.failed({ httpStatus: 403, body }).then(assert.fail, (error) => error)
  assert.deepEqual({ ...error.toJSON(), hint: undefined }, {
    name: 'AuthError',
    message:
      'error:pkg/auth/rights:insufficient_application_rights (<redacted>); missing: RIGHT_APPLICATION_DEVICES_READ',
    code: 'AUTH_PERMISSION_DENIED',
    kind: 'permission-denied',
    transient: false,
    hint: undefined,
    grpcCode: undefined,
    httpStatus: 403,
    details: {
      namespace: 'pkg/auth/rights',
      name: 'insufficient_application_rights',
      attributes: { missing: ['RIGHT_APPLICATION_DEVICES_READ'], uid: 'app1' },
      correlationId: 'c',
    },
  })
  assert.ok(!inspect([auth, call, error], { showHidden: true }).includes('HUNTER2'))
})

test('what was not sent is repeated, and what may have been done only if it may be done twice', async () => {
  const auth = new CallAuth({ credentials: Credentials.bearerToken('t'), retry: { baseDelay: 1 } })
  for (const [options, failure, again] of [
    [{}, { message: 'connection refused', unsent: true }, true],
    [{}, { message: 'connection reset' }, false],
    [{ idempotent: true }, { message: 'connection reset' }, true],
    [{ idempotent: true }, { grpcCode: 14 }, true],
    [{ idempotent: true }, { httpStatus: 503 }, true],
    [{ idempotent: true }, { httpStatus: 500 }, false],
  ]) {
    const call = auth.begin(options)
    await call.next()
    const outcome = await call.failed(failure).then(() => true, (error) => assert.ok(error instanceof AuthError) ?? false)
    assert.equal(outcome, again, JSON.stringify([options, failure]))
  }
})

test('a signal ends the waiting', async () => {
  const auth = new CallAuth({ tokenSource: () => new Promise(() => {}) })
  const controller = new AbortController()
  const next = auth.begin({ signal: controller.signal }).next()
  controller.abort(new Error('enough'))
  await assert.rejects(next, (error) => error.code === 'AUTH_CANCELLED' && error.cause.message === 'enough')
})

test('credentials go to their address only, and never in clear', () => {
  const auth = new CallAuth({ address: 'https://eu1.cloud.thethings.network', credentials: Credentials.apiKey(KEY) })
  auth.check('https://eu1.cloud.thethings.network/api/v3/auth_info')
  assert.throws(() => auth.check('https://evil.example/'), withCode('AUTH_INVALID_ARGUMENT'))
  assert.throws(() => auth.check('http://eu1.cloud.thethings.network/'), withCode('AUTH_INSECURE_TRANSPORT'))
  const anywhere = new CallAuth({ credentials: Credentials.apiKey(KEY) })
  anywhere.check('http://127.0.0.1:1/')
  assert.throws(() => anywhere.check('http://192.0.2.1/'), withCode('AUTH_INSECURE_TRANSPORT'))
})

test('what is not as documented is refused by name', async () => {
  assert.throws(() => new CallAuth({ address: 'nowhere' }), withCode('AUTH_INVALID_ARGUMENT'))
  assert.throws(() => new ttn.CallAuth(), withCode('AUTH_INVALID_ARGUMENT'))
  const call = new CallAuth({}).begin()
  await call.next()
  await assert.rejects(call.failed({ httpStatus: 9 }), /httpStatus must be/)
  await assert.rejects(call.failed(), withCode('AUTH_INVALID_ARGUMENT'))
})
