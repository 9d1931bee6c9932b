// What the proofs share: numbers, each a file in tests/proof and a process of its own; one line of figures for each, and one
// that counts them. `--short` for a quick run, `1 4` for some numbers, `--seed N` to repeat what was drawn by chance.
import { fork } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { root } from './prepare.mjs'

/** A number that takes longer than this in milliseconds hangs. */
const LIMIT = 540_000

/**
 * Runs a proof as the command line says; the process ends with it.
 * @param {object} proof
 * @param {string} proof.command  how it is called, for a usage line
 * @param {Record<string, [string, string]>} proof.numbers  each number's file in tests/proof, and its name
 * @param {string[][]} proof.rounds  which numbers run beside each other
 * @param {(chosen: string[]) => void} [proof.check]  throws if these cannot be run by themselves
 * @param {(chosen: string[]) => void} proof.prepare  what has to be built or installed
 */
export async function runProof({ command, numbers, rounds, check, prepare }) {
  let options
  try {
    options = read(process.argv.slice(2), command, numbers)
    check?.(options.chosen)
  } catch (error) {
    console.error(error.message)
    process.exit(2)
  }
  prepare(options.chosen)
  const folder = mkdtempSync(join(tmpdir(), 'ttn-proof-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

  const results = []
  for (const round of rounds) {
    const together = round.filter((number) => options.chosen.includes(number))
    const ended = await Promise.all(together.map((number) => run(number, numbers[number], folder, options)))
    for (const { line } of ended) console.log(line)
    results.push(...ended)
  }
  const passed = results.filter(({ holds }) => holds).length
  console.log(`${passed} passed, ${results.length - passed} failed`)
  process.exitCode = passed === results.length ? 0 : 1
}

function read(args, command, numbers) {
  const seedAt = args.indexOf('--seed')
  const seed = seedAt < 0 ? undefined : args.splice(seedAt, 2)[1]
  const short = args.includes('--short')
  const chosen = args.filter((arg) => arg !== '--short')
  const unknown = chosen.filter((number) => !Object.hasOwn(numbers, number))
  if (unknown.length > 0 || (seedAt >= 0 && !/^\d+$/.test(seed))) {
    throw new Error(`usage: ${command} -- [--short] [--seed N] [${Object.keys(numbers).join(' ')}]`)
  }
  return { short, seed, chosen: chosen.length > 0 ? chosen : Object.keys(numbers) }
}

/** Runs one number in a process of its own. */
function run(number, [file, name], folder, { short, seed }) {
  const env = {
    ...process.env, TTN_PROOF_NUMBER: number, TTN_PROOF_DIR: folder, TTN_PROOF_SHORT: short ? '1' : '', TTN_PROOF_SEED: seed ?? '',
  }
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
      resolve({ holds, line: printed })
    })
  })
}
