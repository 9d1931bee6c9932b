// The workflows cannot run here. What can be held of them: linters find nothing, and they only string together what runs here as well.
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

import { lint } from '../../scripts/lint-workflows.mjs'
import { root } from '../../scripts/prepare.mjs'

const folder = join(root, '.github', 'workflows')
const workflows = readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }))
/** The values of a key, wherever it stands. */
const values = (key) => workflows.flatMap(({ name, text }) => [...text.matchAll(new RegExp(`^ *(?:- )?${key}: (.+)$`, 'gm'))].map(([, value]) => ({ name, value })))

const scratch = mkdtempSync(join(tmpdir(), 'ttn-workflows-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

test('actionlint and zizmor find nothing', () => {
  assert.equal(lint(root), '')
})

const MISTAKES = {
  'an action by its tag': [/actions\/checkout@[0-9a-f]{40} # \S+/, 'actions/checkout@v7', /unpinned-uses/],
  'a token that stays in the checkout': [/persist-credentials: false/, 'persist-credentials: true', /artipacked/],
  'a title as a command': [/- run: npm ci$/m, '- run: echo ${{ github.event.pull_request.title }}', /template-injection/],
  'an unknown key': [/timeout-minutes:/, 'timeout-minute:', /unexpected key "timeout-minute"/],
  'a job that is not there': [/needs: attest/, 'needs: atest', /needs.*"atest"/s],
}
for (const [what, [from, to, expected]] of Object.entries(MISTAKES)) {
  test(`they would find ${what}`, () => {
    const copy = mkdtempSync(join(scratch, 'copy-'))
    cpSync(join(root, '.github'), join(copy, '.github'), { recursive: true })
    const changed = workflows.find(({ text }) => from.test(text))
    writeFileSync(join(copy, '.github', 'workflows', changed.name), changed.text.replace(from, to))
    assert.match(lint(copy), expected)
  })
}

test('every action is pinned to a commit, the same everywhere, with its version beside it', () => {
  const pins = new Map()
  const uses = values('uses')
  assert.ok(uses.length > 10)
  for (const { name, value } of uses) {
    const [, action, pin] = /^([\w-]+\/[\w-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)$/.exec(value) ?? assert.fail(`${name}: ${value}`)
    assert.equal(pins.get(action) ?? pin, pin, `${name}: ${action}`)
    pins.set(action, pin)
  }
  const images = values('image')
  assert.ok(images.length > 0)
  for (const { name, value } of images) assert.match(value, /^\S+:\S+@sha256:[0-9a-f]{64}$/, name)
  for (const { text } of workflows) assert.doesNotMatch(text, /^ *container: \S/m, 'an image that is not looked at')
})

/** What brings a machine to where a developer's is. */
const SETS_UP = [
  /^(sudo )?apt-get (update|install --yes( --no-install-recommends)?( [\w-]+)+)$/,
  /^brew install [\w-]+$/,
  /^rustup (component add|toolchain install)( [\w.-]+)+$/,
  /^git config --global --add safe\.directory "\$GITHUB_WORKSPACE"$/,
  /^npm ci( --ignore-scripts)?$/,
]
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Whether it is one of ours: a script of package.json, or a file. */
function isOurs(command) {
  const [, script] = /^npm run ([\w:-]+)(?: -- [^;&|]+)?$/.exec(command) ?? /^npm (test)(?: -- [^;&|]+)?$/.exec(command) ?? []
  if (script) return Object.hasOwn(scripts, script)
  const [, file] = /^(?:node )?([\w./-]+)$/.exec(command) ?? []
  return file !== undefined && existsSync(join(root, file))
}

test('every command runs here as well, or sets the machine up', () => {
  const commands = values('run')
  assert.ok(commands.length > 20)
  const strange = commands.filter(({ value }) => !isOurs(value) && !SETS_UP.some((pattern) => pattern.test(value)))
  assert.deepEqual(strange, [])
})

test('the oldest Rust is the one that Cargo.toml promises', () => {
  const [, promised] = /^rust-version = "(.+)"$/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'))
  const installed = values('run').map(({ value }) => /^rustup toolchain install (\S+)/.exec(value)?.[1]).filter(Boolean)
  assert.deepEqual(installed, [promised])
})

test('every job has a time limit and its own permissions; what publishes waits for an environment; no secret is used', () => {
  const jobs = workflows.flatMap(({ name, text }) => text.split(/^jobs:\n/m)[1].split(/^ {2}(?=\w+:\n)/m).filter(Boolean).map((job) => ({ name, job })))
  assert.ok(jobs.length >= 10)
  for (const { name, job } of jobs) {
    const title = `${name}: ${job.split('\n')[0]}`
    assert.match(job, /^ {4}timeout-minutes: \d+$/m, title)
    assert.match(job, /^ {4}permissions:\n/m, title)
    const publishes = /release:(npm|crate)/.test(job) && !/--dry-run/.test(job)
    assert.equal(/^ {4}environment: release$/m.test(job), publishes, title)
    // What builds runs strangers' code, which must not be able to publish.
    if (/id-token: write|contents: write/.test(job)) assert.doesNotMatch(job, /npm (ci|test|run (?!release:))/, title)
  }
  for (const { name, text } of workflows) {
    assert.match(text, /^permissions: \{\}$/m, name)
    assert.match(text, /^concurrency:$/m, name)
    assert.doesNotMatch(text, /secrets\.|pull_request_target|workflow_run/, name)
  }
})
