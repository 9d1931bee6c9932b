// `npm run proof:tokens`: proves that tokens never run out, with seven numbers; one line of figures for each, and one that
// counts them. `-- --short` for a quick run, `-- 1 4 7` for some, `-- --seed N` to repeat what was drawn by chance.
import { fork } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { prepare, root } from './prepare.mjs'
import { installRedis } from './redis.mjs'

/** Each number's file in tests/proof, and its name. */
const NUMBERS = {
  1: ['1-first-calls', 'first calls'],
  2: ['2-outages', 'outages'],
  3: ['3-bad-tokens', 'bad tokens'],
  4: ['4-bulk', 'bulk'],
  5: ['5-restarts', 'restarts'],
  6: ['6-shared', 'shared'],
  7: ['7-secrets', 'secrets'],
}

/**
 * What runs beside each other: of each two, one waits most of its time. All at once is more than two processors can do: then
 * calls meet their time limits. The last one reads what the others left.
 */
const ROUNDS = [['1', '6'], ['2', '4'], ['3', '5'], ['7']]

/** A number that takes longer than this in milliseconds hangs. */
const LIMIT = 540_000

function options(args) {
  const seedAt = args.indexOf('--seed')
  const seed = seedAt < 0 ? undefined : args.splice(seedAt, 2)[1]
  const short = args.includes('--short')
  const chosen = args.filter((arg) => arg !== '--short')
  const unknown = chosen.filter((number) => !Object.hasOwn(NUMBERS, number))
  if (unknown.length > 0 || (seedAt >= 0 && !/^\d+$/.test(seed))) {
    throw new Error(`usage: npm run proof:tokens -- [--short] [--seed N] [${Object.keys(NUMBERS).join(' ')}]`)
  }
  if (chosen.length === 1 && chosen[0] === '7') throw new Error('7 searches what the others leave: choose some of them too')
  return { short, seed, chosen: chosen.length > 0 ? chosen : Object.keys(NUMBERS) }
}

/** Runs one number in a process of its own; true if it holds. */
function run(number, folder, { short, seed }) {
  const [file, name] = NUMBERS[number]
  const env = { ...process.env, TTN_PROOF_DIR: folder, TTN_PROOF_SHORT: short ? '1' : '', TTN_PROOF_SEED: seed ?? '' }
  const child = fork(join(root, 'tests', 'proof', `${file}.mjs`), { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  const evidence = join(folder, 'evidence', number)
  mkdirSync(evidence, { recursive: true })
  for (const [stream, output] of Object.entries({ stdout: child.stdout, stderr: child.stderr })) {
    output.on('data', (text) => {
      process.stderr.write(text)
      appendFileSync(join(evidence, `${stream}.txt`), text)
    })
  }
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT)
  const result = { figures: '', failures: [] }
  child.on('message', (message) => Object.assign(result, message, { told: true }))
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(limit)
      if (!result.told) result.failures.push(`it ended with ${signal ?? code}`)
      const holds = result.failures.length === 0
      const line = `${number} ${name}: ${result.figures} ${holds ? 'ok' : `FAILED: ${result.failures.join('; ')}`}`
      const printed = line.replaceAll(/\s+/g, ' ')
      appendFileSync(join(evidence, 'result.txt'), printed)
      resolve({ number, holds, line: printed })
    })
  })
}

let chosen
try {
  chosen = options(process.argv.slice(2))
} catch (error) {
  console.error(error.message)
  process.exit(2)
}

prepare()
if (chosen.chosen.includes('6')) installRedis()
const folder = mkdtempSync(join(tmpdir(), 'ttn-proof-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

const results = []
for (const round of ROUNDS) {
  const numbers = round.filter((number) => chosen.chosen.includes(number))
  const ended = await Promise.all(numbers.map((number) => run(number, folder, chosen)))
  for (const result of ended) console.log(result.line)
  results.push(...ended)
}
const passed = results.filter(({ holds }) => holds).length
console.log(`${passed} passed, ${results.length - passed} failed`)
process.exitCode = passed === results.length ? 0 : 1
