// Whether the bench still measures what it says, and whether what is written is what was measured.
import { BARS, metrics } from './metrics.mjs'
import { recorded, stale } from './report.mjs'

/** The figures that are not as good as they must be. */
export const below = (figures) =>
  BARS.filter(({ name, holds }) => !holds(figures[name])).map(({ name, must, upTo }) => `${name} is ${figures[name]}, and must be ${upTo ? 'at most' : 'at least'} ${must}`)

/** What is wrong with a short run of everything, and with what the last whole run wrote. */
export function faults(results) {
  const [measured, written] = [metrics(results), recorded()]
  const names = Object.keys(measured)
  const checks = [
    ...names.map((name) => [Number.isFinite(measured[name]), `${name} was measured as ${measured[name]}`]),
    ...names.map((name) => [Number.isFinite(written[name]), `${name} is ${written[name]} in docs/bench.json`]),
    ...Object.keys(written).map((name) => [name in measured, `${name} is in docs/bench.json, and not measured`]),
    ...BARS.map(({ name }) => [name in measured, `${name} has a bar, and is not measured`]),
    [stale(written).length === 0, `not what docs/bench.json says: ${stale(written).map(({ file, name }) => `${name} in ${file}`)}`],
  ]
  const failures = checks.filter(([holds]) => !holds).map(([, failure]) => failure)
  return { passed: checks.length - failures.length, failures }
}
