// TokenSource.callback: what a token function may give, how it fails, and that nothing outlives its use.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { setImmediate as turn } from 'node:timers/promises'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

import { AuthError, Credentials, TokenSource } from '../../node/index.js'
import { rejects } from './support.mjs'

const SECRET = 'hunter2hunter2'
const index = fileURLToPath(new URL('../../node/index.js', import.meta.url))

/** A source that gives these answers one after the other, and how often it was asked. */
function listed(...answers) {
  const asked = { times: 0 }
  const source = TokenSource.callback(() => answers[Math.min(asked.times++, answers.length - 1)])
  return { source, asked }
}

test('what it may give: text, an object, credentials, a promise of each', async () => {
  for (const answer of [
    SECRET,
    { token: SECRET },
    { token: SECRET, expiresIn: 60 },
    { token: SECRET, expiresIn: undefined },
    { token: SECRET, expiresIn: null },
    // What is no length of time is no reason to fail: the token may be good.
    ...[0, -1, NaN, Infinity, 1e300, 0.5].map((expiresIn) => ({ token: SECRET, expiresIn })),
    Credentials.bearerToken(SECRET),
  ]) {
    for (const given of [answer, Promise.resolve(answer), { then: (resolve) => resolve(answer) }]) {
      assert.equal(await TokenSource.callback(() => given).token(), SECRET)
    }
  }
})

test('what it may not give is an error that says so, without a secret in it', async () => {
  const message = /^the token source must give a string, \{ token, expiresIn \} or Credentials of kind bearer-token$/
  for (const answer of [
    undefined, null, 5, true, Symbol('x'), 10n, () => SECRET, [], {}, new Date(), { token: 5 }, { token: null },
    { token: SECRET, expiresIn: '60' }, { access_token: SECRET }, Credentials.accessKey(`ttn-account-v2.${SECRET}`),
  ]) {
    const check = (error) => assert.match(error.message, message)
    await rejects(TokenSource.callback(() => answer).token(), 'AUTH_INVALID_CREDENTIALS', { secret: SECRET, check })
  }
  for (const [answer, said] of [['', /empty/], [`Bearer ${SECRET}`, /in front/], [`${SECRET}\n`, /line break/], [`ttn-account-v2.${SECRET}`, /access key/]]) {
    const check = (error) => assert.match(error.message, said)
    await rejects(TokenSource.callback(() => answer).token(), 'AUTH_INVALID_CREDENTIALS', { secret: SECRET, check })
  }
})

test('what it throws is the cause, as it is; its text is nowhere else', async () => {
  const frozen = Object.freeze(new Error(SECRET))
  for (const thrown of [new Error(SECRET), frozen, SECRET, 5, null, { secret: SECRET }, Symbol('x')]) {
    for (const fail of [() => { throw thrown }, () => Promise.reject(thrown), () => ({ then: (_, reject) => reject(thrown) }), () => ({ get token() { throw thrown } })]) {
      await assert.rejects(TokenSource.callback(fail).token(), (error) => {
        assert.ok(error instanceof AuthError)
        assert.equal(error.code, 'AUTH_EXCHANGE_UNAVAILABLE')
        assert.equal(error.message, 'the token source failed')
        assert.equal(error.transient, true)
        // Nothing at all cannot be told from no cause.
        assert.equal(error.cause, thrown ?? undefined)
        assert.ok(!`${error.stack}${JSON.stringify(error)}`.includes(SECRET))
        return true
      })
    }
  }
})

test('an AuthError that it throws keeps its code', async () => {
  for (const code of ['AUTH_INVALID_KEY', 'AUTH_TIMEOUT', 'AUTH_CANCELLED']) {
    const cause = new AuthError('mine', { code })
    const check = (error) => assert.deepEqual([error.message, error.cause], ['the token source failed', cause])
    await rejects(TokenSource.callback(() => { throw cause }).token(), code, { check })
  }
  const odd = new AuthError('mine', { code: 'AUTH_NONE_OF_OURS' })
  await rejects(TokenSource.callback(() => { throw odd }).token(), 'AUTH_EXCHANGE_UNAVAILABLE')
})

test('everyone who waits gets the same error, each with its own AuthError and the one cause', async () => {
  let times = 0
  const cause = new Error('down')
  const source = TokenSource.callback(() => { times += 1; throw cause })
  const all = await Promise.allSettled(Array.from({ length: 100 }, () => source.token()))
  // Later ones too: it is not asked again at once.
  all.push(...(await Promise.allSettled([source.token(), source.headers()])))
  assert.equal(times, 1)
  for (const { reason } of all) assert.equal(reason.cause, cause)
  assert.equal(new Set(all.map(({ reason }) => reason)).size, all.length)
})

test('it is asked once, remembered, and asked again for a refused token', async () => {
  const { source, asked } = listed({ token: 'first', expiresIn: 3600 }, { token: 'second', expiresIn: 3600 })
  const all = await Promise.all(Array.from({ length: 50 }, () => source.token()))
  assert.deepEqual([new Set(all), asked.times], [new Set(['first']), 1])
  assert.deepEqual(await source.headers(), { authorization: 'Bearer first' })
  assert.deepEqual(await source.metadata(), { token: 'first' })
  assert.equal(source.invalidate('another'), undefined)
  assert.equal(await source.token(), 'first')
  source.invalidate('first')
  assert.deepEqual([await source.token(), asked.times], ['second', 2])
})

