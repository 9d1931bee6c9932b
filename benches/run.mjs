// `npm run bench`: us beside others; docs/benchmarks.md says what is measured and how, and a whole run writes its tables.
//
//   --only grpc|http|verify|load  a part; with it, or with what follows, nothing is written
//   --inflight N, --plain         some numbers of calls in flight; no TLS
//   --rounds N, --ms N, --warm N  how often, how long, and how long before
//   --addon FILE                  an addon that is built, instead of a release build
//   --short                       everything in tiny rounds, with the tests' addon: whether the bench works
//   --check                       measures nothing: whether docs/bench.json has what it must have
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { installNode } from '../scripts/newer-node.mjs'
import { install, prepare, root } from '../scripts/prepare.mjs'
import { measureCalls } from './calls.mjs'
import { below, faults } from './check.mjs'
import { measureLoad, measureMemory } from './footprint.mjs'
import { describe } from './machine.mjs'
import { TRANSPORTS } from './metrics.mjs'
import { buildPrograms, debugAddon, makePackage } from './package.mjs'
import { startServer } from './processes.mjs'
import { recorded, write } from './report.mjs'
import { measureVerify } from './verify.mjs'

/**
 * What contestants of JavaScript run on. The newest undici and connect-node need 22; with one call in flight fetch is several
 * times slower on 24.17 to 24.19 than before and after, and connect-node loses answers from 24.20 on (nodejs/node#65677).
 */
const NODE = '24.16'

const number = { type: 'string' }
const { values } = parseArgs({
  options: {
    short: { type: 'boolean' }, check: { type: 'boolean' }, plain: { type: 'boolean' }, addon: { type: 'string' },
    only: { type: 'string', multiple: true }, inflight: { type: 'string', multiple: true }, rounds: number, ms: number, warm: number,
  },
})
const PARTS = ['grpc', 'http', 'verify', 'load']
const parts = values.only ?? PARTS
if (!parts.every((part) => PARTS.includes(part))) throw new Error(`--only takes ${PARTS.join(', ')}`)
const whole = Object.keys(values).every((name) => name === 'addon')

// What our verifier remembers has to be less than the tokens there are.
const full = { rounds: 5, ms: 1000, warmUp: 10_000, tokens: 40_000, processes: 15, memory: { processes: 5, ms: 2000 } }
const short = { rounds: 1, ms: 100, warmUp: 0, tokens: 1000, processes: 1, memory: { processes: 1, ms: 100 } }
const chosen = values.short ? short : full
const settings = {
  ...chosen,
  inflight: values.inflight?.map(Number) ?? [1, 16, 64, 256],
  rounds: Number(values.rounds ?? chosen.rounds),
  ms: Number(values.ms ?? chosen.ms),
  warmUp: Number(values.warm ?? chosen.warmUp),
}

async function measure() {
  if (values.short) prepare()
  else install()
  const programs = {
    ...buildPrograms(values.short ? 'dev' : 'release'),
    node: installNode(NODE),
    package: makePackage(values.short ? debugAddon() : values.addon),
    proto: join(root, 'proto'),
  }
  const server = await startServer(programs)
  const results = {}
  try {
    for (const { name, transport, tls } of TRANSPORTS) {
      if (!parts.includes(transport) || (tls && values.plain)) continue
      results[name] = await measureCalls(programs, server, transport, tls, { ...settings, log: log(name) })
    }
    if (parts.includes('verify')) results.verify = await measureVerify(programs, { ...settings, log: log('verify') })
    if (parts.includes('load')) {
      results.load = await measureLoad(programs, settings)
      console.error(results.load)
      results.memory = await measureMemory(programs, server, settings.memory)
      console.error(results.memory)
    }
  } finally {
    await server.stop()
  }
  return { results, machine: describe(programs.node) }
}

/** Shows how we stand to each contestant, as it becomes known. */
const log = (part) => (title, figures) => {
  console.error(`\n${part} ${title}`)
  const { us } = figures
  for (const [name, { rate, cpu }] of Object.entries(figures)) {
    const ratios = name === 'us' ? '' : `we make ${(us.rate / rate).toFixed(2)} times its calls, each for 1/${(cpu / us.cpu).toFixed(2)} of its CPU`
    console.error(`  ${name.padEnd(14)}${Math.round(rate).toString().padStart(8)}/s ${(cpu * 1e6).toFixed(2).padStart(8)} µs of CPU  ${ratios}`)
  }
}

if (values.check) {
  const missed = below(recorded())
  for (const line of missed) console.log(line)
  process.exitCode = missed.length === 0 ? 0 : 1
} else {
  const { results, machine } = await measure()
  if (whole) write(results, machine)
  if (values.short) {
    const { passed, failures } = faults(results)
    for (const failure of failures) console.log(`FAILED: ${failure}`)
    console.log(`${passed} passed, ${failures.length} failed`)
    process.exitCode = failures.length === 0 ? 0 : 1
  } else if (whole) {
    for (const line of below(recorded())) console.log(line)
  }
}
