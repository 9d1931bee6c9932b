// Which status a request node shows, and when: the rules alone, with a clock that the test sets.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'

const require = createRequire(import.meta.url)
const { AuthError } = require('../../node/index.js')
const { Expiry } = require('../../node/nodes/lib/expiry.js')
const { Health } = require('../../node/nodes/lib/health.js')
const { Problem } = require('../../node/nodes/lib/problem.js')
const { NodeStatus, choose } = require('../../node/nodes/lib/status.js')
const { Tally } = require('../../node/nodes/lib/tally.js')

/** Texts as a person reads them. */
const locale = JSON.parse(readFileSync(new URL('../../node/nodes/locales/en-US/ttn.json', import.meta.url)))
const look = (key) => key.split('.').reduce((at, name) => at?.[name], locale)
const RED = { _: (key, values = {}) => look(key).replace(/__(\w+)__/g, (_, name) => values[name]) }
const read = ({ fill, shape, text }) => (text ? `${fill} ${shape} "${look(text) ?? text}"` : '')

const error = (code) => new AuthError('x', { code })
const refused = error('AUTH_INVALID_KEY')
const gone = error('AUTH_UNAVAILABLE')
const notFound = error('AUTH_NOT_FOUND')
const unset = new Problem('AUTH_MISSING_CREDENTIALS', 'variable', { name: 'TTN_KEY' })
const days = { unit: 'd', count: 3 }
const over = { expired: true }
for (const [state, expected] of [
  [{}, ''],
  [{ problem: unset }, 'red ring "variable TTN_KEY not set"'],
  [{ calls: 1 }, 'yellow ring "connecting"'],
  [{ calls: 1, works: true }, 'blue dot "requesting"'],
  [{ calls: 2, works: true, waiting: 7 }, 'blue dot "2 requesting, 7 waiting"'],
  [{ last: { ms: 84 } }, 'green dot "ok 84 ms"'],
  [{ left: days }, 'yellow dot "token expires in 3 d"'],
  [{ left: { unit: 'h', count: 23 } }, 'yellow dot "token expires in 23 h"'],
  [{ left: { unit: 'min', count: 1 } }, 'yellow dot "token expires in 1 min"'],
  [{ left: days, last: { ms: 84 } }, 'yellow dot "ok 84 ms, token expires in 3 d"'],
  [{ left: over }, 'red dot "token expired"'],
  [{ problem: refused }, 'red dot "access key refused"'],
  [{ problem: gone }, 'red ring "host unreachable"'],
  [{ last: { error: notFound } }, 'red dot "not found"'],
  // What is more, of two.
  [{ calls: 1, works: true, problem: refused }, 'blue dot "requesting"'],
  [{ calls: 1, problem: gone, left: over }, 'yellow ring "connecting"'],
  [{ problem: refused, last: { ms: 84 } }, 'red dot "access key refused"'],
  [{ problem: gone, last: { error: notFound } }, 'red ring "host unreachable"'],
  [{ problem: gone, left: days }, 'red ring "host unreachable"'],
  [{ last: { ms: 84 }, left: over }, 'red dot "token expired"'],
  [{ last: { error: notFound }, left: over }, 'red dot "token expired"'],
  [{ last: { error: notFound }, left: days }, 'red dot "not found"'],
]) {
  test(`${JSON.stringify(state, (_, value) => value?.code ?? value)}: ${expected || 'nothing'}`, () => {
    assert.equal(read(choose(RED, { calls: 0, waiting: 0, works: false, ...state })), expected)
  })
}

/** A clock, and what waits for it. `pass` lets time pass, and what is due happen. */
function clock(now = 0) {
  const timers = new Set()
  return {
    timers,
    now: () => now,
    setTimeout: (call, ms) => {
      const timer = { call, due: now + ms, referred: true, unref: () => (timer.referred = false) }
      timers.add(timer)
      return timer
    },
    clearTimeout: (timer) => timers.delete(timer),
    pass(ms) {
      for (const end = now + ms; ; ) {
        const [next] = [...timers].sort((a, b) => a.due - b.due)
        if (!next || next.due > end) return (now = end)
        timers.delete(next)
        now = next.due
        next.call()
      }
    },
  }
}
const [DAY, HOUR, MINUTE] = [86_400_000, 3_600_000, 60_000]
const told = (left) => (left?.expired ? 'expired' : left ? `${left.count} ${left.unit}` : '')

