'use strict'
// The package's entry: loads the addon, gives it what it needs of JavaScript, and dresses its classes. Files that are not
// needed for that are read when they are first used: whoever only calls a Handler needs no guard.

const { existsSync } = require('node:fs')

/** This package's, which the addon's has to be, too. `npm run release:check` compares it with all others. */
const VERSION = '0.1.0'

/** The addon under the name of most platforms, where a clone has it and where npm puts it; nothing if it is not there. */
function addonNearby() {
  const { platform, arch } = process
  // An addon for glibc must not be tried on musl, where it could half work.
  if (platform === 'linux' && existsSync(`/lib/ld-musl-${arch === 'x64' ? 'x86_64' : 'aarch64'}.so.1`)) return undefined
  const name = `${platform}-${arch}${{ linux: '-gnu', win32: '-msvc' }[platform] ?? ''}`
  for (const folder of [__dirname, `${__dirname}/../../ttn-auth-${name}`]) {
    const addon = { exports: {} }
    try {
      // Not by require: finding a file whose whole path is known takes it as long as loading it.
      process.dlopen(addon, `${folder}/ttn-auth.${name}.node`)
    } catch {
      continue
    }
    if (addon.exports.VERSION === VERSION) return addon.exports
  }
  // load.js knows the others, and says what is wrong.
  return undefined
}

const native = addonNearby() ?? require('./load.js').load()

/** What the addon needs of JavaScript: `hooks.js`, which is read when the first of these is called. */
let hooks
const hook = (name) => (hooks ??= require('./hooks.js').hooks(native))[name]
native.register(hook, (...message) => hook('receive')(...message), () => {})

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
    [Symbol.for('nodejs.util.inspect.custom')]: {
      value(_depth, options, inspect) {
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
show(native.CallAuth)
show(native.AuthCall)
show(native.Client, 'address', 'transport')
disposable(native.Client, async function () {
  this.close()
})
show(native.Sandbox, 'grpcAddress', 'grpcsAddress', 'httpAddress', 'httpsAddress', 'accountServer', 'discovery', 'appId', 'devId')
show(native.SandboxStack, 'grpcAddress', 'grpcsAddress', 'httpAddress', 'httpsAddress', 'appId', 'userId')
disposable(native.Sandbox, function () {
  return this.stop()
})

/** A method in JavaScript. */
function method(target, name, value) {
  Object.defineProperty(target, name, { value, writable: true, configurable: true })
}

const { Client } = native
/** Made when it is first asked for, and kept. */
for (const name of ['applications', 'endDevices']) {
  Object.defineProperty(Client.prototype, name, {
    get() {
      const value = require('./stack.js').registry(native, this, name)
      Object.defineProperty(this, name, { value })
      return value
    },
    configurable: true,
  })
}
method(Client.prototype, 'events', function (request, options) {
  return require('./stack.js').events(native, this, request, options)
})
method(Client.prototype, 'stream', function (...given) {
  return require('./stack.js').stream(native, this, ...given)
})

const { Authenticator } = native
show(Authenticator, 'issuers')
const { authenticate } = Authenticator.prototype
let remembering
method(Authenticator.prototype, 'authenticate', function (presented, options) {
  remembering ??= require('./seen.js').remembering(native, authenticate)
  return remembering.call(this, presented, options)
})
method(Authenticator.prototype, 'express', function (options) {
  return require('./express.js').express(this, native, options)
})
method(Authenticator.prototype, 'fastify', function (options) {
  return require('./fastify.js').fastify(this, native, options)
})
method(Authenticator.prototype, 'grpc', function (options) {
  return require('./grpc-server.js').grpc(this, native, options)
})
method(Authenticator.prototype, 'claims', (call) => require('./grpc-server.js').claims(call))

/** fetch with credentials. */
const authFetch = (auth) => require('./adapters/fetch.js').authFetch(auth)
const bulk = (items, task, options) => require('./bulk.js').bulk(items, task, options)

// ESM's lexer finds the name here, and does not see that it becomes a getter, of which it would make none.
module.exports.AuthError = undefined
module.exports.AuthCall = native.AuthCall
const exported = module.exports
Object.defineProperty(exported, 'AuthError', { enumerable: true, get: () => require('./error.js').AuthError })
module.exports.Authenticator = native.Authenticator
module.exports.authFetch = authFetch
module.exports.bulk = bulk
module.exports.Credentials = native.Credentials
module.exports.CallAuth = native.CallAuth
module.exports.Client = native.Client
module.exports.TokenSource = native.TokenSource
module.exports.Sandbox = native.Sandbox
module.exports.SandboxStack = native.SandboxStack
module.exports.version = native.VERSION
