// bulk: bounded, in order, nothing lost.
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import { AuthError, bulk } from '../../node/index.js'
import { connect, rejects, withSandbox } from './support.mjs'

const sandbox = withSandbox()
const numbers = (count) => Array.from({ length: count }, (_, index) => index)
const fulfilled = (values) => values.map((value) => ({ status: 'fulfilled', value }))

/** A promise that others settle. */
function gate() {
  const own = {}
  own.promise = new Promise((resolve, reject) => Object.assign(own, { resolve, reject }))
  return own
}

test('results keep the order of their items, however long each takes', async () => {
  const gates = numbers(5).map(gate)
  const job = bulk(gates, ({ promise }) => promise)
  for (const index of [4, 1, 3, 0, 2]) {
    gates[index].resolve(index)
    await turn()
  }
  assert.deepEqual(await job, fulfilled(numbers(5)))
})

test('no more than `concurrency` run at once, and as many as that do', async () => {
  for (const [concurrency, expected] of [[1, 1], [7, 7], [undefined, 16], [null, 16], [1000, 40]]) {
    let [running, most] = [0, 0]
    const task = async () => {
      most = Math.max(most, (running += 1))
      await turn()
      running -= 1
    }
    assert.equal((await bulk(numbers(40), task, { concurrency })).length, 40)
    assert.equal(most, expected)
  }
})

test('every error stands in its place, thrown or rejected', async () => {
  const error = new Error('odd')
  const results = await bulk(numbers(4), (each) => {
    if (each === 1) throw error
    return each === 3 ? Promise.reject(error) : each
  })
  assert.deepEqual(results, [
    { status: 'fulfilled', value: 0 },
    { status: 'rejected', reason: error },
    { status: 'fulfilled', value: 2 },
    { status: 'rejected', reason: error },
  ])
  assert.equal(results[1].reason, error)
})

test('every kind of iterable; what is not known yet is not said', async () => {
  const values = [1, 2, 3]
  const generator = function* () {
    yield* values
  }
  const asynchronous = async function* () {
    for (const value of values) {
      await turn()
      yield value
    }
  }
  for (const [items, total] of [
    [values, 3],
    [new Set(values), 3],
    [new Map(values.map((value) => [value, value])).keys(), undefined],
    [Uint8Array.from(values), 3],
    [generator(), undefined],
    [asynchronous(), undefined],
    [{ [Symbol.iterator]: generator }, undefined],
  ]) {
    const events = []
    const onProgress = (progress) => void events.push(progress)
    assert.deepEqual(await bulk(items, (value) => value, { onProgress, concurrency: 1 }), fulfilled(values))
    assert.deepEqual(events.slice(0, 2), [{ done: 1, failed: 0, total, index: 0 }, { done: 2, failed: 0, total, index: 1 }])
  }
  assert.deepEqual(await bulk([], () => assert.fail()), [])
})

test('progress counts what ended and what failed, and tells which', async () => {
  const gates = numbers(3).map(gate)
  const events = []
  const job = bulk(gates, ({ promise }) => promise, { onProgress: (progress) => void events.push(progress) })
  await turn()
  gates[2].reject(new Error('no'))
  await turn()
  gates[0].resolve()
  await turn()
  gates[1].resolve()
  await job
  assert.deepEqual(events, [
    { done: 1, failed: 1, total: 3, index: 2 },
    { done: 2, failed: 1, total: 3, index: 0 },
    { done: 3, failed: 1, total: 3, index: 1 },
  ])
})

test('a listener that fails costs no result, and is warned of once', async () => {
  for (const fail of [() => { throw new Error('mine') }, () => Promise.reject(new Error('mine'))]) {
    const warnings = []
    const listener = (warning) => warnings.push(warning.message)
    process.on('warning', listener)
    assert.deepEqual(await bulk(numbers(3), (each) => each, { onProgress: fail }), fulfilled([0, 1, 2]))
    await turn()
    process.removeListener('warning', listener)
    assert.deepEqual(warnings, ['mine'])
  }
})

test('nothing is read ahead', async () => {
  let read = 0
  const endless = (function* () {
    for (;;) yield (read += 1)
  })()
  const controller = new AbortController()
  const gates = []
  const task = () => {
    gates.push(gate())
    return gates.at(-1).promise
  }
  const job = bulk(endless, task, { concurrency: 3, signal: controller.signal })
  await turn()
  assert.equal(read, 3)
  gates[0].resolve()
  await turn()
  assert.equal(read, 4)
  controller.abort()
  for (const { resolve } of gates) resolve()
  assert.equal((await job).length, 4)
})

