'use strict'
// A guard for servers of @grpc/grpc-js: an interceptor. Which application a call is about is in its message, so the call's
// metadata, which starts a handler, is held back until the first message is there and judged.

const { AuthError } = require('./error.js')
const { answerOf, applicationOf, asked, readRule } = require('./guard.js')
const { takeMetadata } = require('./presented.js')

/** gRPC's codes. */
const UNIMPLEMENTED = 12
const INTERNAL = 13

/** The claims of those who were let in, by the metadata that their handler has. */
const admitted = new WeakMap()

/** As protoc's generators for JavaScript name it, with and without keepCase, and as methods. */
const applicationIn = (message) => message?.app_id ?? message?.appId ?? message?.getAppId?.()

/** The rule of each method; null for one that is open. */
function readRules(native, options) {
  native.checkRules(options)
  const { rights, appId } = options
  const ruleOf = (right) => (right === null ? null : readRule(native, right === true ? { appId } : { appId, right }))
  return new Map(Object.entries(rights).map(([path, right]) => [path, ruleOf(right)]))
}

/** What a caller is told; what is not its doing is told to the process. */
function statusOf(thrown) {
  const answer = answerOf(thrown)
  if (answer) return { code: answer.grpcCode, details: answer.grpcMessage, metadata: null }
  process.emitWarning(thrown instanceof Error ? thrown : 'the guard of a gRPC server failed: something that is no Error was thrown')
  return { code: INTERNAL, details: 'the server cannot tell who may make this call', metadata: null }
}

/** A call that reaches its handler only once it is judged. What it does not do itself, the call below it does. */
function guarded(call, { take, isOpen, judge }) {
  let listener
  let metadata
  let held
  /** `closed`, `open`, or `over`: refused, or cancelled. */
  let state = 'closed'

  function open() {
    if (state !== 'closed') return
    state = 'open'
    listener.onReceiveMetadata(metadata)
  }
  function refuse(thrown) {
    if (state === 'over') return
    state = 'over'
    call.sendStatus(statusOf(thrown))
  }
  /** The first message, or the end of a request without one, is judged and held; nothing more is read meanwhile. */
  function receive(deliver, message) {
    if (state === 'open') return deliver()
    if (state === 'over') return
    held = deliver
    judge(metadata, message).then(open).catch(refuse)
  }

  const inbound = {
    onReceiveMetadata(received) {
      metadata = received
      try {
        take(metadata)
        if (isOpen()) open()
        else call.startRead()
      } catch (thrown) {
        refuse(thrown)
      }
    },
    onReceiveMessage: (message) => receive(() => listener.onReceiveMessage(message), message),
    onReceiveHalfClose: () => receive(() => listener.onReceiveHalfClose()),
    onCancel() {
      state = 'over'
      listener.onCancel()
    },
  }
  const own = {
    start(handler) {
      listener = handler
      call.start(inbound)
    },
    /** What was read for the judgement is what the handler's first read gets. */
    startRead() {
      if (!held) return call.startRead()
      const deliver = held
      held = undefined
      deliver()
    },
  }
  return new Proxy(call, {
    get(target, name) {
      if (Object.hasOwn(own, name)) return own[name]
      const value = target[name]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** `authenticator.grpc(options)`. */
function grpc(authenticator, native, options) {
  const rules = readRules(native, options)
  const names = native.credentialNames('metadata')
  return ({ path }, call) => {
    const rule = rules.get(path)
    return guarded(call, {
      take: (metadata) => takeMetadata(metadata, names),
      isOpen() {
        if (rule === undefined) throw closed()
        return rule === null
      },
      async judge(metadata, message) {
        const appId = await applicationOf(rule, () => applicationIn(message), message, path)
        admitted.set(metadata, await authenticator.authenticate(takeMetadata(metadata, names), asked('metadata', appId, rule)))
      },
    })
  }
}

/** The refusal of a method that no rule names, as the core's policy has it. */
function closed() {
  const grpcMessage = 'no rule names this route or method'
  const error = new AuthError(grpcMessage, { code: 'AUTH_UNIMPLEMENTED' })
  error.answer = { grpcCode: UNIMPLEMENTED, grpcMessage }
  return error
}

/** `authenticator.claims(call)`. */
const claims = (call) => admitted.get(call?.metadata)

module.exports = { claims, grpc }
