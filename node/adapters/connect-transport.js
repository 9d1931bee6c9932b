'use strict'
// A transport of @connectrpc/connect on our native channel, so that generated clients have its speed, and what our client does
// with tokens, rate limits and lost connections. Unary calls, and streams of answers.

const { Client } = require('../index.js')
const { invalid } = require('./auth.js')
const { connectError, isIdempotent } = require('./connect-error.js')

/** The only message of a stream that has one. */
async function only(messages) {
  for await (const message of messages) return message
  return undefined
}

/** A transport of a client that is there, or of one with these options, which `close()` closes. */
function createTransport(given) {
  const { Code, ConnectError, createContextValues } = require('@connectrpc/connect')
  const { createMethodUrl, runStreamingCall, runUnaryCall } = require('@connectrpc/connect/protocol')
  const { fromBinary, toBinary } = require('@bufbuild/protobuf')
  if (typeof given !== 'object' || given === null) throw invalid('createTransport must be given options')
  const { client: theirs, interceptors, ...options } = given
  if (theirs !== undefined && !(theirs instanceof Client)) throw invalid('client must be a Client')
  const client = theirs ?? new Client(options)
  if (client.transport !== 'grpc') throw invalid('the client must be one over gRPC: its address begins with grpc:// or grpcs://')
  const baseUrl = client.address.replace(/^grpc/, 'http')

  const path = (method) => `/${method.parent.typeName}/${method.name}`
  const request = (method, header, contextValues) => ({
    service: method.parent,
    method,
    requestMethod: 'POST',
    url: createMethodUrl(baseUrl, method),
    header: new Headers(header),
    contextValues: contextValues ?? createContextValues(),
  })
  const wrap = (error) => connectError(error)
  // As Connect's own transports have it.
  const limit = (timeoutMs) => (timeoutMs > 0 ? timeoutMs : undefined)

  return {
    unary(method, signal, timeoutMs, header, message, contextValues) {
      const timeout = limit(timeoutMs)
      return runUnaryCall({
        interceptors,
        signal,
        timeoutMs: timeout,
        req: { ...request(method, header, contextValues), stream: false, message },
        async next(req) {
          const settings = { metadata: Object.fromEntries(req.header), timeout, idempotent: isIdempotent(method), signal: req.signal }
          try {
            const answer = await client.unary(path(method), toBinary(method.input, req.message), settings)
            const { service } = req
            const [header, trailer] = [new Headers(answer.metadata), new Headers(answer.trailers)]
            return { stream: false, service, method, header, message: fromBinary(method.output, answer.message), trailer }
          } catch (error) {
            throw wrap(error)
          }
        },
      })
    },

    stream(method, signal, timeoutMs, header, messages, contextValues) {
      return runStreamingCall({
        interceptors,
        signal,
        timeoutMs: limit(timeoutMs),
        req: { ...request(method, header, contextValues), stream: true, message: messages },
        async next(req) {
          if (method.methodKind !== 'server_streaming') {
            throw new ConnectError('this transport has no streams of requests', Code.Unimplemented)
          }
          const message = toBinary(method.input, await only(req.message))
          const answers = client.stream(path(method), message, { metadata: Object.fromEntries(req.header), signal: req.signal })
          const [header, trailer] = [new Headers(), new Headers()]
          async function* received() {
            try {
              for await (const answer of answers) yield fromBinary(method.output, answer)
            } catch (error) {
              throw wrap(error)
            }
          }
          return { stream: true, service: req.service, method, header, message: received(), trailer }
        },
      })
    },

    /** Closes the client, if it was made here. */
    close() {
      if (theirs === undefined) client.close()
    },
  }
}

module.exports = { createTransport }