test('a token is renewed in the background when half of its life is over', async () => {
  const answers = [{ token: 'first', expiresIn: 0.2 }, { token: 'second', expiresIn: 3600 }]
  let renewed
  const again = new Promise((resolve) => (renewed = resolve))
  const source = TokenSource.callback(() => {
    if (answers.length === 1) renewed()
    return answers.shift()
  })
  const given = [await source.token()]
  while (answers.length > 0) {
    given.push(await source.token())
    await turn()
  }
  await again
  assert.deepEqual(new Set(given).has('first'), true)
  while ((await source.token()) !== 'second') await turn()
})

test('what never answers runs out of time', async () => {
  const started = performance.now()
  const check = ({ message }) => assert.equal(message, 'the token source did not answer within 10 s')
  await rejects(TokenSource.callback(() => new Promise(() => {})).token(), 'AUTH_TIMEOUT', { check })
  assert.ok(performance.now() - started < 15_000)
})

test('an answer that comes too late, or twice, harms nobody', async () => {
  let late
  const source = TokenSource.callback(() => ({ then: (resolve, reject) => { resolve('first'); resolve('second'); reject(new Error('x')); late = resolve } }))
  assert.equal(await source.token(), 'first')
  late('third')
  assert.equal(await source.token(), 'first')
})

test('what it shows of itself', () => {
  const { source } = listed(SECRET)
  assert.equal(source.kind, 'callback')
  assert.equal(inspect(source), "TokenSource { kind: 'callback' }")
  assert.equal(JSON.stringify(source), '{"kind":"callback"}')
})

test('wrong arguments', async () => {
  for (const wrong of [undefined, null, 5, 'x', {}, Promise.resolve('x')]) {
    assert.throws(() => TokenSource.callback(wrong), ({ code }) => code === 'AUTH_INVALID_ARGUMENT')
  }
  const { source } = listed(SECRET)
  assert.throws(() => source.invalidate(), ({ code }) => code === 'AUTH_INVALID_ARGUMENT')
  assert.throws(() => source.invalidate(''), ({ code }) => code === 'AUTH_INVALID_CREDENTIALS')
  assert.throws(() => new TokenSource())
})

/** Runs code in a process of its own; what it printed. */
function run(code, ...flags) {
  const setup = `const { AuthError, TokenSource } = require(${JSON.stringify(index)});`
  const child = spawnSync(process.execPath, [...flags, '-e', setup + code], { encoding: 'utf8', timeout: 60_000 })
  assert.equal(child.signal, null, child.stderr)
  return child
}

test('process.exit while a token function is asked, and after it answered', () => {
  assert.equal(run(`TokenSource.callback(() => process.exit(7)).token()`).status, 7)
  assert.equal(run(`for (let n = 0; n < 50; n++) TokenSource.callback(() => new Promise(() => {})).token(); setImmediate(() => process.exit(7))`).status, 7)
  assert.equal(run(`TokenSource.callback(() => 'x').token().then(() => process.exit(7))`).status, 7)
})

test('a source keeps no process alive', () => {
  const child = run(`
    globalThis.kept = TokenSource.callback(() => 'x')
    kept.token().then((token) => console.log(token))
  `)
  assert.deepEqual([child.stdout, child.status], ['x\n', 0], child.stderr)
})

test('what Rust no longer refers to is let go: functions, and what they threw', () => {
  const child = run(
    `
    const collected = { functions: 0, errors: 0 }
    const registry = new FinalizationRegistry((what) => (collected[what] += 1))
    async function make() {
      const error = new Error('x')
      const give = () => { throw error }
      registry.register(error, 'errors')
      registry.register(give, 'functions')
      await TokenSource.callback(give).token().catch(() => {})
    }
    ;(async () => {
      for (let n = 0; n < 100; n++) await make()
      for (let n = 0; n < 20; n++) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)) }
      console.log(collected.functions > 90, collected.errors > 90)
    })()
  `,
    '--expose-gc',
  )
  assert.equal(child.stdout, 'true true\n', child.stderr)
})

test('workers: each its own functions; terminated while these are asked, over and over', async () => {
  const code = `
    const { parentPort } = require('node:worker_threads')
    const { TokenSource } = require(${JSON.stringify(index)})
    for (let n = 0; n < 20; n++) TokenSource.callback(() => new Promise(() => {})).token().catch(() => {})
    const mine = TokenSource.callback(() => 'token-of-' + require('node:worker_threads').threadId)
    mine.token().then((token) => parentPort.postMessage(token === 'token-of-' + require('node:worker_threads').threadId))
    // Asked all the time, so that the end comes in the middle of it.
    const again = () => TokenSource.callback(() => 'x').token().then(again)
    again()
  `
  for (let round = 0; round < 8; round++) {
    const workers = [1, 2, 3].map(() => new Worker(code, { eval: true }))
    const messages = await Promise.all(workers.map((worker) => once(worker, 'message')))
    assert.deepEqual(messages, [[true], [true], [true]])
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
  assert.equal(await TokenSource.callback(() => 'still here').token().catch(({ code }) => code), 'AUTH_INVALID_CREDENTIALS')
  assert.equal(await TokenSource.callback(() => 'still-here').token(), 'still-here')
})
