// The ways in which Node-RED keeps credentials: in a project with its own Git repository, under a `credentialSecret` that
// changes, and without encryption. Each way works, or says what is wrong and how to go on.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { flow, network, request, withSecret } from './flows.mjs'
import { startNodeRed } from './process.mjs'

const { Sandbox } = createRequire(import.meta.url)('../../node/index.js')
const NOTHING_ENTERED = 'ttn.problem-short.secret-missing'
let sandbox
before(async () => {
  sandbox = await Sandbox.start({ rateLimit: false })
})
after(() => sandbox?.stop())

/** One that is gone after the test. */
async function started(t, options) {
  const nodeRed = await startNodeRed(options)
  t.after(() => nodeRed.remove())
  return nodeRed
}

const nodes = (more) => flow(request(), network(sandbox, more))
const good = () => nodes(withSecret(sandbox.accessKey))

async function works(nodeRed) {
  const msg = await nodeRed.press('press', 'out')
  assert.equal(msg.payload?.dev_id, 'dev-1', JSON.stringify(msg.error))
}

/** The nodes run, say that nothing is entered, and what to do about it. */
async function saysWhatIsMissing(nodeRed) {
  await nodeRed.status('request', NOTHING_ENTERED)
  const { error } = await nodeRed.press('press', 'out')
  assert.match(error.message, /The network has no token or key \(Open the network and enter it/)
  assert.equal((await nodeRed.flows()).find(({ id }) => id === 'network').grpcAddress, sandbox.grpcAddress, 'the rest is still there')
}

/** Which files below a folder have the key in them. */
function holding(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => !/(^|\/)node_modules(\/|$)/.test(name))
    .filter((name) => statSync(join(folder, name)).isFile() && readFileSync(join(folder, name), 'latin1').includes(sandbox.accessKey))
}

test('credentialSecret changed: Node-RED cannot decrypt, the nodes say what to enter, and work when it is', async (t) => {
  const nodeRed = await started(t)
  await nodeRed.deploy(good())
  await works(nodeRed)
  await nodeRed.restart()
  await works(nodeRed)
  assert.deepEqual(holding(nodeRed.userDir), [])

  await nodeRed.restart({ settings: { credentialSecret: 'another secret of this Node-RED' } })
  await nodeRed.logged(/Failed to decrypt credentials/)
  await saysWhatIsMissing(nodeRed)
  // What an editor deploys in which somebody has opened the network and entered it.
  await nodeRed.deploy(good(), 'nodes')
  await works(nodeRed)
  await nodeRed.restart()
  await works(nodeRed)
  assert.deepEqual(holding(nodeRed.userDir), [])
})

test('credentialSecret false: works; the key is in clear in the credentials file, as the help says, and nowhere else', async (t) => {
  const nodeRed = await started(t, { settings: { credentialSecret: false } })
  await nodeRed.deploy(good())
  await works(nodeRed)
  await nodeRed.restart()
  await works(nodeRed)
  assert.deepEqual(holding(nodeRed.userDir), ['flows_cred.json'])
  const help = await (await nodeRed.request('nodes', { headers: { accept: 'text/html' } })).text()
  assert.ok(help.includes('<code>credentialSecret: false</code>'))
})

test('a project: encrypted with its own secret, in no file and no commit in clear; another secret is said', async (t) => {
  const env = Object.fromEntries(['AUTHOR', 'COMMITTER'].flatMap((who) => [[`GIT_${who}_NAME`, 'me'], [`GIT_${who}_EMAIL`, 'me@example.com']]))
  const nodeRed = await started(t, { env, settings: { editorTheme: { projects: { enabled: true } } } })
  const send = (path, method, body) => nodeRed.json(path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const credentialSecret = 'the secret of the project'
  // Node-RED starts its flow with it.
  let from = nodeRed.log.length
  await send('projects', 'POST', { name: 'mine', summary: '', files: { flow: 'flows.json' }, credentialSecret })
  await nodeRed.logged(/Started flows/, from)
  await nodeRed.deploy(good())
  await works(nodeRed)
  for (const file of ['flows.json', 'flows_cred.json']) await send(`projects/mine/stage/${file}`, 'POST', {})
  await send('projects/mine/commit', 'POST', { message: 'with a network' })

  const project = join(nodeRed.userDir, 'projects', 'mine')
  assert.deepEqual(Object.keys(JSON.parse(nodeRed.read('projects', 'mine', 'flows_cred.json'))), ['$'])
  assert.deepEqual(holding(nodeRed.userDir), [])
  const git = (...args) => execFileSync('git', ['-C', project, ...args], { encoding: 'latin1' })
  assert.match(git('log', '--stat'), /flows_cred\.json/)
  const objects = git('cat-file', '--batch-all-objects', '--batch')
  assert.ok(objects.includes('ttn-credentials') && !objects.includes(sandbox.accessKey))

  await nodeRed.restart()
  await works(nodeRed)

  // As after a clone on another machine, where somebody has mistyped the project's secret.
  await nodeRed.stop()
  const kept = join(nodeRed.userDir, '.config.projects.json')
  writeFileSync(kept, readFileSync(kept, 'utf8').replace(credentialSecret, 'mistyped'))
  await nodeRed.start({ ready: /Failed to decrypt credentials/ })
  // The editor asks for the right one. Without it: a new one, and what was stored is gone.
  from = nodeRed.log.length
  await send('projects/mine', 'PUT', { credentialSecret: 'a new one', resetCredentialSecret: true })
  await nodeRed.logged(/Started flows/, from)
  await saysWhatIsMissing(nodeRed)
  await nodeRed.deploy(good(), 'nodes')
  await works(nodeRed)
  assert.deepEqual(holding(nodeRed.userDir), [])
})
