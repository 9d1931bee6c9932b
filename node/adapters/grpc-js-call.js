'use strict'
// A call of @grpc/grpc-js that may be made more than once: what is sent is kept, and what comes is held back, until it is clear
// that this attempt is the one. Then all is handed through.
//
// Of a stream of answers the first message decides; of a single answer its status.

const { redact } = require('./auth.js')
const { grpcCode } = require('./codes.js')

const [OK, CANCELLED, UNAVAILABLE] = [0, 1, 14]

/** What a stream has sent beyond so many messages is not kept, and the call not made again: they may be large. */
const MAX_KEPT = 64

/** Packets to these stay on this machine. */
const LOCAL = /^unix(-abstract)?:/

/**
 * Whether the channel below speaks TLS. grpc-js tells its interceptors nothing of it, and a call only when it has sent its
 * metadata; so this looks at what it has. Where that is not to be found it counts as plaintext, which is for loopback only.
 */
function isSecure(call) {
  let inner = call
  while (inner?.nextCall) inner = inner.nextCall
  try {
    return inner.call.channel.credentials._isSecure() === true
  } catch {
    return false
  }
}

/** Where a call that has not begun will go, as addresses: `dns:host:port`, `ipv4:1.2.3.4:5,6.7.8.9:5`. */
function addresses(call) {
  const target = call.getPeer()
  const scheme = isSecure(call) ? 'grpcs' : 'grpc'
  if (LOCAL.test(target)) return [`${scheme}://localhost:443`]
  const path = decodeURIComponent(target).replace(/^[a-z][a-z0-9+.-]*:(?!\d+$)(\/\/[^/]*\/)?/i, '')
  // Where there is no port grpc-js takes 443.
  return path.split(',').map((host) => `${scheme}://${/:\d+$/.test(host) ? host : `${host}:443`}`)
}

/** Metadata as text by name; bytes in base64, as they travel. */
function textOf(...sets) {
  const all = {}
  for (const metadata of sets) {
    for (const [name, value] of Object.entries(metadata?.getMap() ?? {})) {
      all[name] = Buffer.isBuffer(value) ? value.toString('base64') : value
    }
  }
  return all
}

/** What happened, as CallAuth takes it: without a connection no server has said anything. */
function failureOf({ code, details, metadata: trailers }, headers) {
  if (code === UNAVAILABLE && /No connection established|^Name resolution failed/.test(details)) return { message: details, unsent: true }
  return { grpcCode: code, message: details, headers: textOf(headers, trailers) }
}

/** Milliseconds until a deadline of grpc-js, a Date or a number; undefined for none. */
function until(deadline) {
  if (deadline === undefined || deadline === null || deadline === Infinity) return undefined
  return Math.max(1, Number(deadline) - Date.now())
}

class RepeatedCall {
  #settings
  #isStream
  #listener
  #metadata
  /** The messages so far, `{ context, message }`, but for those that were sent and are not kept. */
  #sent = []
  #kept = true
  #halfClosed = false
  #wanted = false
  /** The attempt under way, and that which is handed through. */
  #attempt
  #chosen
  #over = false
  #abort = new AbortController()
  /** What the last attempt was made with, to be taken out of texts. */
  #credentials

  constructor(settings) {
    this.#settings = settings
    this.#isStream = settings.options.method_definition.responseStream
  }

  start(metadata, listener = {}) {
    this.#metadata = metadata
    this.#listener = listener
    this.#run()
  }

  sendMessage(message) {
    this.sendMessageWithContext({}, message)
  }

  sendMessageWithContext(context, message) {
    this.#sent.push({ context, message })
    this.#pump()
  }

  halfClose() {
    this.#halfClosed = true
    this.#pump()
  }

  startRead() {
    this.#wanted = true
    this.#attempt?.call.startRead()
  }

  getPeer() {
    return this.#attempt?.call.getPeer() ?? 'unknown'
  }

  getAuthContext() {
    return this.#attempt?.call.getAuthContext?.() ?? null
  }

  cancelWithStatus(code, details) {
    const attempt = this.#attempt
    this.#abort.abort()
    if (attempt === undefined) return this.#end({ code, details })
    this.#chosen ??= attempt
    attempt.call.cancelWithStatus(code, details)
  }

