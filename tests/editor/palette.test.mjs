// Manage palette > Install, from a real registry on loopback that has the package and that of this platform: the nodes are there
// at once, with their addon, and read a device.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'

import { packed } from '../package/packed.mjs'
import { startRegistry } from '../package/registry.mjs'
import { flow, network, request, withSecret } from './flows.mjs'
import { NAME, startNodeRed } from './process.mjs'

const { Sandbox } = createRequire(import.meta.url)('../../node/index.js')
let registry, sandbox, nodeRed

before(async () => {
  registry = await startRegistry()
  sandbox = await Sandbox.start({ rateLimit: false })
  const { package: own, addon } = await packed()
  for (const { file } of [addon, own]) {
    await promisify(execFile)('npm', ['publish', file, '--access', 'public', '--ignore-scripts'], { env: { ...process.env, ...registry.env } })
  }
  const settings = { externalModules: { palette: { allowInstall: true } } }
  nodeRed = await startNodeRed({ settings, env: registry.env, packages: () => {} })
})
after(async () => {
  await nodeRed?.remove()
  await sandbox?.stop()
  registry?.stop()
})

test('a click installs the nodes, and they work without a restart', async () => {
  assert.ok(!(await nodeRed.json('nodes')).some(({ module }) => module === NAME))
  const body = JSON.stringify({ module: NAME })
  const { nodes: [set] } = await nodeRed.json('nodes', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  assert.deepEqual([set.enabled, set.err], [true, undefined], nodeRed.log)

  await nodeRed.deploy(flow(request(), network(sandbox, withSecret(sandbox.accessKey))))
  const { payload, error } = await nodeRed.press('press', 'out')
  assert.equal(payload?.dev_id, 'dev-1', JSON.stringify(error))
})
