'use strict'
// What goes into a request: bodies, queries, headers and metadata. What cannot be sent as it is meant is refused rather
// than sent as `{}`, `[object Object]` or nothing. No message holds a value: it may be a secret.

const { isAnyArrayBuffer, isSharedArrayBuffer } = require('node:util/types')

/** Its text is the message alone: the addon puts the field's name in front. */
class Refusal extends Error {}
Object.defineProperty(Refusal.prototype, 'name', { value: '' })

/** An object literal, of this realm or another one, as Node-RED's function nodes have their own. */
function isPlain(value) {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
}

/** A name for what was passed, never its content. */
function describe(value) {
  if (typeof value !== 'object') return `a ${typeof value}`
  if (Array.isArray(value)) return 'a list'
  const name = isPlain(value) ? undefined : value.constructor?.name
  return typeof name === 'string' && name !== '' ? `a ${name}` : 'an object'
}

/** An object as bytes or as JSON. */
function body(value) {
  if (ArrayBuffer.isView(value)) return bytes(value.buffer, value.byteOffset, value.byteLength)
  if (isAnyArrayBuffer(value)) return bytes(value, 0, value.byteLength)
  if (typeof value.toJSON !== 'function' && !Array.isArray(value) && !isPlain(value)) {
    const instead = value instanceof URLSearchParams ? 'String(params) with its own content-type header' : 'a string, bytes, a plain object or a list'
    throw new Refusal(`cannot be ${describe(value)}; pass ${instead}`)
  }
  const text = JSON.stringify(value)
  if (text === undefined) throw new Refusal('cannot be written as JSON')
  return text
}

function bytes(buffer, offset, length) {
  const view = new Uint8Array(buffer, offset, length)
  // Other threads may write into it meanwhile.
  return isSharedArrayBuffer(buffer) ? view.slice() : view
}

/** A value as text; undefined for one to leave out. */
function text(name, value, expected) {
  if (value === undefined || value === null) return undefined
  if (['string', 'number', 'boolean', 'bigint'].includes(typeof value)) return String(value)
  throw new Refusal(`${JSON.stringify(name)} must be ${expected}, not ${describe(value)}`)
}

function plain(value, instead) {
  if (Array.isArray(value) || !isPlain(value)) throw new Refusal(`must be ${instead}, not ${describe(value)}`)
  return Object.entries(value)
}

/** `{ limit: 1, tag: ['a', 'b'] }` as `limit=1&tag=a&tag=b`. */
function query(value) {
  if (value instanceof URLSearchParams) return value.toString()
  const written = new URLSearchParams()
  for (const [name, given] of plain(value, 'a plain object or URLSearchParams')) {
    for (const each of Array.isArray(given) ? given : [given]) {
      const one = text(name, each, 'a string, a number, true or false, or a list of these')
      if (one !== undefined) written.append(name, one)
    }
  }
  return written.toString()
}

/** The names and values of headers or metadata. */
function entries(value) {
  return plain(value, 'a plain object, such as Object.fromEntries(headers)')
    .map(([name, each]) => [name, text(name, each, 'a string, a number, true or false')])
    .filter(([, each]) => each !== undefined)
}

module.exports = { Refusal, body, describe, entries, isPlain, query }
