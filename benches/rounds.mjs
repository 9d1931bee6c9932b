// Contestants beside each other, a round of each in turn, so that what the machine does beside it meets them all.
import { startContestant } from './processes.mjs'

/**
 * The medians of each contestant in each kind of round.
 * @param {object[]} contestants  who takes part; see startContestant
 * @param {object} setup  what each has to know
 * @param {{title: string}[]} kinds  what is measured
 * @param {{rounds: number, ms: number, warmUp: number, log: Function, env: object}} settings  how often, and how long each
 * @returns {Promise<Record<string, Record<string, {rate: number, cpu: number}>>>}  calls a second, and CPU per call in seconds
 */
export async function interleave(programs, contestants, setup, kinds, { rounds, ms, warmUp, log, env }) {
  const running = []
  try {
    for (const contestant of contestants) {
      const started = await startContestant(programs, contestant, setup, env)
      running.push(started)
      // All of what will be asked of it.
      for (const kind of kinds) if (warmUp > 0) await started.round({ ...kind, ms: warmUp / kinds.length })
    }
    const medians = {}
    for (const kind of kinds) {
      const figures = Object.fromEntries(running.map(({ name }) => [name, []]))
      for (let round = 0; round < rounds; round += 1) {
        for (const contestant of running) figures[contestant.name].push(await contestant.round({ ...kind, ms }))
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
