// `npm run bench`: us beside others. See docs/benchmarks.md, which it writes.
import { parseArgs } from 'node:util'
import { join } from 'node:path'

import { newerNode } from '../scripts/newer-node.mjs'
import { install, prepare, root } from '../scripts/prepare.mjs'
import { measureCalls } from './calls.mjs'
import { buildPrograms, debugAddon, makePackage } from './package.mjs'
import { startServer } from './processes.mjs'

const { values } = parseArgs({
  options: {
    short: { type: 'boolean' },
    only: { type: 'string', multiple: true },
    addon: { type: 'string' },
    inflight: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    ms: { type: 'string' },
    warm: { type: 'string' },
    plain: { type: 'boolean' },
  },
})
const full = { inflight: [1, 16, 64, 256], rounds: 5, ms: 1500, warmUp: 10_000 }
const short = { inflight: [1, 64], rounds: 1, ms: 200, warmUp: 0 }
const chosen = values.short ? short : full
const settings = {
  inflight: values.inflight?.map(Number) ?? chosen.inflight,
  rounds: Number(values.rounds ?? chosen.rounds),
  ms: Number(values.ms ?? chosen.ms),
  warmUp: Number(values.warm ?? chosen.warmUp),
  log,
}

/** Times the first contestant is better than each. */
function log(title, figures) {
  console.log(`\n${title}`)
  const { us } = figures
  for (const [name, { rate, cpu }] of Object.entries(figures)) {
    const ratios = name === 'us' ? '' : `we make ${(us.rate / rate).toFixed(2)} times its calls, for 1/${(cpu / us.cpu).toFixed(2)} of its CPU`
    console.log(`  ${name.padEnd(10)} ${Math.round(rate).toString().padStart(8)} calls/s ${(cpu * 1e6).toFixed(1).padStart(8)} us of CPU  ${ratios}`)
  }
}

values.short ? prepare() : install()
const programs = {
  ...buildPrograms('release'),
  node: newerNode(24),
  package: makePackage(values.short ? debugAddon() : values.addon),
  proto: join(root, 'proto'),
}
const server = await startServer(programs)
try {
  for (const transport of values.only ?? ['grpc', 'http']) {
    for (const tls of values.plain ? [false] : [false, true]) await measureCalls(programs, server, transport, tls, settings)
  }
} finally {
  await server.stop()
}