test("what is left of a token is told by one timer, which does not hold Node-RED up, and changes when it has to", () => {
  const time = clock()
  const seen = []
  const tell = () => {
    const text = told(expiry.left())
    assert.ok(time.timers.size <= 1)
    for (const { referred, due } of time.timers) assert.ok(!referred && due <= time.now() + HOUR)
    if (text !== seen.at(-1)?.[1]) seen.push([time.now(), text])
  }
  const end = new Date(30 * DAY)
  const expiry = new Expiry(() => end, tell, time)
  tell()
  time.pass(31 * DAY)
  assert.deepEqual(seen.slice(0, 4), [[0, ''], [23 * DAY, '7 d'], [23 * DAY + 1, '6 d'], [24 * DAY + 1, '5 d']])
  assert.deepEqual(seen.filter(([, text]) => /^(1 d|23 h|1 h|59 min|1 min|expired)$/.test(text)), [
    [28 * DAY + 1, '1 d'],
    [29 * DAY + 1, '23 h'],
    [30 * DAY - 2 * HOUR + 1, '1 h'],
    [30 * DAY - HOUR + 1, '59 min'],
    [30 * DAY - 2 * MINUTE + 1, '1 min'],
    [30 * DAY, 'expired'],
  ])
  assert.equal(seen.length, 1 + 7 + 23 + 59 + 1)
})

test('no timer where nothing expires, and none after it is closed', () => {
  const time = clock()
  let end
  const expiry = new Expiry(() => end, assert.fail, time)
  assert.equal(expiry.left(), undefined)
  assert.equal(time.timers.size, 0)
  // The file has another token now.
  end = new Date(DAY)
  assert.deepEqual(expiry.left(), { unit: 'd', count: 1 })
  assert.equal(time.timers.size, 1)
  end = undefined
  assert.equal(expiry.left(), undefined)
  assert.equal(time.timers.size, 0)
  end = new Date(DAY)
  expiry.left()
  expiry.close()
  assert.equal(time.timers.size, 0)
})

test("a clock that is set right, and a file's next token, are noticed within the hour", () => {
  const time = clock(DAY)
  let end = new Date(HOUR)
  const seen = []
  const expiry = new Expiry(() => end, () => seen.push(told(expiry.left())), time)
  assert.deepEqual(expiry.left(), { expired: true })
  end = new Date(3 * DAY)
  time.pass(HOUR)
  assert.deepEqual(seen, ['1 d'])
})

test('a token that a server takes has not expired, whatever the clock here says; the next token is another matter', () => {
  let end = new Date(DAY)
  let told = 0
  const expiry = new Expiry(() => end, () => (told += 1), clock(2 * DAY))
  expiry.taken()
  assert.deepEqual(expiry.left(), { expired: true })
  assert.equal(told, 0)
  for (let i = 0; i < 2; i += 1) expiry.taken()
  assert.equal(told, 1)
  assert.equal(expiry.left(), undefined)
  end = new Date(DAY + 1)
  assert.deepEqual(expiry.left(), { expired: true })
})

/** A Health, and how often it has told that it changed. */
function health() {
  const counted = { changes: 0 }
  const made = new Health(() => (counted.changes += 1))
  const problems = () => ['grpc', 'http'].map((transport) => made.problem(transport)?.kind)
  return { health: made, counted, problems }
}

