// What a run writes: docs/bench.json, and the tables of docs/benchmarks.md and the README, which show what is in it.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { root } from '../scripts/prepare.mjs'
import { BARS, metrics, TRANSPORTS } from './metrics.mjs'

const JSON_FILE = join(root, 'docs', 'bench.json')
const INFLIGHT = [1, 16, 64, 256]

/** The rivals' names as people know them. */
const NAMES = {
  grpcjs: '@grpc/grpc-js', connect: '@connectrpc/connect-node', tonic: 'tonic (Rust)', fetch: 'fetch', undici: 'undici',
  nodehttp: 'node:http', hyper: 'hyper (Rust)', fastjwt: 'fast-jwt', jose: 'jose', nodecrypto: 'node:crypto',
}

/** Rounded to three digits, as more would say what is not known. */
const rounded = (found) => Object.fromEntries(Object.entries(found).map(([name, value]) => [name, Number(value.toPrecision(3))]))

/** The figures of the last whole run. */
export const recorded = () => JSON.parse(readFileSync(JSON_FILE, 'utf8'))

export function write(results, machine) {
  const figures = rounded(metrics(results))
  writeFileSync(JSON_FILE, `${JSON.stringify(figures, null, 2)}\n`)
  for (const { file, name, text } of sections(figures)) replace(file, name, text)
  replace('docs/benchmarks.md', 'machine', `Measured on ${new Date().toISOString().slice(0, 10)}: ${machine}.`)
}

/** The generated tables that are not what the figures say. */
export const stale = (figures) =>
  sections(figures).filter(({ file, name, text }) => section(readFileSync(join(root, file), 'utf8'), name).found !== text)

const sections = (figures) => [
  { file: 'README.md', name: 'bench', text: summary(figures) },
  { file: 'docs/benchmarks.md', name: 'calls', text: calls(figures) },
  { file: 'docs/benchmarks.md', name: 'verify', text: verify(figures) },
  { file: 'docs/benchmarks.md', name: 'footprint', text: footprint(figures) },
  { file: 'docs/benchmarks.md', name: 'bars', text: bars(figures) },
]

const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
/** Two digits: what differs between two runs is left out. */
const short = (value) => (value < 10 ? value.toPrecision(2) : value.toFixed(0))
const times = (value) => `${short(value)}x`
/** How many times as many calls a second, and how many times less CPU for one. */
const both = (figures, name, rival) => `${short(figures[`${name}.calls_vs_${rival}`])} · ${short(figures[`${name}.cpu_vs_${rival}`])}`

function summary(figures) {
  const call = (rival, transport) => [
    `${transport} call, beside ${NAMES[rival]}`, ...[1, 64, 256].map((c) => both(figures, `${transport === 'gRPC' ? 'grpc' : 'http'}.c${c}`, rival)),
  ]
  const calls = [call('grpcjs', 'gRPC'), call('connect', 'gRPC'), call('tonic', 'gRPC'), call('fetch', 'HTTP'), call('undici', 'HTTP'), call('hyper', 'HTTP')]
  return `${table(['calls a second · CPU per call', '1 in flight', '64', '256'], calls)}

${table(
  ['also', 'we are better by'],
  [
    ['new tokens verified (ES256), 64 in flight on two cores, beside fast-jwt', times(figures['verify.cold_vs_fastjwt'])],
    ['a token seen before, beside fast-jwt with its cache', times(figures['verify.cached_vs_fastjwt'])],
    ['time of `require`, beside @grpc/grpc-js with proto-loader', times(figures['load.time_vs_grpcjs'])],
    ['memory of the process at 64 calls in flight, beside @grpc/grpc-js', times(figures['memory.c64_vs_grpcjs'])],
  ],
)}`
}

function calls(figures) {
  return TRANSPORTS.map(({ transport, tls }) => {
    const suffix = tls ? '.tls' : ''
    const start = `${transport}.c64${suffix}.calls_vs_`
    const rivals = Object.keys(figures).filter((name) => name.startsWith(start)).map((name) => name.slice(start.length))
    const rows = rivals.map((rival) => [NAMES[rival], ...INFLIGHT.map((c) => both(figures, `${transport}.c${c}${suffix}`, rival))])
    const title = `${transport === 'grpc' ? 'gRPC' : 'HTTP'}, ${tls ? 'TLS' : 'plaintext'}`
    return table([title, ...INFLIGHT.map((c) => `${c} in flight`)], rows)
  }).join('\n\n')
}

function verify(figures) {
  const rows = ['fastjwt', 'jose', 'nodecrypto'].map((rival) => [
    NAMES[rival],
    ...['cold', 'cold_one_core', 'cold_serial'].map((kind) => times(figures[`verify.${kind}_vs_${rival}`])),
    ...['cached', 'cached_64'].map((kind) => (rival === 'fastjwt' ? times(figures[`verify.${kind}_vs_${rival}`]) : '')),
  ])
  return table(['beside', 'never seen, 64 in flight', 'the same on one core', 'never seen, one by one', 'seen before, one by one', 'seen before, 64 in flight'], rows)
}

function footprint(figures) {
  const load = ['grpcjs', 'undici', 'fastjwt', 'jose'].map((rival) => [
    `\`require\` of ${rival === 'grpcjs' ? '@grpc/grpc-js and proto-loader' : NAMES[rival]}`,
    times(figures[`load.time_vs_${rival}`]), times(figures[`load.memory_vs_${rival}`]),
  ])
  const memory = ['grpcjs', 'connect', 'http.fetch', 'http.undici', 'http.nodehttp'].map((name) => {
    const [rival, of = ''] = name.split('.').reverse()
    return [`64 calls in flight with ${NAMES[rival]}`, '', times(figures[`memory.${of && `${of}.`}c64_vs_${rival}`])]
  })
  const mb = (name) => `${figures[name]} MB`
  return `${table(['beside', 'time', 'memory'], [...load, ...memory])}

\`require\` of us takes ${mb('load.memory_mb')}. A process of ours at 64 calls in flight has ${mb('memory.c64_mb')} over gRPC, \
${mb('memory.http.c64_mb')} over HTTP; a Node.js that does nothing has ${mb('memory.bare_mb')}.`
}

function bars(figures) {
  const rows = BARS.map(({ name, must, goal, upTo, holds, reached }) => {
    const value = figures[name]
    const limit = (of) => (of === undefined ? '' : `${upTo ? '<=' : '>='} ${Number(of.toPrecision(2))}`)
    return [`\`${name}\``, value, limit(must), limit(goal), reached(value) ? 'goal' : holds(value) ? 'yes' : 'no']
  })
  return table(['figure', 'measured', 'must', 'goal', 'reached'], rows)
}

/** What stands between `<!-- NAME -->` and `<!-- /NAME -->`. */
function section(text, name) {
  const [opening, closing] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`]
  const start = text.indexOf(opening) + opening.length
  const end = text.indexOf(closing)
  if (start < opening.length || end < start) throw new Error(`no section ${name}`)
  return { found: text.slice(start, end).trimEnd(), with: (other) => `${text.slice(0, start)}${other}\n${text.slice(end)}` }
}

function replace(file, name, text) {
  const path = join(root, file)
  writeFileSync(path, section(readFileSync(path, 'utf8'), name).with(text))
}
