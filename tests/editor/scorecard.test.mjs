// The flow library's scorecard (`node-red-dev validate`) of the package as it is packed. Its checks that ask the network
// get their answers here: the Node-REDs that are tested for the newest ones, and a catalogue for the flow library's.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { cachedPackage } from '../../scripts/cached-package.mjs'
import { NAME, install } from './process.mjs'

const require = createRequire(import.meta.url)
const OTHER = { id: '@someone/node-red-other', types: ['other in', 'other out'] }
let userDir, packed, scorecard

before(async () => {
  userDir = mkdtempSync(join(tmpdir(), 'ttn-scorecard-'))
  await install(userDir)
  packed = join(userDir, 'node_modules', NAME)
  // The scripts of its many dependencies are not needed.
  scorecard = cachedPackage('node-red-dev', '0.1.6', { args: ['--ignore-scripts'] })
})
after(() => rmSync(userDir, { recursive: true, force: true }))

/** Runs it with this catalogue; resolves to its results by the checks' names. */
function validate(catalogue) {
  const [newest, maintained] = ['node-red-5', 'node-red'].map((name) => require(`${name}/package.json`))
  const nodeRed = {
    'dist-tags': { latest: newest.version, maintenance: maintained.version },
    versions: { [newest.version]: newest, [maintained.version]: maintained },
  }
  const answers = join(userDir, 'answers.cjs')
  const text = `
    const axios = require('node:module').createRequire(${JSON.stringify(join(scorecard, 'package.json'))})('axios');
    const answers = ${JSON.stringify({ 'catalogue.json': { modules: catalogue }, 'node-red': nodeRed })};
    axios.get = async (url) => ({ data: answers[url.split('/').pop()] });
  `
  writeFileSync(answers, text)
  const output = join(userDir, 'scorecard.json')
  const args = ['--require', answers, join(scorecard, 'bin', 'run'), 'validate', '--path', packed, '--output', output]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  assert.equal(status, 0, stdout + stderr)
  return { results: JSON.parse(readFileSync(output, 'utf8')), printed: stdout + stderr }
}

const failed = (results) => Object.keys(results).filter((name) => results[name].test === false)

test('nothing fails', () => {
  const { results, printed } = validate([OTHER, { id: NAME, types: ['ttn-request'] }])
  assert.deepEqual(failed(results), [], printed)
  // Some checks only warn, and give a good mark all the same (P05, P06).
  assert.doesNotMatch(printed, /Warning/)
  // Nothing was left out, and nothing was passed over because it could not be read.
  assert.deepEqual(Object.keys(results).sort(), ['D01', 'D02', 'D03', 'N01', 'N02', 'P01', 'P03', 'P04', 'P05', 'P06', 'P07', 'P08', 'package'])
  assert.doesNotMatch(printed, /Unable to/)
  assert.equal(results.P06.versions.length, 2, printed)
  assert.ok(results.N02.nodes.includes('ttn-request') && results.N02.nodes.includes('ttn-guard'), printed)
})

// Its P08 compares a list with a name, and so finds no similar package whatever the catalogue says.
test('a catalogue with a node of ours in it is noticed: the answers are read', () => {
  const { results } = validate([OTHER, { id: '@someone/nodes', types: ['ttn-guard'] }])
  assert.deepEqual([results.N01.test, results.N01.nodes], [false, ['@someone/nodes']])
})
