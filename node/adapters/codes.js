'use strict'
// Our kinds of errors as gRPC's status codes, for those that no server has given one to.

const CODES = {
  AUTH_CANCELLED: 1,
  AUTH_INVALID_ARGUMENT: 3,
  AUTH_TIMEOUT: 4,
  AUTH_NOT_FOUND: 5,
  AUTH_ALREADY_EXISTS: 6,
  AUTH_PERMISSION_DENIED: 7,
  AUTH_RATE_LIMITED: 8,
  AUTH_INSECURE_TRANSPORT: 9,
  AUTH_UNIMPLEMENTED: 12,
  AUTH_INTERNAL: 13,
  AUTH_PROTOCOL: 13,
  AUTH_EXCHANGE_UNAVAILABLE: 14,
  AUTH_TLS: 14,
  AUTH_UNAVAILABLE: 14,
  AUTH_INVALID_CREDENTIALS: 16,
  AUTH_INVALID_KEY: 16,
  AUTH_INVALID_TOKEN: 16,
  AUTH_KEY_EXPIRED: 16,
  AUTH_MISSING_CREDENTIALS: 16,
  AUTH_TOKEN_EXPIRED: 16,
  AUTH_TOKEN_NOT_YET_VALID: 16,
  AUTH_UNKNOWN_ISSUER: 16,
}

const UNKNOWN = 2

/** The gRPC status code of an error: the server's, or the one that fits its kind. */
const grpcCode = (error) => error.grpcCode ?? CODES[error.code] ?? UNKNOWN

module.exports = { grpcCode }
