// `npm run test:node-red`: the nodes in Node-RED's test helper. `npm run test:editor`: in whole Node-REDs and their editor as
// well. Each on Node-RED 4.1 with this Node.js, then on Node-RED 5 with one that it runs on. A file's name runs that alone.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { newerNode } from './newer-node.mjs'
import { prepare, root } from './prepare.mjs'

const args = process.argv.slice(2)
const folders = ['node-red', 'editor'].filter((name) => args.includes(name))
const wanted = args.filter((name) => !folders.includes(name))
const isWanted = (name) => name.endsWith('.test.mjs') && (wanted.length === 0 || wanted.includes(name.split('.')[0]))
const files = folders.flatMap((folder) => {
  const path = join(root, 'tests', folder)
  return readdirSync(path).filter(isWanted).map((name) => join(path, name))
})

// Given none, Node.js would take every test that it finds.
if (files.length === 0) {
  console.error(`no such tests: ${args.join(' ')}`)
  process.exit(2)
}

function run(command, args, env = {}) {
  console.error(`> ${[...Object.entries(env).map(([name, value]) => `${name}=${value}`), command, ...args.map(short)].join(' ')}`)
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } })
  if (error) console.error(error.message)
  return status === 0
}
const short = (arg) => arg.replace(root, '.')

/** The editor's test needs a browser. A CI machine is Debian, as root, without one. */
function installBrowser() {
  if (process.env.CHROMIUM || existsSync('/usr/bin/chromium') || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  run('apt-get', ['update', '-q'], env)
  run('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium'], env)
}

prepare()
if (folders.includes('editor')) {
  installBrowser()
  // Before several tests need it; npm's packages are there only now.
  const { packed } = await import('../tests/package/packed.mjs')
  await packed()
}
// Two files at a time: each mostly waits for servers, and some for a browser. The limit (ms) is for a file; what hangs has failed.
const options = ['--test', '--test-concurrency=2', '--test-timeout=300000']
const results = [
  run(process.execPath, [...options, ...files], { TTN_NODE_RED: 'node-red' }),
  // Node-RED 5 needs Node.js 22.9.
  run(newerNode(), [...options, ...files], { TTN_NODE_RED: 'node-red-5' }),
]
process.exitCode = results.every(Boolean) ? 0 : 1
