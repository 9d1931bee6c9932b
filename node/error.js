'use strict'
// The one error that this package throws and rejects with.

/** `AUTH_TOKEN_EXPIRED` and `token-expired` are the same kind. */
const kindOf = (code) => code.replace(/^AUTH_/, '').toLowerCase().replaceAll('_', '-')

class AuthError extends Error {
  constructor(message, { code = 'AUTH_INTERNAL', transient = false, hint, grpcCode, httpStatus, details, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.kind = kindOf(code)
    this.transient = transient
    // Absent rather than undefined, so that an error prints without noise.
    if (hint !== undefined) this.hint = hint
    if (grpcCode !== undefined) this.grpcCode = grpcCode
    if (httpStatus !== undefined) this.httpStatus = httpStatus
    if (details !== undefined) this.details = details
  }

  toJSON() {
    const { name, message, code, kind, transient, hint, grpcCode, httpStatus, details } = this
    return { name, message, code, kind, transient, hint, grpcCode, httpStatus, details }
  }
}
Object.defineProperty(AuthError.prototype, 'name', { value: 'AuthError', writable: true, configurable: true })

/** Called by the addon; the arguments are those of `ErrorFields` in src/hooks.rs. */
function build(code, _kind, message, hint, transient, grpcCode, httpStatus, causes, reason, details) {
  let cause = reason ?? undefined
  for (const text of [...causes].reverse()) cause = new Error(text, cause === undefined ? undefined : { cause })
  const error = new AuthError(message, {
    code,
    transient,
    hint,
    grpcCode: grpcCode ?? undefined,
    httpStatus: httpStatus ?? undefined,
    details: details ? JSON.parse(details) : undefined,
    cause,
  })
  // The trace begins with who called the addon.
  Error.captureStackTrace(error, build)
  return error
}

/** Called by the addon with how to tell a caller. Not shown with the error: it says the same again. */
function answered(error, status, headers, body, grpcCode, grpcMessage) {
  const value = { status, headers: Object.fromEntries(headers), body, grpcCode, grpcMessage }
  return Object.defineProperty(error, 'answer', { value })
}

module.exports = { AuthError, answered, build }