for (const code of [
  'INVALID_CREDENTIALS', 'MISSING_CREDENTIALS', 'TOKEN_EXPIRED', 'TOKEN_NOT_YET_VALID', 'INVALID_TOKEN', 'UNKNOWN_ISSUER', 'INVALID_KEY',
  'EXCHANGE_UNAVAILABLE',
]) {
  test(`AUTH_${code} is everybody's, until a call succeeds`, () => {
    const { health: made, problems } = health()
    const it = error(`AUTH_${code}`)
    made.failed('grpc', it)
    assert.deepEqual([problems(), made.concernsAll(it)], [[it.kind, it.kind], true])
    made.succeeded('http')
    assert.deepEqual(problems(), [undefined, undefined])
  })
}

for (const code of ['UNAVAILABLE', 'TLS', 'INSECURE_TRANSPORT']) {
  test(`AUTH_${code} is everybody's on that transport`, () => {
    const { health: made, problems } = health()
    const it = error(`AUTH_${code}`)
    made.succeeded('grpc')
    made.failed('grpc', it)
    assert.deepEqual([problems(), made.concernsAll(it), made.works('grpc')], [[it.kind, undefined], true, false])
    made.succeeded('http')
    assert.deepEqual(problems(), [it.kind, undefined])
    made.succeeded('grpc')
    assert.deepEqual([problems(), made.works('grpc')], [[undefined, undefined], true])
  })
}

for (const code of [
  'PERMISSION_DENIED', 'NOT_FOUND', 'ALREADY_EXISTS', 'INVALID_ARGUMENT', 'RATE_LIMITED', 'TIMEOUT', 'CANCELLED', 'UNIMPLEMENTED',
  'REDIRECT', 'PROTOCOL', 'SERVER', 'INTERNAL',
]) {
  test(`AUTH_${code} is a call's own`, () => {
    const { health: made, problems } = health()
    const it = error(`AUTH_${code}`)
    made.failed('grpc', it)
    assert.deepEqual([problems(), made.concernsAll(it)], [[undefined, undefined], false])
  })
}

test('what no client can be made with is everybody\'s, of whatever kind; a node that is closed says nothing', () => {
  const { health: made, problems, counted } = health()
  made.failed('grpc', new Problem('AUTH_CANCELLED', 'closed'), { isSettings: true })
  assert.deepEqual([problems(), counted.changes], [[undefined, undefined], 0])
  made.failed('grpc', new Problem('AUTH_INVALID_ARGUMENT', 'grpc-address-missing'), { isSettings: true })
  made.failed('http', notFound, { isSettings: true })
  assert.deepEqual(problems(), ['invalid-argument', 'not-found'])
})

test("a credentials file's error is everybody's, over both transports", () => {
  const { health: made, problems } = health()
  made.failed('grpc', new AuthError('the credentials file does not exist', { code: 'AUTH_INVALID_ARGUMENT' }))
  assert.deepEqual(problems(), ['invalid-argument', 'invalid-argument'])
})

test("a key that is refused for another application may be good for the network's own", () => {
  const { health: made, problems } = health()
  made.failed('grpc', refused, { isForeign: true })
  assert.deepEqual([problems(), made.concernsAll(refused)], [[undefined, undefined], false])
  made.failed('grpc', error('AUTH_UNKNOWN_ISSUER'), { isForeign: true })
  assert.deepEqual(problems(), ['unknown-issuer', 'unknown-issuer'])
})

test('an answer of the server shows that it is there again; one about something else than the credential, that it is good', () => {
  const { health: made, problems } = health()
  made.failed('grpc', gone)
  made.failed('grpc', error('AUTH_RATE_LIMITED'))
  assert.deepEqual([problems(), made.works('grpc')], [[undefined, undefined], true])
  made.failed('grpc', gone)
  made.failed('grpc', new AuthError('x', { code: 'AUTH_INVALID_KEY', grpcCode: 2 }))
  assert.deepEqual([problems(), made.works('grpc')], [['invalid-key', 'invalid-key'], true])
  made.failed('http', error('AUTH_SERVER'))
  assert.deepEqual(problems(), ['invalid-key', 'invalid-key'])
  made.failed('http', notFound)
  assert.deepEqual(problems(), [undefined, undefined])
})

