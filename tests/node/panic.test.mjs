// Each kind of item panics on purpose, in an addon built for that; the process lives, and JavaScript gets an error.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where cargo put the addon with the feature `test-panics`. */
function build() {
  const arguments_ = ['build', '-p', 'ttn-auth-node', '--features', 'test-panics', '--message-format', 'json']
  const output = execFileSync('cargo', arguments_, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] })
  const artifacts = output.split('\n').filter(Boolean).map((line) => JSON.parse(line))
  const library = artifacts.find(({ reason, target }) => reason === 'compiler-artifact' && target.name === 'ttn_auth_node')
  return library.filenames.find((name) => /\.(so|dylib|dll)$/.test(name))
}

const SETUP = `
  const { hooks } = require('./node/hooks.js')
  const { AuthError } = require('./node/error.js')
  const module_ = { exports: {} }
  process.dlopen(module_, process.env.ADDON)
  const native = module_.exports
  const found = hooks(native)
  native.register((name) => found[name], found.receive, () => {})
  const sync = (act) => {
    try { act() } catch (error) { return error }
    throw new Error('no panic')
  }
  const async_ = (promise) => promise.then(() => { throw new Error('no panic') }, (error) => error)
  const show = (error) => console.log(error.constructor.name, error.code, error.message)
`
const addon = build()

/** Runs code beside the addon; what it printed, after which it was alive. */
function run(code) {
  const options = { cwd: root, encoding: 'utf8', env: { ...process.env, ADDON: addon }, timeout: 60_000 }
  const script = `${SETUP};(async () => {${code}})().then(() => console.log('alive'))`
  const child = spawnSync(process.execPath, ['--expose-gc', '-e', script], options)
  assert.equal(child.signal, null, child.stderr)
  assert.equal(child.status, 0, child.stderr)
  const lines = child.stdout.trim().split('\n')
  assert.equal(lines.pop(), 'alive', child.stderr)
  return { lines, stderr: child.stderr }
}

const INTERNAL = 'AuthError AUTH_INTERNAL a defect in ttn-auth ended this call'

for (const [name, call] of Object.entries({
  function: 'native.panicBare()',
  constructor: 'new native.PanicClass(true)',
  getter: 'new native.PanicClass(false).value',
  method: 'new native.PanicClass(false).method()',
  'static method': 'native.PanicClass.function()',
})) {
  test(`a panic in a ${name} is an exception`, () => {
    const { lines } = run(`show(sync(() => ${call})); show(sync(() => ${call}))`)
    assert.equal(lines.length, 2)
    for (const line of lines) assert.match(line, /^Error \w+ .*on purpose/)
  })
}

test('a panic behind the guard is an AuthError, which keeps its text to itself', () => {
  assert.deepEqual(run('show(sync(() => native.panicGuarded()))').lines, [INTERNAL])
})

for (const place of ['prepare', 'future', 'convert']) {
  test(`a panic in a promise (${place}) rejects it`, () => {
    const { lines, stderr } = run(`for (let i = 0; i < 3; i++) show(await async_(native.panicPromise('${place}')))`)
    assert.deepEqual(lines, [INTERNAL, INTERNAL, INTERNAL])
    assert.match(stderr, new RegExp(`on purpose: ${place}`))
  })
}

test('panics under load end their own calls, and no others', () => {
  const { lines } = run(`
    const ends = await Promise.all(Array.from({ length: 200 }, (_, n) => {
      if (n % 4 === 0) return async_(native.panicPromise(['prepare', 'future', 'convert', 'drop'][(n / 4) % 4]))
      return native.TokenSource.callback(() => 'token-' + n).token().then((token) => token === 'token-' + n)
    }))
    for (const [n, end] of ends.entries()) {
      if (n % 4 === 0 ? end.code !== 'AUTH_INTERNAL' : end !== true) console.log(n, end)
    }
  `)
  assert.deepEqual(lines, [])
})

test('a panic when a future is dropped leaves no promise pending', () => {
  const { lines } = run(`show(await async_(native.panicPromise('drop')))`)
  assert.equal(lines.length, 1)
  assert.match(lines[0], /^AuthError AUTH_INTERNAL /)
})

test('a panic on the way of a message to JavaScript loses that message only', () => {
  const { lines, stderr } = run(`
    for (let i = 0; i < 3; i++) native.panicMessage()
    console.log(await native.TokenSource.callback(() => 'token').token())
  `)
  assert.deepEqual(lines, ['token'])
  assert.equal(stderr.split('on purpose: message').length, 4)
})

test('a token function in an addon whose question was never asked', () => {
  // `settle` and `fail` take whatever numbers they get.
  const { lines } = run(`
    native.settle(12345, 'token', 1)
    native.fail(12345, 54321, 'AUTH_TIMEOUT')
    show(sync(() => native.settle('x')))
    console.log(await native.TokenSource.callback(() => 'token').token())
  `)
  assert.match(lines[0], /^(Type)?Error /)
  assert.equal(lines[1], 'token')
})

test('a panic in a destructor that the garbage collector runs', () => {
  const { stderr } = run(`
    for (let i = 0; i < 100; i++) new native.PanicClass(false)
    for (let i = 0; i < 5; i++) { gc(); await new Promise(setImmediate) }
  `)
  assert.ok(stderr.split('on purpose: drop').length > 50, 'the destructors ran')
})

test('a panic in a destructor that runs when a worker ends', () => {
  const { stderr } = run(`
    const { Worker } = require('node:worker_threads')
    const code = ${JSON.stringify(SETUP)} + ';globalThis.kept = new native.PanicClass(false)'
    const worker = new Worker(code, { eval: true })
    await new Promise((resolve) => worker.on('exit', resolve))
  `)
  assert.match(stderr, /on purpose: drop/)
})
