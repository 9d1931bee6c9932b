'use strict'
// Reads the addon's flat text (src/flat.rs, src/flat_writer.rs): many values from one string.

/** Characters of a text outside Latin-1 that are joined in one go: a function takes so many arguments at least. */
const AT_ONCE = 1024

/** What begins a value: `tag` in src/flat_writer.rs. */
const [NULL, FALSE, TRUE, WHOLE, DOUBLE, NARROW, WIDE, LIST, MAP, OBJECT] = Array(10).keys()

/** The reader for one loaded addon: so many values from a text, as a list. */
function flat(native) {
  /** The names of each shape that was seen, and an object that has them. */
  const shapes = []
  const double = new Float64Array(1)
  const bytes = new Uint8Array(double.buffer)
  let text = ''
  let at = 0

  function number() {
    let unit = text.charCodeAt(at++)
    if (unit < 0x80) return unit
    let sum = unit & 0x7f
    // Multiplied, not shifted: it may have 53 bits.
    for (let place = 0x80; unit >= 0x80; place *= 0x80) {
      unit = text.charCodeAt(at++)
      sum += (unit & 0x7f) * place
    }
    return sum
  }

  function narrow() {
    const length = number()
    at += length
    return text.substring(at - length, at)
  }

  function wide() {
    let read = ''
    for (let left = number(); left > 0; ) {
      const units = new Array(Math.min(left, AT_ONCE))
      for (let index = 0; index < units.length; index++) units[index] = text.charCodeAt(at++) | (text.charCodeAt(at++) << 8)
      read += String.fromCharCode.apply(null, units)
      left -= units.length
    }
    return read
  }

  function shape() {
    const id = text.charCodeAt(at++) | (text.charCodeAt(at++) << 7) | (text.charCodeAt(at++) << 14)
    if (shapes[id] !== undefined) return shapes[id]
    const names = native.shape(id)
    shapes[id] = { names, blank: Object.fromEntries(names.map((name) => [name, undefined])) }
    return shapes[id]
  }

  function object() {
    const { names, blank } = shape()
    // A copy has its names already, which is faster than to be given them.
    const read = { ...blank }
    for (let index = 0; index < names.length; index++) read[names[index]] = value()
    return read
  }

  function map() {
    const read = {}
    for (let left = number(); left > 0; left--) {
      const name = value()
      // Assigned, it would become the prototype.
      if (name === '__proto__') Object.defineProperty(read, name, { value: value(), enumerable: true, configurable: true, writable: true })
      else read[name] = value()
    }
    return read
  }

  function list() {
    const read = []
    for (let left = number(); left > 0; left--) read.push(value())
    return read
  }

  function value() {
    switch (text.charCodeAt(at++)) {
      case NARROW:
        return narrow()
      case OBJECT:
        return object()
      case WHOLE:
        return number()
      case TRUE:
        return true
      case FALSE:
        return false
      case NULL:
        return null
      case MAP:
        return map()
      case LIST:
        return list()
      case WIDE:
        return wide()
      case DOUBLE:
        for (let index = 0; index < 8; index++) bytes[index] = text.charCodeAt(at++)
        return double[0]
      default:
        return undefined
    }
  }

  return (written, count) => {
    text = written
    at = 0
    const values = []
    for (let left = count; left > 0; left--) values.push(value())
    // It would be kept until the next one.
    text = ''
    return values
  }
}

module.exports = { flat }