test('nobody is told what has not changed', () => {
  const { health: made, counted } = health()
  for (let i = 0; i < 3; i += 1) made.succeeded('grpc')
  assert.equal(counted.changes, 1)
  for (let i = 0; i < 3; i += 1) made.failed('grpc', gone)
  assert.equal(counted.changes, 2)
})

/** A network as a NodeStatus sees it, and what is shown. The pace is that of `t`'s mock timers. */
function shown(t, network = {}) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const users = new Set()
  const state = { works: true }
  const known = { check() {}, join: (user) => users.add(user), leave: (user) => users.delete(user), state: () => state, concernsAll: () => false, ...network }
  const seen = []
  const status = new NodeStatus(RED, { network: () => known, transport: 'grpc', waiting: () => 0, show: (value) => seen.push(read(value)) })
  return { status, seen, state, users, push: () => users.forEach((user) => user()), later: () => t.mock.timers.tick(200) }
}

test("a single call is seen as it begins and, a moment later, as it has ended", async (t) => {
  const { status, seen, later } = shown(t)
  assert.deepEqual(seen, [''])
  await status.during(async () => {})
  assert.deepEqual(seen, ['', 'blue dot "requesting"'])
  later()
  assert.match(seen.at(-1), /^green dot "ok \d+ ms"$/)
})

test('of thousands of calls a few are shown, and always the last', async (t) => {
  const { status, seen, later } = shown(t)
  for (let i = 0; i < 5000; i += 1) await status.during(async () => {})
  await assert.rejects(status.during(() => Promise.reject(notFound)))
  later()
  assert.deepEqual(seen, ['', 'blue dot "requesting"', 'red dot "not found"'])
})

test('what concerns everybody is shown while it does, and is not the last result of whom it happened to', async (t) => {
  const { status, seen, state, push, later } = shown(t, { concernsAll: (one) => one === refused })
  state.problem = refused
  await assert.rejects(status.during(() => Promise.reject(refused)))
  later()
  assert.equal(seen.at(-1), 'red dot "access key refused"')
  state.problem = undefined
  push()
  later()
  assert.equal(seen.at(-1), '')
})

test('a node that is closed shows nothing any more, and is not called', async (t) => {
  const { status, seen, users, later } = shown(t)
  assert.equal(users.size, 1)
  const running = status.during(async () => {})
  status.close()
  await running
  later()
  assert.deepEqual([seen, users.size], [['', 'blue dot "requesting"'], 0])
})

test('another network in the place of the first is followed instead', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const joined = []
  const network = (name) => ({
    check() {}, join: () => joined.push(name), leave: () => joined.push(`not ${name}`), state: () => ({ works: true }), concernsAll: () => false,
  })
  let current = network('first')
  const status = new NodeStatus(RED, { network: () => current, transport: 'grpc', waiting: () => 0, show() {} })
  current = network('second')
  t.mock.timers.tick(200)
  await status.during(async () => {})
  assert.deepEqual(joined, ['first', 'not first', 'second'])
  // That of the deployment which closed the node.
  current = network('third')
  status.close()
  status.failed(notFound)
  assert.deepEqual(joined.slice(3), ['not second'])
})

test('without a network that is all there is to say', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const seen = []
  const status = new NodeStatus(RED, { network: () => undefined, transport: 'grpc', waiting: () => 0, show: (value) => seen.push(read(value)) })
  status.failed(new Problem('AUTH_MISSING_CREDENTIALS', 'not-configured'))
  t.mock.timers.tick(200)
  assert.deepEqual(seen, ['grey ring "not configured"'])
})

test('the pace of a tally is given to it', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const seen = []
  const tally = new Tally((value) => seen.push(value), 50)
  for (const value of [1, 2, 3]) tally.set(() => value)
  t.mock.timers.tick(49)
  assert.deepEqual(seen, [1])
  t.mock.timers.tick(1)
  assert.deepEqual(seen, [1, 3])
  t.mock.timers.tick(50)
  // What is shown already takes no turn.
  for (const value of [3, 4]) tally.set(() => value)
  assert.deepEqual(seen, [1, 3, 4])
})
