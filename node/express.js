'use strict'
// A guard for Express 4 and 5, Connect, or a server of node:http: middleware that lets only good callers through.

const { answerOf, asError, authenticateRequest, readRule } = require('./guard.js')

function refuse(response, thrown, next) {
  const answer = answerOf(thrown)
  if (!answer || response.headersSent) return next(asError(thrown))
  response.writeHead(answer.status, answer.headers)
  response.end(answer.body)
}

/** `authenticator.express(options)`. */
function express(authenticator, native, options) {
  const rule = readRule(native, options)
  return (request, response, next) => {
    const enter = (claims) => {
      request.auth = claims
      next()
    }
    // Not returned: Express 5 would hear of an error twice, from `next` and from the promise.
    authenticateRequest(authenticator, native, request, request, rule).then(enter, (thrown) => refuse(response, thrown, next))
  }
}

module.exports = { express }
