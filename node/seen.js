'use strict'
// Tokens that an authenticator has verified, by what was presented: one of them takes a look here and at the clock, instead of
// a turn through another thread.
//
// Rust decides. Only what it verified gets in, when it comes again, so no stranger can fill it; only what it allowed is allowed again; how long,
// it says (`goodFor`); and when a signing key changes, it is asked again (`keyChanges`). Access keys never get in. Tokens are
// held here, so this is no property of anything that could be shown.

const { performance } = require('node:perf_hooks')
// A test may have put another one in the place of the global one.
const { setImmediate } = require('node:timers')
const { claimsOf, claimsReader } = require('./claims.js')
const { credential } = require('./presented.js')

/** Half of how many are remembered of a carrier: of tokens of the usual 600 bytes, 2,000 take about 5 MB. */
const HALF = 1000

/** Longer ones are not remembered, nor are they in Rust (verified.rs). */
const MAX_LENGTH = 4096

/** How many questions are remembered of a token. A stranger with a good one could ask about any application. */
const MAX_GRANTS = 16

/** Rust is asked again after so many milliseconds at the latest: somebody may have set the clock that tokens expire by. */
const PATIENCE = 100

/** How many are answered at once in one turn of the event loop: a signature takes about 60 us, on a Raspberry Pi ten times that. */
const AT_ONCE = 16

let budget = AT_ONCE
let goOn

function nextTurn() {
  budget = AT_ONCE
  const next = goOn
  goOn = undefined
  next?.()
}

/**
 * Whether one more is answered at once in this turn. That is the quickest way; but whoever awaits what is there already goes on
 * before anything else does, and a server that is sent many new tokens has other things to do.
 */
function isAtOnce() {
  if (budget === AT_ONCE) setImmediate(nextTurn)
  if (budget === 0) return false
  budget -= 1
  return true
}

/**
 * `ask(here)`, on this thread or the other one. When there is no budget left, one caller waits for the next turn; those beside it go
 * to the other thread, which works beside this one.
 */
function inTurn(ask) {
  if (isAtOnce()) return ask(true)
  return goOn === undefined ? new Promise((resolve) => (goOn = resolve)).then(() => inTurn(ask)) : ask(false)
}

/** Where a text is found: by the end of its signature. To hash all of it takes longer than everything else here. */
function placeOf(text) {
  const end = text.length
  const low = text.charCodeAt(end - 2) ^ (text.charCodeAt(end - 3) << 6) ^ (text.charCodeAt(end - 4) << 12)
  return low ^ (text.charCodeAt(end - 5) << 18) ^ (text.charCodeAt(end - 6) << 24)
}

/**
 * Two generations: when the young one is full it becomes the old one, and the old one is forgotten. What is used moves to
 * the young one.
 */
class Seen {
  #young = new Map()
  #old = new Map()

  find(text) {
    if (text.length > MAX_LENGTH) return undefined
    const place = placeOf(text)
    let entry = this.#young.get(place)
    if (entry === undefined) {
      entry = this.#old.get(place)
      if (entry !== undefined) this.#put(place, entry)
    }
    return entry !== undefined && entry.text === text ? entry : undefined
  }

  /** What Rust has answered. It is asked how long that is good when it is used. */
  add(text, { appId, right }, claims, ticket) {
    if (text.length > MAX_LENGTH) return
    const { grants = [] } = this.find(text) ?? {}
    if (!isGranted(grants, appId, right)) grants.push({ appId, right })
    if (grants.length > MAX_GRANTS) grants.shift()
    this.#put(placeOf(text), { text, claims, ticket, grants, until: 0, changes: 0 })
  }

  remove(text) {
    this.#young.delete(placeOf(text))
    this.#old.delete(placeOf(text))
  }

  #put(place, entry) {
    if (this.#young.size >= HALF) [this.#old, this.#young] = [this.#young, new Map()]
    this.#young.set(place, entry)
  }
}

