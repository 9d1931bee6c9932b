// `npm run proof:memory`: memory stays flat over a million calls of every kind, and whoever calls no more costs nothing: our
// thread does not wake up. `--short` for fewer calls. Linux only, for its /proc.
import { fork } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'

import { prepare, root } from './prepare.mjs'

const short = process.argv.includes('--short')
const CALLS = short ? 60_000 : 1_000_000
/** After half a minute the sandbox closes what is idle, and to hear of that is no waking up of our own. */
const IDLE_SECONDS = short ? 5 : 20
const MB = 1024 * 1024

/** What the last fifth may have more than the second, in MB: a leak of 10 bytes a call would be 6 MB of a million. */
const GROWTH = { heap: 3, rss: short ? 12 : 6 }

prepare()
const { Sandbox } = await import('../node/index.js')
const sandbox = await Sandbox.start({ rateLimit: false })
const { grpcAddress, httpAddress, accountServer, accessKey } = sandbox
const tokens = Array.from({ length: 2500 }, () => sandbox.mintToken())
const caller = fork(join(root, 'tests', 'proof', 'memory-caller.mjs'), { execArgv: ['--expose-gc'] })
caller.send({ grpcAddress, httpAddress, accountServer, accessKey, tokens, calls: CALLS })

const fifths = []
await new Promise((resolve, reject) => {
  caller.on('exit', (code) => reject(new Error(`the caller ended with ${code}`)))
  caller.on('message', (memory) => {
    fifths.push(memory)
    if (fifths.length === 5) resolve()
  })
})

/** How often each kind of thread of the caller has waited for something, or was made to wait. */
function switches() {
  const counts = {}
  for (const task of readdirSync(`/proc/${caller.pid}/task`)) {
    const status = readFileSync(`/proc/${caller.pid}/task/${task}/status`, 'utf8')
    const [, name] = /^Name:\t(.*)$/m.exec(status)
    const [, count] = /^voluntary_ctxt_switches:\t(\d+)$/m.exec(status)
    counts[name] = (counts[name] ?? 0) + Number(count)
  }
  return counts
}

// Until what the last calls left is done with.
await after(1000)
const before = switches()
await after(IDLE_SECONDS * 1000)
const wakeups = Object.fromEntries(Object.entries(switches()).map(([name, count]) => [name, count - (before[name] ?? 0)]))
caller.removeAllListeners('exit')
caller.kill('SIGKILL')
await sandbox.stop()

const checks = ['heap', 'rss'].map((what) => {
  const [, second, , , last] = fifths.map((fifth) => fifth[what] / MB)
  const shown = fifths.map((fifth) => (fifth[what] / MB).toFixed(1)).join(' ')
  return { holds: last - second <= GROWTH[what], line: `${what} after each fifth of ${CALLS} calls: ${shown} MB` }
})
checks.push({
  holds: wakeups['ttn-auth'] === 0,
  line: `wake-ups in ${IDLE_SECONDS} s without calls: ${Object.entries(wakeups).map(([name, count]) => `${name} ${count}`).join(', ')}`,
})
for (const { holds, line } of checks) console.log(`${holds ? 'holds' : 'FAILS'}  ${line}`)
const passed = checks.filter(({ holds }) => holds).length
console.log(`${passed} passed, ${checks.length - passed} failed`)
process.exitCode = passed === checks.length ? 0 : 1
