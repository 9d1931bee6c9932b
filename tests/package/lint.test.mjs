// What others check packages with finds nothing: publint what Node.js and bundlers make of it, are-the-types-wrong what
// TypeScript does.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { pathToFileURL } from 'node:url'

import { cachedPackage } from '../../scripts/cached-package.mjs'
import { packed } from './packed.mjs'

let made
before(async () => (made = await packed()))

for (const name of ['package', 'addon']) {
  test(`publint: the ${name}`, async () => {
    const { publint } = await import(pathToFileURL(join(cachedPackage('publint', '0.3.25'), 'src', 'index-node.js')))
    const { messages } = await publint({ pack: { tarball: new Uint8Array(readFileSync(made[name].file)).buffer }, strict: true })
    assert.deepEqual(messages, [])
  })
}

test('are-the-types-wrong', () => {
  const attw = join(cachedPackage('@arethetypeswrong/cli', '0.18.5'), 'dist', 'index.js')
  // Into a file: it ends before a pipe has taken all that it says.
  const file = `${made.package.file}.types.json`
  const output = openSync(file, 'w')
  const { status, stderr } = spawnSync(process.execPath, [attw, '--format', 'json', made.package.file], { stdio: ['ignore', output, 'pipe'] })
  closeSync(output)
  const said = readFileSync(file, 'utf8')
  rmSync(file)
  assert.equal(status, 0, said + stderr)
  const { analysis, problems } = JSON.parse(said)
  assert.deepEqual(problems, {})
  for (const name of ['.', './connect', './grpc-js', './undici']) {
    const { resolutions } = analysis.entrypoints[name]
    assert.deepEqual(Object.keys(resolutions), ['node10', 'node16-cjs', 'node16-esm', 'bundler'])
    for (const [kind, { resolution }] of Object.entries(resolutions)) assert.ok(resolution?.isTypeScript, `${name}, ${kind}`)
  }
})