function isGranted(grants, appId, right) {
  for (let n = 0; n < grants.length; n++) {
    if (grants[n].appId === appId && grants[n].right === right) return true
  }
  return false
}

const NO_OPTIONS = { carrier: 'header', appId: undefined, right: undefined }

/** Options as they are meant; nothing if there is anything to say against them, which Rust says. */
function plainOptions(options) {
  if (options === undefined || options === null) return NO_OPTIONS
  if (typeof options !== 'object') return undefined
  for (const name in options) if (name !== 'carrier' && name !== 'appId' && name !== 'right') return undefined
  const { carrier = 'header', appId, right } = options
  if (carrier !== 'header' && carrier !== 'metadata') return undefined
  if (appId !== undefined && typeof appId !== 'string') return undefined
  // A right that is there and undefined is a misspelt constant, not no right.
  if (right === undefined ? Object.hasOwn(options, 'right') : typeof right !== 'string') return undefined
  return { carrier, appId, right }
}

/** The addon's `authenticate`, with a look here first. */
function remembering(native, authenticate) {
  const names = { header: native.credentialNames('header'), metadata: native.credentialNames('metadata') }
  const memories = new WeakMap()
  const readClaims = claimsReader(native)

  function memoryOf(authenticator) {
    const memory = { keyChanges: native.keyChanges(authenticator), header: new Seen(), metadata: new Seen() }
    memories.set(authenticator, memory)
    return memory
  }

  /** Whether Rust would give it again. The count of changed keys is read first: a key that changes meanwhile is noticed. */
  function isGood(entry, keyChanges) {
    // Where there is no such count, nothing equals it.
    const changes = keyChanges ? Atomics.load(keyChanges, 0) : NaN
    const now = performance.now()
    if (now < entry.until && changes === entry.changes) return true
    const left = native.goodFor(entry.ticket)
    entry.until = now + Math.min(left, PATIENCE)
    entry.changes = changes
    return left > 0
  }

  /** What Rust answers, at once or later, as a promise of claims. Not an async function: most answers are there already. */
  function settled(ask, read) {
    try {
      const answer = ask()
      const isHere = typeof answer === 'string' || Array.isArray(answer)
      return isHere ? Promise.resolve(read(answer)) : answer.then(read)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** A text, or one with a ticket for what could be remembered. */
  const onlyClaims = (answer) => claimsOf(readClaims(typeof answer === 'string' ? answer : answer[0]))

  /** Not in the next turn: what is read of objects is read now. */
  const askAll = (authenticator, presented, options) =>
    settled(() => authenticate.call(authenticator, presented, options, isAtOnce()), onlyClaims)

  function askPlainly(authenticator, text, asked, seen) {
    const { carrier, appId, right } = asked
    const ask = (here) => native.authenticatePlain(authenticator, carrier === 'metadata', text, here, appId, right)
    return settled(() => inTurn(ask), (answer) => {
      if (typeof answer === 'string') return onlyClaims(answer)
      const [claimed, ticket] = answer
      const claims = readClaims(claimed)
      seen.add(text, asked, claims, ticket)
      return claimsOf(claims)
    })
  }

  return function (presented, options) {
    let asked, text
    try {
      asked = plainOptions(options)
      text = asked && credential(presented, names[asked.carrier])
    } catch {
      // A getter of theirs threw: Rust asks again, and says so.
    }
    if (text === undefined) return askAll(this, presented, options)
    const { carrier, appId, right } = asked
    const memory = memories.get(this) ?? memoryOf(this)
    const seen = memory[carrier]
    const entry = seen.find(text)
    if (entry !== undefined && isGranted(entry.grants, appId, right)) {
      if (isGood(entry, memory.keyChanges)) return Promise.resolve(claimsOf(entry.claims))
      seen.remove(text)
    }
    // By what was read here: a getter could say something else the next time.
    return askPlainly(this, text, asked, seen)
  }
}

module.exports = { remembering }
