'use strict'
// The Things Stack's calls that come as more than one promise, or have a name of their own: the registries and what comes
// piece by piece. The addon's readers give what has come so far.

/** What a reader gives, one by one. It is made when the first is asked for, and closed with the last. */
function read(open, signal) {
  let reader
  async function* given() {
    reader = open()
    try {
      for (;;) {
        const pieces = await reader.next({ signal })
        if (pieces === null) return
        yield* pieces
      }
    } finally {
      reader.close()
    }
  }
  const iterator = given()
  const end = iterator.return
  // A generator ends itself only between two pieces, and the next one may never come.
  iterator.return = (value) => {
    reader?.close()
    return end.call(iterator, value)
  }
  return iterator
}

/** The registry of this name. */
function registry(native, client, name) {
  const call = (method) => (request, options) => native.registryCall(client, name, method, request, options)
  return {
    list: (request = {}, options) => read(() => native.registryList(client, name, request, options), options?.signal),
    get: call('get'),
    create: call('create'),
    update: call('update'),
    delete: call('delete'),
  }
}

/** What is told when a stream broke: an error, or nothing if the server ended it. */
function reconnecting(onReconnect) {
  if (typeof onReconnect !== 'function') return onReconnect
  const { AuthError } = require('./error.js')
  return (text) => {
    if (text === '') return onReconnect(null)
    const { message, ...fields } = JSON.parse(text, (_name, value) => value ?? undefined)
    return onReconnect(new AuthError(message, fields))
  }
}

function events(native, client, request, options) {
  const told = { ...options, onReconnect: reconnecting(options?.onReconnect) }
  return read(() => native.openEvents(client, request, told), options?.signal)
}

/** Over gRPC `(method, message, options)`, over HTTP a request. */
function stream(native, client, first, message, options) {
  if (typeof first !== 'object' || first === null) return read(() => native.openStream(client, first, message, options), options?.signal)
  return read(() => native.openLines(client, first), first.signal)
}

module.exports = { events, registry, stream }
