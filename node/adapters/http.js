'use strict'
// What the adapters of HTTP clients share.

/** Methods whose requests may be carried out twice (RFC 9110, section 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])

/** So much of an answer is read to find out why it says no. */
const MAX_BODY = 65_536

/** Errors of Node.js and undici before anything was sent. */
const UNSENT = new Set([
  'EAI_AGAIN', 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'ERR_TLS_CERT_ALTNAME_INVALID', 'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** Whether a request failed before it was sent. The reason may lie some causes deep, or be one of several addresses' errors. */
function isUnsent(error) {
  for (let depth = 0, each = error; each && depth < 5; depth += 1, each = each.cause ?? each.errors?.[0]) {
    if (UNSENT.has(each.code)) return true
  }
  return false
}

const isIdempotent = (method) => IDEMPOTENT.has(method)

module.exports = { MAX_BODY, isIdempotent, isUnsent }
