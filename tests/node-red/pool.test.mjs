// How calls are bounded, and in which order their answers leave.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'

const { Pool } = createRequire(import.meta.url)('../../node/nodes/lib/pool.js')

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** When all that could go on has gone on. */
const settled = () => new Promise(setImmediate)

/** Jobs of a pool that end when they are told to, and what came of them. */
class Jobs {
  /** Begun and not ended: number to what ends it. */
  running = new Map()
  begun = []
  handed = []
  #count = 0

  constructor(pool) {
    this.pool = pool
  }

  add(count = 1) {
    for (let i = 0; i < count; i += 1) this.#add(this.#count++)
  }

  #add(number) {
    this.pool.run({
      begin: () => new Promise((resolve, reject) => {
        this.begun.push(number)
        this.running.set(number, { resolve, reject })
      }),
      end: (answer) => this.handed.push([number, 'end', answer]),
      fail: (error) => this.handed.push([number, 'fail', error]),
    })
  }

  end(number, how = 'resolve', value = number) {
    this.running.get(number)[how](value)
    this.running.delete(number)
    return settled()
  }

  /** The numbers of what was handed over. */
  get left() {
    return this.handed.map(([number]) => number)
  }
}

const upTo = (count) => Array.from({ length: count }, (_, number) => number)

test('as they come: a slow one holds nothing up', async () => {
  const jobs = new Jobs(new Pool(3))
  jobs.add(5)
  assert.deepEqual([jobs.begun, jobs.pool.active, jobs.pool.waiting], [[0, 1, 2], 3, 2])
  await jobs.end(2)
  await jobs.end(3)
  await jobs.end(4, 'reject', 'an error')
  assert.deepEqual(jobs.handed, [[2, 'end', 2], [3, 'end', 3], [4, 'fail', 'an error']])
  assert.deepEqual([jobs.pool.active, jobs.pool.waiting], [2, 0])
})

test('order kept: what is early waits, errors too, and nothing more is begun behind a slow one than the limit', async () => {
  const jobs = new Jobs(new Pool(3, { kept: true }))
  jobs.add(6)
  await jobs.end(2)
  await jobs.end(1, 'reject', 'an error')
  assert.deepEqual([jobs.handed, jobs.begun, jobs.pool.active, jobs.pool.waiting], [[], [0, 1, 2], 3, 3])
  await jobs.end(0)
  assert.deepEqual(jobs.handed, [[0, 'end', 0], [1, 'fail', 'an error'], [2, 'end', 2]])
  assert.deepEqual(jobs.begun, upTo(6))
})

test('one at once, order kept: each is begun when the one before it was handed over', async () => {
  const jobs = new Jobs(new Pool(1, { kept: true }))
  jobs.add(4)
  for (let number = 0; number < 4; number += 1) {
    assert.deepEqual([jobs.begun, jobs.left], [upTo(number + 1), upTo(number)])
    await jobs.end(number)
  }
  assert.deepEqual(jobs.left, upTo(4))
})

