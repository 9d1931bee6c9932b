'use strict'
// Many calls, some of them at a time. What was done is never lost: every result and every error has its place, whatever
// ends the work.

const { AuthError } = require('./error.js')

/** Enough to keep a Handler busy, which answers within some 10 ms, and few enough to be given up at once. */
const CONCURRENCY = 16

const ABORTED = Symbol('aborted')

const invalid = (message) =>
  new AuthError(message, { code: 'AUTH_INVALID_ARGUMENT', hint: 'Correct the value that the message names.' })

const cancelled = (cause) =>
  new AuthError('the bulk job was aborted by its signal before this call began', {
    code: 'AUTH_CANCELLED',
    hint: 'Nothing to do: the call was cancelled on this side.',
    cause,
  })

/** The iterator of what is given. A text is refused: its letters are hardly what was meant. */
function iterate(items) {
  const begin = typeof items === 'object' && items !== null ? (items[Symbol.asyncIterator] ?? items[Symbol.iterator]) : undefined
  if (typeof begin !== 'function') throw invalid('items must be a list, an iterable or an async iterable')
  return begin.call(items)
}

/** How many there are, where that can be told without reading them. */
function sizeOf(items) {
  if (Array.isArray(items) || ArrayBuffer.isView(items)) return items.length
  return items instanceof Set || items instanceof Map ? items.size : undefined
}

function read(task, options) {
  if (typeof task !== 'function') throw invalid('the second argument must be a function that does the work for one item')
  if (typeof (options ?? {}) !== 'object') throw invalid('options must be an object')
  const concurrency = options?.concurrency ?? CONCURRENCY
  const onProgress = options?.onProgress ?? (() => {})
  const signal = options?.signal ?? undefined
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) throw invalid('concurrency must be a whole number from 1 on')
  if (typeof onProgress !== 'function') throw invalid('onProgress must be a function')
  if (signal && (typeof signal.addEventListener !== 'function' || typeof signal.aborted !== 'boolean')) {
    throw invalid('signal must be an AbortSignal')
  }
  return { concurrency, onProgress, signal }
}

/** Tells of progress. A listener that fails is warned of once: the job goes on, and its results are still wanted. */
function reporter(onProgress) {
  let warned = false
  return async (progress) => {
    try {
      await onProgress(progress)
    } catch (error) {
      if (!warned) process.emitWarning(error instanceof Error ? error : `onProgress failed: ${String(error)}`)
      warned = true
    }
  }
}

/** Tells an iterator that nothing more is wanted. Not waited for: one that hangs would hang here too. */
function leave(iterator) {
  try {
    Promise.resolve(iterator.return?.()).catch(() => {})
  } catch {
    // What it says now matters to nobody.
  }
}

async function bulk(items, task, options) {
  const { concurrency, onProgress, signal } = read(task, options)
  const iterator = iterate(items)
  const report = reporter(onProgress)
  const results = []
  let [started, running, done, failed, total] = [0, 0, 0, 0, sizeOf(items)]
  let [oneEnded, broken] = [() => {}, () => {}]

  const settle = (index, result) => {
    results[index] = result
    done += 1
    if (result.status === 'rejected') failed += 1
    report({ done, failed, total, index })
  }
  const run = async (item, index) => {
    running += 1
    try {
      settle(index, { status: 'fulfilled', value: await task(item, index, { signal }) })
    } catch (reason) {
      settle(index, { status: 'rejected', reason })
    }
    running -= 1
    oneEnded()
  }
  const freed = () => new Promise((resolve) => (oneEnded = resolve))
  // One at a time, and only what can be begun at once. No Promise.race with the signal: that would keep every promise.
  const next = () =>
    new Promise((resolve, reject) => {
      broken = () => resolve(ABORTED)
      Promise.resolve(iterator.next()).then(resolve, reject)
    })

  const listener = () => broken()
  signal?.addEventListener('abort', listener, { once: true })
  try {
    for (;;) {
      while (running >= concurrency) await freed()
      const step = signal?.aborted ? ABORTED : await next()
      if (step === ABORTED) {
        leave(iterator)
        break
      }
      if (step.done) {
        total = started
        break
      }
      run(step.value, started++)
    }
  } catch (reason) {
    // The items themselves failed: that stands in the place of the one that could not be read.
    total = started + 1
    settle(started++, { status: 'rejected', reason })
  }
  while (running > 0) await freed()
  signal?.removeEventListener('abort', listener)
  while (started < (total ?? 0)) results[started++] = { status: 'rejected', reason: cancelled(signal.reason) }
  return results
}

module.exports = { bulk }
