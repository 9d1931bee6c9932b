'use strict'
// Credentials for clients of @grpc/grpc-js: as call credentials, which its TLS channels take, and as an interceptor, which sees
// answers too, and so makes refused calls again.

const { METADATA, readAuth } = require('./auth.js')
const { grpcCode } = require('./codes.js')
const { RepeatedCall } = require('./grpc-js-call.js')

/** `https://host:port/package.Service` as CallAuth has addresses. grpc-js says https whatever the channel is. */
function addressOf(serviceUrl) {
  const { host, port } = new URL(serviceUrl)
  return `grpcs://${host}${port ? '' : ':443'}`
}

/** Call credentials. They never learn how a call ends: what a server refuses is not replaced, as the interceptor does. */
function callCredentials(given) {
  const { credentials, Metadata } = require('@grpc/grpc-js')
  const { auth } = readAuth(given)
  const generate = async (serviceUrl) => {
    auth.check(addressOf(serviceUrl))
    const { metadata } = await auth.begin().next()
    const made = new Metadata()
    for (const [name, value] of Object.entries(metadata)) made.set(name, value)
    return made
  }
  return credentials.createFromMetadataGenerator(({ service_url }, done) => {
    generate(service_url).then(
      (metadata) => done(null, metadata),
      // grpc-js shows the message, and takes the code only if it is a number.
      (error) => done(Object.assign(new Error(error.message, { cause: error }), { code: grpcCode(error) })),
    )
  })
}

/** A client interceptor. */
function interceptor(given) {
  const { auth, own } = readAuth(given, ['idempotent'])
  const { idempotent = false } = own
  const isIdempotent = typeof idempotent === 'function' ? idempotent : () => idempotent
  return (options, nextCall) =>
    new RepeatedCall({ auth, options, nextCall, names: METADATA, idempotent: Boolean(isIdempotent(options.method_definition.path)) })
}

module.exports = { callCredentials, interceptor }
