// How many attempts the documented back-off allows (src/slot.rs): after a failure, as long as the failing has lasted, at
// least 1 s and at most 32 s, less up to a half by chance.

const [SHORTEST, LONGEST] = [1, 32]

/** How late an attempt may be: callers ask all the time, but the machine is busy. */
const LATE = 1

/** In an outage with callers all the time and no token left: the fewest attempts in so many seconds, and the most in all that it took. */
export function attemptsAllowed(seconds, all) {
  return [attempts(seconds, 1, LATE), attempts(all, 0.5, 0)]
}

function attempts(seconds, part, late) {
  let count = 0
  for (let at = 0; at <= seconds; count += 1) {
    at += Math.min(Math.max(at, SHORTEST), LONGEST) * part + late
  }
  return count
}
