// `npm run fuzz -- SECONDS [TARGET..]`: fuzzes what strangers send, each target of fuzz/ for so long; one line of figures for
// each, and one that counts them. Needs nightly Rust and cargo-fuzz, which nothing else here does.
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { root } from './prepare.mjs'

const TARGETS = ['carrier', 'token', 'key']

/** A good token's and more: longer inputs find nothing that shorter ones do not, and take longer. */
const MAX_LENGTH = 4096

const [seconds, ...named] = process.argv.slice(2)
if (!/^[1-9]\d*$/.test(seconds ?? '') || named.some((name) => !TARGETS.includes(name))) {
  console.error(`usage: npm run fuzz -- SECONDS [${TARGETS.join(' ')}]`)
  process.exit(2)
}
if (spawnSync('cargo', ['+nightly', 'fuzz', '--version'], { stdio: 'ignore' }).status !== 0) {
  console.error('Needed: rustup toolchain install nightly, and cargo install cargo-fuzz')
  process.exit(2)
}

/** Runs one target; what it prints goes to stderr. */
async function run(target) {
  const corpus = join(root, 'fuzz', 'corpus', target)
  mkdirSync(corpus, { recursive: true })
  const seeds = join(root, 'fuzz', 'seeds', target)
  if (existsSync(seeds)) cpSync(seeds, corpus, { recursive: true })
  // An input that takes longer than 10 s hangs.
  const options = [`-max_total_time=${seconds}`, `-max_len=${MAX_LENGTH}`, '-timeout=10', '-print_final_stats=1']
  const child = spawn('cargo', ['+nightly', 'fuzz', 'run', target, '--', ...options], { cwd: root, stdio: ['ignore', 2, 'pipe'] })
  let told = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    told += text
    process.stderr.write(text)
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  const last = (pattern) => [...told.matchAll(pattern)].at(-1)?.[1] ?? '?'
  const executions = last(/stat::number_of_executed_units:\s*(\d+)/g)
  const coverage = last(/ cov: (\d+)/g)
  const found = last(/(Test unit written to \S+|panicked at [^\n]+)/g)
  const line = `${target}: ${executions} executions in ${seconds} s, ${coverage} edges covered`
  console.log(code === 0 ? `${line} ok` : `${line} FAILED: ended with ${code}: ${found.replace(root, '.')}`)
  return code === 0
}

let failed = 0
const chosen = named.length > 0 ? named : TARGETS
for (const target of chosen) if (!(await run(target))) failed += 1
console.log(`${chosen.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