for (const kept of [true, false]) {
  test(`any course of things, order ${kept ? 'kept' : 'as they come'}: each once, never too many, none forgotten`, async () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const next = random(seed)
      const pick = (count) => Math.floor(next() * count)
      const limit = 1 + pick(9)
      const jobs = new Jobs(new Pool(limit, { kept }))
      const outcomes = []
      let added = 0
      while (added < 80 || jobs.handed.length < added) {
        if (added < 80 && next() < 0.5) {
          const count = 1 + pick(2 * limit)
          jobs.add(count)
          added += count
        } else if (jobs.running.size > 0) {
          const number = [...jobs.running.keys()][pick(jobs.running.size)]
          outcomes[number] = next() < 0.2 ? [number, 'fail', 'e'] : [number, 'end', number]
          const ended = jobs.end(number, outcomes[number][1] === 'fail' ? 'reject' : 'resolve', outcomes[number][2])
          // Several end in the same turn, or each in its own.
          if (next() < 0.5) await ended
        } else {
          await settled()
        }
        const { active, waiting } = jobs.pool
        assert.ok(active <= limit && jobs.running.size <= limit, `seed ${seed}`)
        assert.equal(active + waiting + jobs.handed.length, added, `seed ${seed}`)
      }
      const byNumber = kept ? jobs.handed : [...jobs.handed].sort(([a], [b]) => a - b)
      assert.deepEqual(byNumber, outcomes, `seed ${seed}`)
      assert.deepEqual(jobs.begun, upTo(added), `seed ${seed}: begun in order`)
    }
  })

  test(`closing, order ${kept ? 'kept' : 'as they come'}: all fails in order, nothing is begun, and nothing that ends later is heard`, async () => {
    const jobs = new Jobs(new Pool(3, { kept }))
    jobs.add(500)
    await jobs.end(1)
    const before = jobs.left
    assert.deepEqual(before, kept ? [] : [1])
    const closing = jobs.pool.close('closed')
    jobs.add(2)
    assert.equal(await closing, 502 - before.length, 'how many')
    const after = jobs.handed.slice(before.length)
    const rest = upTo(502).filter((number) => !before.includes(number))
    assert.deepEqual(after, rest.map((number) => [number, 'fail', 'closed']))
    assert.deepEqual([jobs.pool.active, jobs.pool.waiting, jobs.begun.length], [0, 0, kept ? 3 : 4])
    for (const number of [...jobs.running.keys()]) await jobs.end(number)
    assert.equal(jobs.handed.length, 502)
    jobs.add(1)
    assert.deepEqual(jobs.handed.at(-1), [502, 'fail', 'closed'], 'what comes later still')
  })
}

test('closing: an error that waited for its turn is told as it is', async () => {
  const jobs = new Jobs(new Pool(3, { kept: true }))
  jobs.add(3)
  await jobs.end(1, 'reject', 'an error')
  assert.equal(await jobs.pool.close('closed'), 3)
  assert.deepEqual(jobs.handed, [[0, 'fail', 'closed'], [1, 'fail', 'an error'], [2, 'fail', 'closed']])
})

test('closing with thousands that wait lets the process do other things in between', async () => {
  const jobs = new Jobs(new Pool(1))
  jobs.add(10_000)
  const closing = jobs.pool.close('closed')
  const seen = new Set()
  while (jobs.handed.length < 10_000) {
    seen.add(jobs.handed.length)
    await settled()
  }
  assert.equal(await closing, 10_000)
  assert.ok(seen.size >= 50, `${seen.size} turns`)
})

test('a job that throws when its outcome is handed over harms neither the process nor the others', async () => {
  const handed = []
  const job = (number, fails) => ({
    begin: async () => {
      if (fails) throw new Error('begin')
    },
    end: () => {
      handed.push(number)
      throw new Error('end')
    },
    fail: () => {
      handed.push(number)
      throw new Error('fail')
    },
  })
  const pool = new Pool(2, { kept: true })
  for (let number = 0; number < 6; number += 1) pool.run(job(number, number % 2 === 1))
  await settled()
  assert.deepEqual(handed, upTo(6))
  assert.equal(pool.active, 0)
  const closed = new Pool(1)
  for (let number = 6; number < 9; number += 1) closed.run(job(number))
  assert.equal(await closed.close('closed'), 3)
  assert.deepEqual(handed, upTo(9))
})

test('jobs that are added while one is handed over, as when nothing is delivered asynchronously, keep their order', async () => {
  const pool = new Pool(2, { kept: true })
  const handed = []
  const run = (number) => pool.run({
    begin: async () => {},
    end() {
      handed.push(number)
      if (number < 100) run(number + 100)
    },
    fail: assert.fail,
  })
  for (let number = 0; number < 50; number += 1) run(number)
  await settled()
  assert.deepEqual(handed, [...upTo(50), ...upTo(50).map((number) => number + 100)])
})