  /** Attempts until one is handed through, or the last one has failed. */
  async #run() {
    const { auth, options, idempotent } = this.#settings
    let status
    try {
      const decided = auth.begin({ timeout: until(options.deadline), idempotent, signal: this.#abort.signal })
      for (;;) {
        const ready = await decided.next()
        if (this.#over) return
        this.#credentials = ready.metadata
        const { ended, metadata } = await this.#try(ready)
        status = ended
        if (this.#abort.signal.aborted) return
        if (status === undefined) return decided.succeeded()
        await decided.failed(failureOf(status, metadata))
        // It cannot be made again: what it has sent is gone.
        if (!this.#kept) return this.#end(this.#shown(status))
        status = undefined
      }
    } catch (error) {
      this.#end(this.#failure(error, status))
    }
  }

  /** One attempt. With `ended` if it failed before it could be handed through. */
  #try({ metadata, timeLeft }) {
    const { auth, options, nextCall, names } = this.#settings
    const limit = this.#isStream ? Infinity : Date.now() + timeLeft
    const call = nextCall({ ...options, deadline: Math.min(limit, Number(options.deadline ?? Infinity)) })
    try {
      for (const address of addresses(call)) auth.check(address)
    } catch (error) {
      // It counts as one of the channel's until it has ended.
      call.cancelWithStatus(CANCELLED, error.message)
      throw error
    }
    const own = this.#metadata.clone()
    for (const name of names) own.remove(name)
    for (const [name, value] of Object.entries(metadata)) own.set(name, value)

    return new Promise((resolve) => {
      const attempt = { call, index: 0, sending: false, halfClosed: false }
      const held = {}
      const hand = () => {
        this.#chosen = attempt
        if (held.metadata) this.#listener.onReceiveMetadata?.(held.metadata)
        if ('message' in held) this.#receive(held.message)
        resolve({})
      }
      this.#attempt = attempt
      call.start(own, {
        onReceiveMetadata: (received) => {
          if (this.#chosen === attempt) this.#listener.onReceiveMetadata?.(received)
          else held.metadata = received
        },
        onReceiveMessage: (message) => {
          if (this.#chosen === attempt) return this.#receive(message)
          held.message = message
          if (this.#isStream) hand()
          // As the client would, which reads on behind an answer to many messages.
          else if (message !== null && options.method_definition.requestStream) call.startRead()
        },
        onReceiveStatus: (ended) => {
          if (this.#chosen !== attempt && ended.code === OK) hand()
          if (this.#chosen === attempt) {
            this.#end(this.#shown(ended))
            return resolve({})
          }
          this.#attempt = undefined
          resolve({ ended, metadata: held.metadata })
        },
      })
      if (this.#wanted) call.startRead()
      this.#pump()
    })
  }

  #receive(message) {
    this.#wanted = false
    this.#listener.onReceiveMessage?.(message)
  }

  /** Sends what the attempt has not sent yet, one by one: grpc-js keeps no more than one that waits. */
  #pump() {
    const attempt = this.#attempt
    if (!attempt || attempt.sending) return
    const next = this.#sent[attempt.index]
    if (next !== undefined) {
      attempt.sending = true
      const callback = (error) => {
        attempt.sending = false
        const { callback: written } = next.context
        // Of a call that is made again it is told once.
        next.context = { ...next.context, callback: undefined }
        written?.(error)
        if (this.#attempt === attempt) this.#pump()
      }
      attempt.index += 1
      this.#forget(attempt)
      attempt.call.sendMessageWithContext({ ...next.context, callback }, next.message)
    }
    if (this.#halfClosed && attempt.index === this.#sent.length && !attempt.halfClosed) {
      attempt.halfClosed = true
      attempt.call.halfClose()
    }
  }

  /** Lets go of what will not be sent again. */
  #forget(attempt) {
    if (attempt.index > MAX_KEPT) this.#kept = false
    if (this.#kept && this.#chosen !== attempt) return
    this.#sent.splice(0, attempt.index)
    attempt.index = 0
  }

  /** A status without what was sent. */
  #shown(status) {
    const details = redact(status.details, this.#credentials)
    // The same once more, in bytes.
    if (details !== status.details) status.metadata.remove('grpc-status-details-bin')
    return { ...status, details }
  }

  /** Our error in the shape of grpc-js's, which the client makes its error of; the server's own words where it has said any. */
  #failure(error, status) {
    const code = grpcCode(error)
    if (status?.code === code) return { ...this.#shown(status), cause: error }
    return { code, details: error.message, metadata: status?.metadata, cause: error }
  }

  #end({ metadata, ...status }) {
    if (this.#over) return
    this.#over = true
    if (metadata) return this.#listener?.onReceiveStatus?.({ ...status, metadata })
    const { Metadata } = require('@grpc/grpc-js')
    const ended = { ...status, metadata: new Metadata() }
    process.nextTick(() => {
      // As grpc-js does, which has nothing to hand on for a single answer that never came.
      if (!this.#isStream) this.#listener?.onReceiveMessage?.(null)
      this.#listener?.onReceiveStatus?.(ended)
    })
  }
}

module.exports = { RepeatedCall }
