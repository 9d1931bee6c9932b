'use strict'
// How long ago, or how far off.

const UNITS = [[86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'min'], [1000, 's']]

/** A time in ms for a person, in the largest unit of which there is a whole one: `3 d`. */
function since(ms) {
  const [length, unit] = UNITS.find(([length]) => ms >= length) ?? UNITS.at(-1)
  return `${Math.max(1, Math.floor(ms / length))} ${unit}`
}

module.exports = { since }
