'use strict'
// The package's entry: loads the addon, gives it what it needs of JavaScript, and dresses its classes.

const { inspect } = require('node:util')
const { bulk } = require('./bulk.js')
const { AuthError } = require('./error.js')
const { express } = require('./express.js')
const { fastify } = require('./fastify.js')
const { claims, grpc } = require('./grpc-server.js')
const { hooks } = require('./hooks.js')
const { version } = require('../package.json')
const native = require('./load.js').load()

native.register(hooks(native))

/** Showing an object never fails, as reading the file of credentials may. */
function read(object, name) {
  try {
    return object[name]
  } catch {
    return undefined
  }
}

/** What `util.inspect` and `JSON.stringify` show of a class: these properties, and nothing else. */
function show(Class, ...names) {
  const shown = (object) => Object.fromEntries(names.map((name) => [name, read(object, name)]))
  Object.defineProperties(Class.prototype, {
    [inspect.custom]: {
      value(_depth, options) {
        return `${Class.name} ${inspect(shown(this), options)}`
      },
    },
    toJSON: {
      value() {
        return shown(this)
      },
    },
  })
}

/** `await using` where there is such a thing. */
function disposable(Class, dispose) {
  if (Symbol.asyncDispose) Object.defineProperty(Class.prototype, Symbol.asyncDispose, { value: dispose })
}

show(native.Credentials, 'kind')
show(native.TokenSource, 'kind')
show(native.Client, 'address', 'transport')
disposable(native.Client, async function () {
  this.close()
})
show(native.Sandbox, 'grpcAddress', 'grpcsAddress', 'httpAddress', 'httpsAddress', 'accountServer', 'discovery', 'appId', 'devId')
disposable(native.Sandbox, function () {
  return this.stop()
})

show(native.Authenticator, 'issuers')
for (const [name, guard] of Object.entries({ express, fastify, grpc })) {
  const value = function (options) {
    return guard(this, native, options)
  }
  Object.defineProperty(native.Authenticator.prototype, name, { value, writable: true, configurable: true })
}
Object.defineProperty(native.Authenticator.prototype, 'claims', { value: claims, writable: true, configurable: true })

module.exports.AuthError = AuthError
module.exports.Authenticator = native.Authenticator
module.exports.bulk = bulk
module.exports.Credentials = native.Credentials
module.exports.Client = native.Client
module.exports.TokenSource = native.TokenSource
module.exports.Sandbox = native.Sandbox
module.exports.version = version
