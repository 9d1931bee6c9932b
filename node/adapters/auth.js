'use strict'
// What every adapter begins with: a `CallAuth`, which decides in Rust for whatever client somebody has: credentials, a turn,
// whether a call is made again, and what of an error may be shown. An adapter only carries its answers.

const { AuthError, CallAuth, Credentials, TokenSource } = require('../index.js')

/** As in src/secret.rs: a few characters would tear harmless words apart. */
const SHORTEST = 8

const invalid = (message) => new AuthError(message, { code: 'AUTH_INVALID_ARGUMENT', hint: 'Correct the value that the message names.' })

/**
 * What an adapter was given: credentials, a token source, a CallAuth, or options: those of CallAuth or an `auth` that is there
 * already, and beside them the adapter's own, whose names are passed here.
 */
function readAuth(given, names = []) {
  if (given instanceof CallAuth) return { auth: given, own: {} }
  if (given instanceof Credentials) return { auth: new CallAuth({ credentials: given }), own: {} }
  if (given instanceof TokenSource) return { auth: new CallAuth({ tokenSource: given }), own: {} }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalid('the adapter must be given Credentials, a TokenSource, a CallAuth or options')
  }
  const { auth, ...options } = given
  const own = {}
  for (const name of names) {
    own[name] = options[name]
    delete options[name]
  }
  if (auth === undefined) return { auth: new CallAuth(options), own }
  if (!(auth instanceof CallAuth)) throw invalid('auth must be a CallAuth')
  const [beside] = Object.keys(options)
  if (beside !== undefined) throw invalid(`${beside} is an option of the CallAuth that was given as auth`)
  return { auth, own }
}

/** A text without what these headers or metadata carry. Rust does the same to its errors; this is for what stands beside them. */
function redact(text, headers = {}) {
  let shown = text
  for (const value of Object.values(headers)) {
    const secret = value.slice(value.indexOf(' ') + 1)
    for (const part of [secret, ...secret.split('.').slice(1)]) if (part.length >= SHORTEST) shown = shown.replaceAll(part, '<redacted>')
  }
  return shown
}

/** The error of a call whose server took too long. */
const late = (origin) =>
  new AuthError(`${origin} did not answer within the time limit`, {
    code: 'AUTH_TIMEOUT',
    transient: true,
    hint: 'Look whether the server is overloaded, or set a longer timeout.',
  })

/** The names under which credentials travel: what else a call has there is not sent beside ours. */
const METADATA = ['authorization', 'token', 'key']

module.exports = { METADATA, invalid, late, readAuth, redact }
