// What the release workflow publishes to crates.io, published to a registry on loopback: once, and a second time.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { root } from '../../scripts/prepare.mjs'

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const INDEX = '/tt/n-/ttn-auth'
let server, url
/** The index's lines, what was uploaded, and what is answered instead of taking an upload. */
const registry = { lines: '', uploads: [], refuse: undefined }

/** As much of a sparse registry as `cargo publish` asks for. */
async function answer(request, response) {
  if (request.url === '/config.json') return response.end(JSON.stringify({ dl: `${url}dl`, api: url.slice(0, -1) }))
  if (request.method === 'PUT' && request.url === '/api/v1/crates/new') {
    const body = Buffer.concat(await request.toArray())
    if (registry.refuse) return response.writeHead(registry.refuse).end()
    const { name, vers } = JSON.parse(body.subarray(4, 4 + body.readUInt32LE(0)))
    registry.uploads.push(`${name}@${vers}`)
    registry.lines += `${JSON.stringify({ name, vers, deps: [], cksum: '0'.repeat(64), features: {}, yanked: false })}\n`
    return response.end(JSON.stringify({ warnings: { invalid_categories: [], invalid_badges: [], other: [] } }))
  }
  return request.url === INDEX && registry.lines !== '' ? response.end(registry.lines) : response.writeHead(404).end()
}

before(async () => {
  server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${server.address().port}/`
})
after(() => server.close())

/** --no-verify as in the workflow; what is tested need not be committed. */
function publish() {
  const args = [join(root, 'scripts', 'release', 'crate.mjs'), '--no-verify', '--allow-dirty', '--index', `sparse+${url}`, '--token', 'none']
  return new Promise((resolve) => {
    execFile(process.execPath, args, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }))
  })
}

test('a registry that fails fails the release', async () => {
  registry.refuse = 503
  const { code, stderr } = await publish()
  assert.equal(code, 1)
  assert.match(stderr, /503/)
  registry.refuse = undefined
})

test('the crate is published once; a second run finds it there', async () => {
  const first = await publish()
  assert.deepEqual([first.code, first.stdout], [0, ''], first.stderr)
  const second = await publish()
  assert.deepEqual([second.code, second.stdout], [0, `ttn-auth@${version} is there already\n`], second.stderr)
  assert.deepEqual(registry.uploads, [`ttn-auth@${version}`])
})
