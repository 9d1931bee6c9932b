'use strict'
// What Rust says to JavaScript (src/bridge.rs, src/kept.rs): functions to call, events to publish. `receive` must never throw: there
// is nobody above it.

const { AuthError } = require('./error.js')

/** Node keeps a channel as long as somebody listens. */
function publish(name, fields) {
  const channel = require('node:diagnostics_channel').channel(name)
  if (channel.hasSubscribers) channel.publish({ ...fields })
}

/** The two ends for one loaded addon. */
function bridge(native) {
  // Functions, and what they threw, for as long as Rust refers to them.
  const kept = new Map()
  let last = 0

  const keep = (value) => {
    do last = (last + 1) >>> 0
    while (kept.has(last))
    kept.set(last, value)
    return last
  }

  /** The token and the life, in seconds, that a token function's answer holds; no token if it is something else. */
  function read(answer) {
    if (typeof answer === 'string') return [answer]
    if (answer instanceof native.Credentials) return answer.kind === 'bearer-token' ? [answer.metadata().token] : []
    const { token, expiresIn } = answer ?? {}
    const known = expiresIn ?? undefined
    return typeof token === 'string' && (known === undefined || typeof known === 'number') ? [token, known] : []
  }

  async function ask(number, request) {
    try {
      const [token, expiresIn] = read(await kept.get(number)())
      native.settle(request, token, expiresIn)
    } catch (exception) {
      native.fail(request, keep(exception), exception instanceof AuthError ? exception.code : undefined)
    }
  }

  /** A listener that fails is warned of: nothing waits for it, and what it was told matters to its owner. */
  async function tell(number, text) {
    try {
      await kept.get(number)(text)
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : `onRotate failed: ${String(error)}`)
    }
  }

  return {
    keep,
    kept: (number) => kept.get(number),

    receive(what, number, request, fields) {
      if (what === 'ask') ask(number, request)
      else if (what === 'tell') tell(number, fields.text)
      else if (what === 'release') kept.delete(number)
      else publish(what, fields)
    },
  }
}

module.exports = { bridge }
