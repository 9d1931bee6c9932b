// The nodes in another language than English, where Node-RED itself may not have it: Dutch.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { read } from '../../scripts/example.mjs'
import { EditorPage } from './page.mjs'
import { startNodeRed } from './process.mjs'

const REQUEST = '#ttn-example-access-key-grpc'
const editor = new EditorPage()
let nodeRed

before(async () => {
  nodeRed = await startNodeRed({ settings: { lang: 'nl' } })
  const flow = read('ttn-request').map((node) => (node.type === 'ttn-credentials' ? { ...node, source: 'environment', variable: 'TTN_NOT_SET' } : node))
  await nodeRed.deploy(flow)
  await editor.open(nodeRed.url, { locale: 'nl-NL' })
})
after(async () => {
  await editor.close()
  await nodeRed?.remove()
})

test('dialogs, statuses and help are in it', async () => {
  const { page } = editor
  await editor.status(REQUEST, /^variabele TTN_NOT_SET niet gezet$/)
  assert.match(await page.evaluate(() => RED.nodes.getNodeHelp('ttn-guard')), /<h3>Uitvoer<\/h3>/)
  await editor.openNetwork(REQUEST)
  const dialog = page.locator('.red-ui-tray').last()
  for (const label of ['Toegangssleutel', 'Komt uit', 'Applicatie', 'Verbinding testen']) await dialog.getByText(label).first().waitFor()
  assert.doesNotMatch(await dialog.innerText(), /\bttn\.\w+\.|Comes from|Access key|Test connection/)
})
