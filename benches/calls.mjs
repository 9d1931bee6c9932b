// Calls: contestants beside each other, a round of each in turn, so that what the machine does beside it meets them all.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { startContestant } from './processes.mjs'

/** Who takes part; the first is us. */
const CONTESTANTS = {
  grpc: [
    { name: 'us', file: 'us', argument: 'grpc' },
    { name: 'grpcjs', file: 'grpc-js' },
    { name: 'connect', file: 'connect-node' },
    { name: 'tonic', argument: 'grpc' },
  ],
  http: [
    { name: 'us', file: 'us', argument: 'http' },
    { name: 'fetch', file: 'fetch' },
    { name: 'undici', file: 'undici' },
    { name: 'nodehttp', file: 'node-http' },
    { name: 'hyper', argument: 'http' },
  ],
}

/** Servers look for a token and do not verify it; it is as long as one of the network. */
const TOKEN = `eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.${'eyJpc3MiOiJ0dG4tYWNjb3VudC12MiJ9'.repeat(10)}.${'c2ln'.repeat(21)}c2`

/**
 * Calls a second and seconds of CPU per call of each contestant, by calls in flight: the medians of the rounds.
 * @param {'grpc' | 'http'} transport
 * @returns {Promise<Record<number, Record<string, {rate: number, cpu: number}>>>}
 */
export async function measureCalls(programs, server, transport, tls, { inflight, rounds, ms, warmUp, log }) {
  const folder = mkdtempSync(join(tmpdir(), 'ttn-bench-'))
  const env = { TTN_BENCH_PACKAGE: programs.package, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') }
  writeFileSync(env.NODE_EXTRA_CA_CERTS, server.ca)
  const { ca, descriptors } = server
  const port = server[tls ? `${transport}s` : transport]
  const setup = { port, tls, ca, token: TOKEN, descriptors, most: Math.max(...inflight) }
  const running = []
  try {
    for (const contestant of CONTESTANTS[transport]) {
      const started = await startContestant(programs, contestant, setup, env)
      running.push(started)
      for (const calls of inflight) if (warmUp > 0) await started.round({ ms: warmUp / inflight.length, inflight: calls })
    }
    const medians = {}
    for (const calls of inflight) {
      const figures = Object.fromEntries(running.map(({ name }) => [name, []]))
      for (let round = 0; round < rounds; round += 1) {
        for (const contestant of running) figures[contestant.name].push(await contestant.round({ ms, inflight: calls }))
      }
      medians[calls] = Object.fromEntries(Object.entries(figures).map(([name, list]) => [name, summary(list)]))
      log(`${transport}${tls ? ' TLS' : ''}, ${calls} in flight`, medians[calls])
    }
    return medians
  } finally {
    await Promise.all(running.map(({ stop }) => stop()))
    rmSync(folder, { recursive: true, force: true })
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
