'use strict'
// What JavaScript does for the addon (src/hooks.rs). What takes a file of its own is read when it is first needed.

const { bridge } = require('./bridge.js')
const { answered, build } = require('./error.js')

/** The functions for one loaded addon. */
function hooks(native) {
  // The signal of each call in flight, by the call's number (src/calls.rs), and the calls of each signal. One listener
  // serves all calls of a signal: Node warns of a leak when there are more than ten.
  const signals = new Map()
  const watched = new WeakMap()
  let flat

  return {
    ...bridge(native),
    error: build,
    answered,
    parse: (text) => JSON.parse(text),
    flat: (text, count) => (flat ??= require('./flat.js').flat(native))(text, count),
    claims(text) {
      const { claimsOf, claimsReader } = require('./claims.js')
      return claimsOf(claimsReader(native)(text))
    },
    stringify: (value) => JSON.stringify(value),
    environment: (name) => process.env[name],
    body: (value) => require('./request.js').body(value),
    query: (value) => require('./request.js').query(value),
    entries: (value) => require('./request.js').entries(value),
    presented: (given, names) => require('./presented.js').presented(given, names),

    watch(signal, call) {
      if (typeof signal?.addEventListener !== 'function' || typeof signal.aborted !== 'boolean') {
        throw new TypeError('expected an AbortSignal')
      }
      let entry = watched.get(signal)
      if (!entry) {
        const calls = new Set()
        entry = { calls, listener: () => calls.forEach((each) => native.cancel(each)) }
        signal.addEventListener('abort', entry.listener, { once: true })
        watched.set(signal, entry)
      }
      entry.calls.add(call)
      signals.set(call, signal)
      return signal.aborted
    },

    unwatch(call) {
      const signal = signals.get(call)
      signals.delete(call)
      const { calls, listener } = watched.get(signal)
      calls.delete(call)
      if (calls.size === 0) {
        watched.delete(signal)
        signal.removeEventListener('abort', listener)
      }
      return signal.aborted ? signal.reason : undefined
    },
  }
}

module.exports = { hooks }
