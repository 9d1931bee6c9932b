// Runs every test, and ends with one line that counts them all. `npm test`, or `npm test -- node types` for some.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

import { newerNode } from './newer-node.mjs'
import { prepare, root } from './prepare.mjs'
import { installRedis } from './redis.mjs'

const nodeTests = () => {
  const folder = join(root, 'tests', 'node')
  return readdirSync(folder).filter((name) => name.endsWith('.test.mjs')).map((name) => join('tests', 'node', name))
}

/** Each suite's command; a function where it has to look first. */
const suites = {
  rust: () => {
    installRedis()
    return ['cargo', ['test', '--workspace', '--all-features', '--exclude', 'ttn-auth-node', '--no-fail-fast']]
  },
  node: ['npm', ['run', '--silent', 'test:node']],
  // The oldest Node.js that is supported is the machine's; this is a newer one.
  'newer-node': () => [newerNode(), ['--test', '--test-reporter=spec', ...nodeTests()]],
  types: ['npm', ['run', '--silent', 'test:types']],
  package: ['npm', ['run', '--silent', 'test:package']],
  'node-red': ['npm', ['run', '--silent', 'test:node-red']],
  editor: [process.execPath, [join('scripts', 'test-node-red.mjs'), 'editor']],
  readme: ['npm', ['run', '--silent', 'test:readme']],
  proof: [process.execPath, [join('scripts', 'proof-tokens.mjs'), '--short']],
  bench: [process.execPath, [join('benches', 'run.mjs'), '--short']],
  'proof-server': [process.execPath, [join('scripts', 'proof-server.mjs'), '--short']],
  'proof-memory': [process.execPath, [join('scripts', 'proof-memory.mjs'), '--short']],
}

/** cargo test, node:test in its spec and tap reporters, the proofs and the bench. */
const counts = [
  { pattern: /^test result: \w+\. (\d+) passed; (\d+) failed/, read: ([, passed, failed]) => [+passed, +failed] },
  { pattern: /^(?:ℹ|#) pass (\d+)/, read: ([, passed]) => [+passed, 0] },
  { pattern: /^(?:ℹ|#) (?:fail|cancelled) (\d+)/, read: ([, failed]) => [0, +failed] },
  { pattern: /^(\d+) passed, (\d+) failed$/, read: ([, passed, failed]) => [+passed, +failed] },
]

/** What says of one test that it failed. These lines are printed again at the end, where whoever has only that finds them. */
const FAILED = /^test .+ \.\.\. FAILED$|^\s*✖ (?!failing tests)|^not ok |FAILED: |^FAILS /

/** How many of a suite are, and how much of each. */
const [LINES, CHARACTERS] = [20, 600]

/** Runs one suite with its output passed through, and counts. */
function run(name, suite) {
  const [command, args] = typeof suite === 'function' ? suite() : suite
  return new Promise((resolve) => {
    console.log(`\n--- ${name}: ${[command, ...args].join(' ').replace(root, '.')}`)
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    const total = { name, passed: 0, failed: 0, lines: new Set() }
    let rest = ''
    child.stdout.setEncoding('utf8')
    child.stdout.on('data', (text) => {
      process.stdout.write(text)
      const lines = (rest + text).split('\n')
      rest = lines.pop()
      for (const coloured of lines) {
        const line = coloured.replace(/\x1b\[\d+m/g, '')
        if (FAILED.test(line) && total.lines.size < LINES) total.lines.add(line.trim().slice(0, CHARACTERS))
        for (const { pattern, read } of counts) {
          const match = pattern.exec(line)
          if (!match) continue
          const [passed, failed] = read(match)
          total.passed += passed
          total.failed += failed
        }
      }
    })
    child.on('error', (error) => {
      console.error(`${command} could not be started: ${error.message}`)
      total.failed += 1
      resolve(total)
    })
    child.on('close', (code) => {
      // A suite that broke off, or that ran nothing, has failed too.
      if (code !== 0 && total.failed === 0) total.failed += 1
      if (total.passed === 0 && total.failed === 0) total.failed += 1
      resolve(total)
    })
  })
}

const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !Object.hasOwn(suites, name))
if (unknown.length > 0) {
  console.error(`no suite ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}`)
  process.exit(2)
}

prepare()
const totals = []
for (const [name, suite] of Object.entries(suites)) {
  if (chosen.length === 0 || chosen.includes(name)) totals.push(await run(name, suite))
}
console.log()
for (const { name, lines } of totals) for (const line of lines) console.log(`${name}: ${line}`)
for (const { name, passed, failed } of totals) console.log(`${name.padEnd(12)} ${passed} passed, ${failed} failed`)
const sum = (key) => totals.reduce((all, total) => all + total[key], 0)
console.log(`\n${sum('passed')} passed, ${sum('failed')} failed`)
process.exitCode = sum('failed') === 0 ? 0 : 1
