// The package as it is installed: what the editor offers of it, and that it works on every Node.js.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'

import { installNode } from '../../scripts/newer-node.mjs'
import { PLATFORM, install, packed } from '../package/packed.mjs'
import { flow, network, request, withSecret } from './flows.mjs'
import { NAME, startNodeRed, version } from './process.mjs'

const { Sandbox } = createRequire(import.meta.url)('../../node/index.js')

/** Besides the one that everything here runs on. */
const NODES = { 'node-red': ['22', '24', '26'], 'node-red-5': ['24', '26'] }[version]

let nodeRed, set
before(async () => {
  nodeRed = await startNodeRed()
  set = (await nodeRed.json('nodes')).find(({ module }) => module === NAME)
})
after(() => nodeRed?.remove())

test('it is found in the user\'s folder, and its nodes are there', () => {
  assert.deepEqual([set.enabled, set.local, set.err], [true, true, undefined])
})

test('Import > Examples has one for each node, which can be imported as it is', async () => {
  const folder = `library/examples/flows/${NAME}/node-red`
  const names = (await nodeRed.json(folder)).map(({ fn }) => fn)
  assert.deepEqual(names.toSorted(), ['mqtt', 'the-things-stack', 'ttn-auth-headers', 'ttn-credentials', 'ttn-guard', 'ttn-request'])
  const all = []
  for (const name of names) {
    const flow = await nodeRed.json(`${folder}/${name}`)
    // ttn-events is in that of its network.
    if (set.types.includes(name)) assert.ok(flow.some(({ type }) => type === name), `${name} is in its example`)
    all.push(...flow)
  }
  for (const node of set.types) assert.ok(all.some(({ type }) => type === node), `${node} is in an example`)
  await nodeRed.deploy(all)
})

test('icons, texts and help are served', async () => {
  const icons = (await nodeRed.json('icons'))[NAME]
  assert.deepEqual(icons.toSorted(), ['ttn-events.svg', 'ttn-guard.svg', 'ttn-headers.svg', 'ttn.svg'])
  for (const name of icons) {
    const icon = await nodeRed.request(`icons/${NAME}/${name}`)
    assert.match(icon.headers.get('content-type'), /^image\/svg/)
    assert.match(await icon.text(), /^<svg/)
  }
  const texts = await nodeRed.json(`nodes/${NAME}/ttn/messages?lng=en-US`)
  assert.equal(texts.ttn.status['not-configured'], 'not configured')
  const page = await (await nodeRed.request('nodes', { headers: { accept: 'text/html' } })).text()
  for (const type of set.types) {
    assert.ok(page.includes(`data-help-name="${type}"`), `help of ${type}`)
    assert.ok(page.includes(`data-template-name="${type}"`), `dialog of ${type}`)
  }
})

test('without the package of its platform Node-RED runs without the nodes, and says what to do, in the log and in the palette', async () => {
  const { package: { file } } = await packed()
  const alone = await startNodeRed({ packages: (userDir) => install(userDir, [file]) })
  try {
    const [line] = await alone.logged(/.*\[@thingskey\/ttn-auth\/ttn\].*/)
    assert.ok(line.includes(`${NAME}-${PLATFORM} is not installed`) && line.includes('npm install --include=optional'), line)
    const set = (await alone.json('nodes')).find(({ module }) => module === NAME)
    assert.ok(set.err.message.includes('is not installed'), JSON.stringify(set))
    await alone.stop()
  } finally {
    await alone.remove()
  }
})

for (const major of NODES) {
  test(`on Node ${major}`, async (t) => {
    const sandbox = await Sandbox.start({ rateLimit: false })
    t.after(() => sandbox.stop())
    const newer = await startNodeRed({ node: installNode(major) })
    t.after(() => newer.remove())
    assert.match(newer.log, new RegExp(`Node.js +version: v${major}\\.`))
    for (const transport of ['grpc', 'http']) {
      await newer.deploy(flow(request({ transport }), network(sandbox, withSecret(sandbox.accessKey))))
      const { payload, error } = await newer.press('press', 'out')
      assert.equal(payload?.dev_id, 'dev-1', JSON.stringify(error))
    }
    await newer.stop()
  })
}
