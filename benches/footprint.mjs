// What it costs to load, and how much memory calls take, each in fresh processes.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { CALLERS, setupOf } from './calls.mjs'
import { asClient } from './machine.mjs'
import { startContestant } from './processes.mjs'
import { median } from './rounds.mjs'

const MB = 1024 * 1024

/** Time in milliseconds and MB of `require`, medians of so many processes each, in turn. */
export async function measureLoad(programs, { processes }) {
  const modules = { us: [programs.package], grpcjs: ['@grpc/grpc-js', '@grpc/proto-loader'], undici: ['undici'], fastjwt: ['fast-jwt'], jose: ['jose'] }
  const script = fileURLToPath(new URL('contestants/load.cjs', import.meta.url))
  const figures = Object.fromEntries(Object.keys(modules).map((name) => [name, []]))
  for (let n = 0; n < processes; n += 1) {
    for (const [name, names] of Object.entries(modules)) {
      const { stdout } = await promisify(execFile)(...asClient(programs.node, [script, ...names]))
      figures[name].push(JSON.parse(stdout))
    }
  }
  const summary = (list) => ({ ms: median(list.map(({ ms }) => ms)), mb: median(list.map(({ bytes }) => bytes)) / MB })
  return Object.fromEntries(Object.entries(figures).map(([name, list]) => [name, summary(list)]))
}

/** MB of a process after so long at 64 calls in flight, and of one that does nothing. */
export async function measureMemory(programs, server, { processes, ms }) {
  const javascript = Object.entries(CALLERS).flatMap(([transport, list]) =>
    list.filter(({ file }) => file).map((caller) => ({ ...caller, name: `${transport}.${caller.name}`, transport })),
  )
  const contestants = [{ name: 'bare', file: 'bare', transport: 'grpc' }, ...javascript]
  const figures = Object.fromEntries(contestants.map(({ name }) => [name, []]))
  for (let n = 0; n < processes; n += 1) {
    for (const contestant of contestants) {
      const { round, stop } = await startContestant(programs, contestant, setupOf(server, contestant.transport, false, 64))
      figures[contestant.name].push((await round({ ms, inflight: 64 })).rss)
      await stop()
    }
  }
  return Object.fromEntries(Object.entries(figures).map(([name, list]) => [name, median(list) / MB]))
}
