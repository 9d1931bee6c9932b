'use strict'
// Credentials for clients of @connectrpc/connect: an interceptor for its own transports, and a transport on our native channel.

const { METADATA, late, readAuth } = require('./auth.js')
const { connectError, isIdempotent, shown } = require('./connect-error.js')
const { createTransport } = require('./connect-transport.js')
const { isUnsent } = require('./http.js')

const CANCELED = 1

/** Over gRPC and gRPC-Web credentials are metadata, over Connect's own protocol an HTTP header. */
const isGrpc = (header) => (header.get('content-type') ?? '').startsWith('application/grpc')

/** The message of a request, or the only one that a stream begins with, for as many attempts as it takes. */
async function kept(request) {
  if (!request.stream) return () => request.message
  const messages = []
  for await (const message of request.message) messages.push(message)
  return async function* () {
    yield* messages
  }
}

/** The request with credentials, and until when it is waited for. */
function prepared(request, message, { headers, metadata, timeLeft }) {
  const header = new Headers(request.header)
  const grpc = isGrpc(header)
  if (grpc) for (const name of METADATA) header.delete(name)
  const sent = grpc ? metadata : headers
  for (const [name, value] of Object.entries(sent)) header.set(name, value)
  // A stream may last.
  if (request.stream) return { made: { ...request, header, message }, sent, ended() {} }
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(late(new URL(request.url).origin)), timeLeft)
  const signal = AbortSignal.any([request.signal, limit.signal])
  return { made: { ...request, header, message, signal }, sent, ended: () => clearTimeout(timer) }
}

/** The answer with its messages from here on; `failed` throws what is shown of an error. */
function watched(response, messages, failed) {
  async function* read() {
    try {
      for (;;) {
        const step = await messages.next()
        if (step.done) return
        yield step.value
      }
    } catch (error) {
      await failed(error)
    }
  }
  return { ...response, message: read() }
}

/** An iterator that begins with this step. */
const from = (first, rest) => {
  const steps = [first]
  return { next: () => (steps.length > 0 ? Promise.resolve(steps.pop()) : rest.next()) }
}

/**
 * What happened, as CallAuth takes it: what a server has said, or that there was none. A connection that ends is a stream that was
 * cancelled, in Node.js's words.
 */
function failureOf({ code, rawMessage, metadata, cause, isWireError }) {
  if (typeof cause?.code === 'string' || (code === CANCELED && !isWireError)) return { message: rawMessage, unsent: isUnsent(cause) }
  return { grpcCode: code, message: rawMessage, headers: Object.fromEntries(metadata) }
}

/** An interceptor for any transport. Of a stream of answers the first one decides whether the call was taken. */
function interceptor(given) {
  const { auth } = readAuth(given)
  return (next) => async (request) => {
    const { ConnectError } = require('@connectrpc/connect')
    const { methodKind } = request.method
    // Of what is sent bit by bit nothing is kept, so it is not made again.
    const again = methodKind === 'unary' || methodKind === 'server_streaming'
    let last, credentials
    try {
      auth.check(request.url)
      const decided = auth.begin({ idempotent: isIdempotent(request.method), signal: request.signal })
      const message = again ? await kept(request) : () => request.message
      for (;;) {
        const ready = await decided.next()
        const { made, sent, ended } = prepared(request, message(), ready)
        credentials = sent
        const failed = (error) => {
          last = ConnectError.from(error)
          return decided.failed(failureOf(last))
        }
        try {
          const response = await next(made)
          if (!response.stream) {
            decided.succeeded()
            return response
          }
          const messages = response.message[Symbol.asyncIterator]()
          if (!again) {
            return watched(response, messages, async (error) => {
              await failed(error).catch((cause) => Promise.reject(connectError(cause, last, sent)))
              throw shown(error, sent)
            })
          }
          const first = await messages.next()
          decided.succeeded()
          return watched(response, from(first, messages), (error) => Promise.reject(shown(error, sent)))
        } catch (error) {
          // The time is over, or nobody waits any more.
          if (made.signal.aborted) throw made.signal.reason
          await failed(error)
          if (!again) throw error
        } finally {
          ended()
        }
      }
    } catch (error) {
      throw connectError(error, last, credentials)
    }
  }
}

module.exports = { createTransport, interceptor }
