'use strict'
// How long a command waits.

const { within } = require('../check.js')

/** The error for what has not come in time. */
function late(what, timeout) {
  const { AuthError } = require('../index.js')
  return new AuthError(`no ${what} within ${timeout / 1000} s`, { code: 'AUTH_TIMEOUT', transient: true, hint: 'Try again, or allow more time.' })
}

module.exports = { late, within }
