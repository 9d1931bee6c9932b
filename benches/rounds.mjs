// Contestants beside each other, a round of each in turn, so that what the machine does beside it meets them all.
import { startContestant } from './processes.mjs'

/** Which part of the first warm-up there is before each other kind of round. */
const AGAIN = 0.2

/** A round that lasts so much longer, in seconds, is worth a word. */
const LATE = 0.5

/**
 * The medians of each contestant in each kind of round.
 * @param {object[]} contestants  who takes part; see startContestant
 * @param {object} setup  what each has to know
 * @param {{title: string}[]} kinds  what is measured
 * @param {{rounds: number, ms: number, warmUp: number, log: Function}} settings  how often, and how long each; and see startContestant
 * @returns {Promise<Record<string, Record<string, {rate: number, cpu: number}>>>}  calls a second, and CPU per call in seconds
 */
export async function interleave(programs, contestants, setup, kinds, { rounds, ms, warmUp, log, ...how }) {
  const running = []
  try {
    for (const contestant of contestants) running.push(await startContestant(programs, contestant, setup, how))
    const medians = {}
    for (const [n, kind] of kinds.entries()) {
      // Not for all kinds at first: pools would have more connections than the first kinds need.
      const before = n === 0 ? warmUp : warmUp * AGAIN
      for (const { round } of running) if (before > 0) await round({ ...kind, ms: before })
      const figures = Object.fromEntries(running.map(({ name }) => [name, []]))
      for (let round = 0; round < rounds; round += 1) {
        for (const contestant of running) {
          const figure = await contestant.round({ ...kind, ms })
          figures[contestant.name].push(figure)
          // A round ends with the last of its calls.
          const late = figure.seconds - ms / 1000
          if (late > LATE) console.error(`${contestant.name}: a call of ${kind.title} ended ${late.toFixed(1)} s late`)
        }
      }
      medians[kind.title] = Object.fromEntries(Object.entries(figures).map(([name, list]) => [name, summary(list)]))
      log(kind.title, medians[kind.title])
    }
    return medians
  } finally {
    await Promise.all(running.map(({ stop }) => stop()))
  }
}

const summary = (rounds) => ({
  rate: median(rounds.map(({ calls, seconds }) => calls / seconds)),
  cpu: median(rounds.map(({ calls, cpu }) => cpu / calls)),
})

/** The middle one. */
export function median(numbers) {
  const sorted = numbers.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
