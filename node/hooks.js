'use strict'
// What JavaScript does for the addon (src/hooks.rs).

const { build } = require('./error.js')

/** The functions for one loaded addon. */
function hooks(native) {
  // Listeners of the calls in flight, by the call's number (src/promise.rs).
  const watched = new Map()

  return {
    error: build,
    parse: (text) => JSON.parse(text),
    stringify: (value) => JSON.stringify(value),

    /** `{ limit: 1, tag: ['a', 'b'] }` as `limit=1&tag=a&tag=b`. */
    query(object) {
      const query = new URLSearchParams()
      for (const [name, value] of Object.entries(object)) {
        for (const each of Array.isArray(value) ? value : [value]) {
          if (each !== undefined && each !== null) query.append(name, String(each))
        }
      }
      return query.toString()
    },

    entries: (object) => Object.entries(object).map(([name, value]) => [name, String(value)]),

    watch(signal, call) {
      if (typeof signal?.addEventListener !== 'function' || typeof signal.aborted !== 'boolean') {
        throw new TypeError('expected an AbortSignal')
      }
      const listener = () => native.cancel(call)
      watched.set(call, { signal, listener })
      signal.addEventListener('abort', listener, { once: true })
      return signal.aborted
    },

    unwatch(call) {
      const { signal, listener } = watched.get(call) ?? {}
      watched.delete(call)
      signal?.removeEventListener('abort', listener)
      return signal?.aborted ? signal.reason : undefined
    },
  }
}

module.exports = { hooks }
