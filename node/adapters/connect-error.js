'use strict'
// Our errors as those of @connectrpc/connect, whose codes are gRPC's.

const { AuthError } = require('../index.js')
const { redact } = require('./auth.js')
const { grpcCode } = require('./codes.js')

/** Where gRPC has its message once more, encoded. */
const REPEATED = ['grpc-message', 'grpc-status-details-bin']

/** One of Connect's errors without what was sent, and with this cause instead of its own. */
function shown(error, credentials, cause = error.cause) {
  const { ConnectError } = require('@connectrpc/connect')
  if (!(error instanceof ConnectError)) return error
  const message = redact(error.rawMessage, credentials)
  if (message === error.rawMessage && cause === error.cause) return error
  const metadata = new Headers()
  for (const [name, value] of error.metadata) {
    if (message === error.rawMessage || !REPEATED.includes(name)) metadata.append(name, redact(value, credentials))
  }
  const made = new ConnectError(message, error.code, metadata, undefined, cause)
  made.details = error.details
  return made
}

/**
 * An AuthError as a ConnectError, with the AuthError as its cause; with the server's own words and details where it is about the
 * answer of `last`.
 */
function connectError(error, last, credentials) {
  const { Code, ConnectError } = require('@connectrpc/connect')
  if (!(error instanceof AuthError)) return shown(error, credentials)
  const code = grpcCode(error)
  if (last?.code === code) return shown(last, credentials, error)
  return new ConnectError(error.message, code in Code ? code : Code.Unknown, undefined, undefined, error)
}

/** Whether a method may be carried out twice, as its .proto file says. */
function isIdempotent({ idempotency }) {
  const { MethodOptions_IdempotencyLevel: Level } = require('@bufbuild/protobuf/wkt')
  return idempotency === Level.NO_SIDE_EFFECTS || idempotency === Level.IDEMPOTENT
}

module.exports = { connectError, isIdempotent, shown }
