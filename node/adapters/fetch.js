'use strict'
// `authFetch`: fetch with credentials. It answers as fetch does, also 401 and 500, but only when making the request again does
// not help any more.
//
// Credentials never go along to another origin: fetch takes `Authorization` off where a redirect leads to one (Fetch Standard,
// section 4.4, step 14), and what such a server answers counts for nothing here.

const { AuthError } = require('../index.js')
const { invalid, late, readAuth } = require('./auth.js')
const { MAX_BODY, isIdempotent, isUnsent } = require('./http.js')

/** Whether a body can be sent a second time. */
const isKept = (body) =>
  body === undefined ||
  body === null ||
  typeof body === 'string' ||
  body instanceof ArrayBuffer ||
  ArrayBuffer.isView(body) ||
  body instanceof URLSearchParams ||
  body instanceof Blob ||
  body instanceof FormData

/** A Request of whichever fetch. */
const isRequest = (input) => typeof input?.clone === 'function' && typeof input.url === 'string'

/** What is asked for, ready to be asked for more than once. */
function readRequest(input, init = {}) {
  const request = isRequest(input) ? input : undefined
  // Of a Request the body is a stream, whatever it was made of. Its clones are sent: it keeps what they have read of it.
  const cloned = request?.body && init.body === undefined
  return {
    url: new URL(request ? request.url : input),
    method: (init.method ?? request?.method ?? 'GET').toUpperCase(),
    headers: new Headers(init.headers ?? request?.headers),
    signal: (init.signal === undefined ? request?.signal : init.signal) ?? undefined,
    again: cloned || isKept(init.body),
    send: (fetch, changed) => fetch(cloned ? request.clone() : input, { ...init, ...changed }),
  }
}

/** One attempt; the time limit ends when the answer has begun. */
async function attempt(fetch, request, { headers, timeLeft }) {
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(late(request.url.origin)), timeLeft)
  const all = new Headers(request.headers)
  for (const [name, value] of Object.entries(headers)) all.set(name, value)
  const signal = request.signal ? AbortSignal.any([request.signal, limit.signal]) : limit.signal
  try {
    return { response: await request.send(fetch, { headers: all, signal }) }
  } catch (error) {
    return { error }
  } finally {
    clearTimeout(timer)
  }
}

/** The beginning of an answer that says no. What is read here the caller can read all the same. */
async function textOf(response, limit) {
  if (response.body === null) return ''
  const reader = response.clone().body.getReader()
  const stop = () => reader.cancel().catch(() => {})
  const timer = setTimeout(stop, limit)
  const decoder = new TextDecoder()
  let text = ''
  try {
    while (text.length < MAX_BODY) {
      const { done, value } = await reader.read()
      if (done) break
      text += decoder.decode(value, { stream: true })
    }
  } catch {
    // What there is will do.
  }
  clearTimeout(timer)
  stop()
  return text
}

/** Whether it comes from where the credentials went. */
const isOwn = ({ redirected, url }, origin) => !redirected || new URL(url).origin === origin

async function fetchWith({ auth, fetch, request }) {
  const { url, method, signal, again } = request
  auth.check(url.origin)
  signal?.throwIfAborted()
  const decided = auth.begin({ idempotent: isIdempotent(method), signal })
  /** How the last attempt ended, which is the end if there is no next one. */
  let last
  for (;;) {
    let ready
    try {
      ready = await decided.next()
    } catch (error) {
      signal?.throwIfAborted()
      return outcome(last ?? { error })
    }
    last?.response?.body?.cancel().catch(() => {})
    const begun = performance.now()
    last = await attempt(fetch, request, ready)
    const { response, error } = last
    signal?.throwIfAborted()
    if (error instanceof AuthError) throw error
    if (response?.ok) decided.succeeded()
    if (response && (response.status < 400 || !isOwn(response, url.origin))) return response
    const failure = error
      ? { message: String(error?.message), unsent: isUnsent(error) }
      : {
          httpStatus: response.status,
          headers: Object.fromEntries(response.headers),
          body: await textOf(response, Math.max(0, ready.timeLeft - (performance.now() - begun))),
        }
    const repeated = decided.failed(failure).then(() => true, () => false)
    // A body that is gone is not sent again: what was refused is replaced for the next request.
    if (!again || !(await repeated)) {
      signal?.throwIfAborted()
      return outcome(last)
    }
  }
}

function outcome({ response, error }) {
  if (error) throw error
  return response
}

/** A function of fetch's type. */
function authFetch(given) {
  const { auth, own } = readAuth(given, ['fetch'])
  const fetch = own.fetch ?? globalThis.fetch
  if (typeof fetch !== 'function') throw invalid('fetch must be a function')
  return async (input, init) => fetchWith({ auth, fetch, request: readRequest(input, init) })
}

module.exports = { authFetch }
