'use strict'
// Credentials for dispatchers of undici: `agent.compose(interceptor({ address, credentials }))`.
//
// They go to one origin, that of `address`. Requests to all others pass as they are: also those that a redirect interceptor
// outside makes. One inside takes `Authorization` off itself, and what it brings from another origin counts for nothing here.

const { invalid, readAuth } = require('./auth.js')
const { isIdempotent } = require('./http.js')
const { RepeatedRequest } = require('./undici-request.js')

/** The origin of an address; undefined if it has none. */
function originOf(address) {
  try {
    return new URL(String(address)).origin
  } catch {
    return undefined
  }
}

/** A body that can be sent a second time. */
const isKept = (body) => body === undefined || body === null || typeof body === 'string' || ArrayBuffer.isView(body)

/** Headers in any of undici's forms as pairs. */
function pairsOf(headers) {
  if (headers === undefined || headers === null) return []
  if (Array.isArray(headers) && !Array.isArray(headers[0])) {
    return Array.from({ length: headers.length / 2 }, (_, n) => [String(headers[2 * n]), headers[2 * n + 1]])
  }
  return typeof headers[Symbol.iterator] === 'function' ? [...headers] : Object.entries(headers)
}

/** The same headers with these in place of what is there under their names. */
function withHeaders(headers, ours) {
  const others = pairsOf(headers).filter(([name]) => !Object.hasOwn(ours, name.toLowerCase()))
  // One after the other: the form that every version takes.
  return [...others, ...Object.entries(ours)].flatMap(([name, value]) => [value].flat().flatMap((each) => [name, each]))
}

/** An interceptor for `compose`. */
function interceptor(given) {
  const { auth, own } = readAuth(given, ['address'])
  const origin = own.address === undefined ? undefined : originOf(own.address)
  if (!/^https?:/.test(origin)) throw invalid('address must be the http:// or https:// address that the credentials are for')
  auth.check(origin)
  return (dispatch) => (options, handler) => {
    // A Client or Pool may leave it out; whether it is the right one cannot be told then.
    if (!options.origin) throw invalid('the request has no origin: use an Agent, or pass origin beside path')
    if (options.method === 'CONNECT' || originOf(options.origin) !== origin) return dispatch(options, handler)
    const decided = (signal) => auth.begin({ idempotent: isIdempotent(options.method ?? 'GET'), signal })
    const send = ({ headers, timeLeft }, inner) => {
      const limit = Math.max(1, Math.ceil(timeLeft))
      const headersTimeout = options.headersTimeout ? Math.min(options.headersTimeout, limit) : limit
      dispatch({ ...options, headers: withHeaders(options.headers, headers), headersTimeout }, inner)
    }
    new RepeatedRequest({ decided, send, handler, origin, again: isKept(options.body) }).run()
    return true
  }
}

module.exports = { interceptor }
