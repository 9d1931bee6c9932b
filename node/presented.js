'use strict'
// What a caller presents: found in headers or metadata of whatever form, and taken out of requests. No message holds a
// value: it may be a secret.

const { Refusal, describe, isPlain } = require('./request.js')

/** What was taken out of a request, so that a second guard of the same request finds it. */
const taken = new WeakMap()

/** A header's values: of a list the first one counts, as of a name that is sent twice. */
function text(name, value) {
  const first = Array.isArray(value) ? value[0] : value
  if (first === undefined || first === null) return undefined
  // grpc-js has a Buffer where the name ends in -bin.
  if (typeof first !== 'string') throw new Refusal(`${JSON.stringify(name)} must be a string, not ${describe(first)}`)
  return first
}

/** `['Host', 'h', 'Key', 'k']` as `[['Host', 'h'], ['Key', 'k']]`; a list of pairs as it is. */
function pairsOf(list) {
  if (list.length > 0 && list.every(Array.isArray)) return list
  return Array.from({ length: Math.ceil(list.length / 2) }, (_, n) => list.slice(2 * n, 2 * n + 2))
}

/** The first value of each of these names, as pairs. */
function first(pairs, names) {
  const found = new Map()
  for (const [given, value] of pairs) {
    const name = String(given).toLowerCase()
    if (!names.includes(name) || found.has(name)) continue
    const one = text(name, value)
    if (one !== undefined) found.set(name, one)
  }
  return [...found]
}

/**
 * What is under these names (in lower case) in Node's headers or rawHeaders, a Fetch Headers, a grpc-js Metadata, a Map,
 * a list of pairs or a plain object. In an object and a list letter case does not matter.
 */
function presented(given, names) {
  if (Array.isArray(given)) return first(pairsOf(given), names)
  if (typeof given.get === 'function') {
    return names.map((name) => [name, text(name, given.get(name))]).filter(([, value]) => value !== undefined)
  }
  if (!isPlain(given)) throw new Refusal(`must be a request's headers or metadata, not ${describe(given)}`)
  return first(Object.entries(given), names)
}

/**
 * The one text that `presented` would find, where that is quickly told: under the first of these names, alone, in a plain
 * object or a list of one pair. Nothing wherever it takes a closer look.
 */
function credential(given, names) {
  const [name] = names
  if (Array.isArray(given)) {
    const pair = given.length === 1 ? given[0] : undefined
    return Array.isArray(pair) && pair[0] === name && typeof pair[1] === 'string' ? pair[1] : undefined
  }
  if (typeof given !== 'object' || given === null || !Object.hasOwn(given, name) || typeof given.get === 'function' || !isPlain(given)) return undefined
  for (const each in given) {
    // Its length first: most names are of none of these.
    if (each !== name && names.some(({ length }) => length === each.length) && names.includes(each.toLowerCase())) return undefined
  }
  const text = given[name]
  return typeof text === 'string' ? text : undefined
}

/**
 * Takes the credentials out of a request of node:http or node:http2, so that no handler, log or proxy behind the guard
 * has them. What `req.headers` has counts; of a name that was sent twice, which it joins, the first value.
 */
function takeHeaders(req, names) {
  const before = taken.get(req)
  if (before) return before
  const { headers, headersDistinct, rawHeaders = [] } = req
  const raw = new Map(first(pairsOf(rawHeaders), names))
  const found = first(Object.entries(headers), names).map(([name, value]) => {
    const once = raw.get(name)
    return [name, once !== undefined && value.startsWith(`${once}, `) ? once : value]
  })
  // Node makes the other two out of rawHeaders when they are first asked for, and counts on its length: it was above.
  for (const name of names) {
    delete headers[name]
    delete headersDistinct?.[name]
  }
  const kept = pairsOf(rawHeaders).filter(([name]) => !names.includes(name.toLowerCase()))
  rawHeaders.splice(0, rawHeaders.length, ...kept.flat())
  // Nothing is nothing: what is put there between two guards counts for the second.
  if (found.length > 0) taken.set(req, found)
  return found
}

/** What The Things Stack issued, by its first part. */
const OF_THE_THINGS_STACK = /^\s*bearer (?:NNSXS|MFRWG|OJSWM|MF2XI|ONZW4)\./i

/** What stands under `authorization` in metadata and is not The Things Stack's is no credential of ours, and stays. */
const isOurs = (metadata, name) => name !== 'authorization' || metadata.get(name).some((value) => OF_THE_THINGS_STACK.test(String(value)))

/** The same for metadata of @grpc/grpc-js. */
function takeMetadata(metadata, all) {
  const before = taken.get(metadata)
  if (before) return before
  const names = all.filter((name) => isOurs(metadata, name))
  const found = presented(metadata, names)
  for (const name of names) metadata.remove(name)
  if (found.length > 0) taken.set(metadata, found)
  return found
}

module.exports = { credential, presented, takeHeaders, takeMetadata }
