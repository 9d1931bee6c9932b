'use strict'
// What the guards of all frameworks share: what a rule is, whom it lets in, and what a caller is told.

const { AuthError } = require('./error.js')
const { takeHeaders } = require('./presented.js')

/** A rule's options, checked when the server is built rather than when somebody calls. */
function readRule(native, options) {
  native.checkRule(options)
  const { appId, right } = options ?? {}
  return { appId: appId ?? undefined, right }
}

/** The application that a call is about. What is no text is no id: it is refused as an empty one is. */
async function applicationOf({ appId, right }, fallback, ...from) {
  const given = typeof appId === 'function' ? await appId(...from) : (appId ?? fallback())
  if (typeof given === 'string') return given
  // A token can be checked without one, a right and a key cannot.
  return right === undefined && (given === undefined || given === null) ? undefined : ''
}

/** What `authenticate` is asked by a rule. No right is no option: one that is undefined would be a mistake. */
const asked = (carrier, appId, { right }) => (right === undefined ? { carrier, appId } : { carrier, appId, right })

/** Who calls over HTTP. The credentials are off the request from then on. */
async function authenticateRequest(authenticator, native, raw, request, rule) {
  const presented = takeHeaders(raw, native.credentialNames('header'))
  const fallback = () => request.params?.app_id ?? request.params?.appId
  const appId = await applicationOf(rule, fallback, request)
  return authenticator.authenticate(presented, asked('header', appId, rule))
}

/** How to tell a caller; nothing where the caller has no part in it, such as an exception in an `appId` function. */
const answerOf = (error) => (error instanceof AuthError ? error.answer : undefined)

/** Something to throw in a framework. Anything else would be a sign of its own there: Express takes `undefined` for "go on". */
const asError = (thrown) => (thrown instanceof Error ? thrown : new Error('the guard failed: something that is no Error was thrown', { cause: thrown }))

module.exports = { answerOf, applicationOf, asError, asked, authenticateRequest, readRule }