test('a hundred thousand items leave nothing behind but their results', async () => {
  const controller = new AbortController()
  const items = (async function* () {
    for (let n = 0; n < 100_000; n += 1) yield n
  })()
  const { signal } = controller
  const results = await bulk(items, () => 0, { signal, concurrency: 4 })
  assert.equal(results.length, 100_000)
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('an abort begins nothing more, waits for what runs, and fills the places of a list', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const gates = []
  const task = (_, index, { signal }) => {
    assert.equal(signal, controller.signal)
    gates.push(gate())
    return gates.at(-1).promise
  }
  const job = bulk(numbers(5), task, { signal: controller.signal, concurrency: 2 })
  await turn()
  controller.abort(reason)
  gates[0].resolve('late, but done')
  gates[1].reject(reason)
  const results = await job
  assert.deepEqual(results.slice(0, 2), [{ status: 'fulfilled', value: 'late, but done' }, { status: 'rejected', reason }])
  assert.equal(results.length, 5)
  for (const { status, reason: error } of results.slice(2)) {
    assert.equal(status, 'rejected')
    assert.ok(error instanceof AuthError)
    assert.equal(error.code, 'AUTH_CANCELLED')
    assert.equal(error.cause, reason)
  }
  assert.equal(gates.length, 2)
})

test('an abort that came first; one while the items themselves hang', async () => {
  const aborted = await bulk([1, 2], () => assert.fail(), { signal: AbortSignal.abort() })
  assert.deepEqual(aborted.map(({ reason }) => reason.code), ['AUTH_CANCELLED', 'AUTH_CANCELLED'])

  const controller = new AbortController()
  let left = 0
  const hanging = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        turn().then(() => controller.abort())
        return new Promise(() => {})
      },
      return: () => {
        left += 1
        return new Promise(() => {})
      },
    }),
  }
  assert.deepEqual(await bulk(hanging, () => assert.fail(), { signal: controller.signal }), [])
  assert.equal(left, 1)
})

test('items that fail are the last result; what was begun before is kept', async () => {
  const error = new Error('line 3 is broken')
  const broken = function* () {
    yield 1
    yield 2
    throw error
  }
  const brokenLater = async function* () {
    yield* broken()
  }
  for (const items of [broken(), brokenLater()]) {
    const events = []
    const results = await bulk(items, async (each) => each, { onProgress: (progress) => void events.push(progress) })
    assert.deepEqual(results, [...fulfilled([1, 2]), { status: 'rejected', reason: error }])
    assert.equal(events.length, 3)
  }
})

test('wrong arguments', async () => {
  const task = () => {}
  for (const [args, message] of [
    [[], /function/],
    [[undefined, task], /items/],
    [['abc', task], /items/],
    [[5, task], /items/],
    [[{}, task], /items/],
    [[[], 'task'], /function/],
    [[[], task, 5], /options/],
    [[[], task, { concurrency: 0 }], /concurrency/],
    [[[], task, { concurrency: 1.5 }], /concurrency/],
    [[[], task, { concurrency: Infinity }], /concurrency/],
    [[[], task, { concurrency: '4' }], /concurrency/],
    [[[], task, { onProgress: 'log' }], /onProgress/],
    [[[], task, { signal: new AbortController() }], /signal/],
  ]) {
    await rejects(bulk(...args), 'AUTH_INVALID_ARGUMENT', { check: (error) => assert.match(error.message, message) })
  }
})

test('calls of a client: one abort ends them all, without a warning of too many listeners', async () => {
  const client = connect(sandbox(), 'grpc')
  const id = { app_id: 'test-app', dev_id: 'dev-1' }
  const results = await bulk(numbers(50), (_, index) => client.getDevice(index === 7 ? { ...id, dev_id: 'none' } : id))
  assert.equal(results[7].reason.code, 'AUTH_NOT_FOUND')
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 49)

  const controller = new AbortController()
  const task = (_, __, { signal }) => client.getDevice(id, { signal })
  const onProgress = ({ done }) => done === 20 && controller.abort()
  const ended = await bulk(numbers(200), task, { signal: controller.signal, onProgress, concurrency: 20 })
  assert.equal(ended.length, 200)
  assert.ok(ended.filter(({ reason }) => reason?.code === 'AUTH_CANCELLED').length >= 140)
  client.close()
})
