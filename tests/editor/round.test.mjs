// A whole round in the editor, as somebody with a network of their own goes it: from an imported example to a running flow,
// and to the next key. The package is installed as a user has it, in the real `node-red`.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'

import { EditorPage } from './page.mjs'
import { startNodeRed } from './process.mjs'

const { Sandbox } = createRequire(import.meta.url)('../../node/index.js')

const REQUEST = '#ttn-example-access-key-grpc'
const NETWORK = 'ttn-example-access-key-network'
const SECRET = '#node-config-input-secret'
const WRONG = 'ttn-account-v2.a-key-that-nobody-has-given'

const editor = new EditorPage()
let nodeRed, sandbox, reader

before(async () => {
  sandbox = await Sandbox.start({ rateLimit: false })
  reader = sandbox.addAccessKey(sandbox.appId, ['messages:up:r'])
  nodeRed = await startNodeRed()
  await editor.open(nodeRed.url)
})
after(async () => {
  await editor.close()
  await nodeRed?.remove()
  await sandbox?.stop()
})

const note = () => editor.page.innerText('#ttn-secret-note')

/** Presses Test connection; resolves to what it says, by transport. */
async function tested() {
  const { page } = editor
  await page.click('#ttn-test')
  const rows = {}
  for (const transport of ['grpc', 'http']) {
    const row = page.locator(`#ttn-test-report .ttn-test-row[data-transport=${transport}]`).and(page.locator('.ttn-good, .ttn-wrong'))
    await row.waitFor()
    rows[transport] = { good: (await row.getAttribute('class')).includes('ttn-good'), text: await row.innerText() }
  }
  return rows
}

test('the example is imported, and its key tested before the first deployment', async () => {
  const { page } = editor
  await page.click('#red-ui-header-button-sidemenu')
  await editor.importExample('ttn-request')
  await page.click('.red-ui-tab:has-text("The Things Network")')
  await editor.openNetwork(REQUEST)
  await page.fill('#node-config-input-grpcAddress', sandbox.grpcAddress)
  await page.fill('#node-config-input-httpAddress', sandbox.httpAddress)
  await page.fill(SECRET, sandbox.accessKey)
  for (const [transport, { good, text }] of Object.entries(await tested())) assert.ok(good, `${transport}: ${text}`)
})

test('what is wrong with a credential is said, and what to do', async () => {
  const { page } = editor
  await page.fill(SECRET, WRONG)
  assert.equal(await note(), '', 'it looks like a key')
  for (const [transport, { good, text }] of Object.entries(await tested())) {
    assert.equal(good, false, transport)
    assert.match(text, /access key/i, transport)
  }
  for (const [secret, text] of [
    [sandbox.bearerToken, /looks like a bearer token/],
    ['ttn-account-v2.a key', /blank/],
    ['${TTN_NEVER_SET}', /TTN_NEVER_SET is not set/],
  ]) {
    await page.fill(SECRET, secret)
    // Whether a variable is set is asked of Node-RED.
    await page.locator('#ttn-secret-note.ttn-wrong', { hasText: text }).waitFor()
    await page.click('#ttn-test')
    await page.locator('#ttn-test-report .ttn-wrong').first().waitFor()
    assert.equal(await page.locator('#ttn-test-report .ttn-good').count(), 0, secret.slice(0, 20))
  }
})

test('it is deployed and pressed: the status and the debug sidebar show the device', async () => {
  const { page } = editor
  await page.fill(SECRET, sandbox.accessKey)
  await editor.closeDialogs(true)
  await editor.deploy()
  await page.evaluate(() => RED.sidebar.show('debug'))
  await editor.press(REQUEST)
  await editor.status(REQUEST, /^ok \d+ ms$/)
  assert.match(await page.locator('.red-ui-debug-msg').first().innerText(), /dev-1/)
})

test('the exported flow has no secret; after a reload the field is masked', async () => {
  const { page } = editor
  const text = await editor.exported()
  assert.ok(text.includes(NETWORK) && text.includes(sandbox.grpcAddress))
  await editor.reload()
  await page.click('.red-ui-tab:has-text("The Things Network")')
  await editor.openNetwork(REQUEST)
  assert.equal(await page.inputValue(SECRET), '__PWRD__')
  assert.equal(await page.getAttribute(SECRET, 'type'), 'password')
  for (const [transport, { good, text: said }] of Object.entries(await tested())) assert.ok(good, `the stored key is tested, ${transport}: ${said}`)
  await editor.closeDialogs(false)
  for (const secret of [sandbox.accessKey, WRONG, sandbox.bearerToken]) {
    assert.ok(!text.includes(secret), 'export')
    assert.ok(!nodeRed.read('flows.json').includes(secret), 'flow file')
    assert.ok(!nodeRed.log.includes(secret), 'log')
    for (const { url, text: sent } of editor.received) assert.ok(!sent.includes(secret), url)
  }
})

test('a deployment of modified nodes takes a new key', async () => {
  const { page } = editor
  await page.click('#red-ui-header-button-deploy-options')
  await page.click('#deploymenu-item-node')
  for (const [key, status] of [[reader, /^right missing$/], [sandbox.accessKey, /^ok \d+ ms$/]]) {
    await editor.openNetwork(REQUEST)
    await page.fill(SECRET, key)
    await editor.closeDialogs(true)
    const sent = page.waitForRequest((request) => request.url().endsWith('/flows') && request.method() === 'POST')
    await editor.deploy()
    assert.equal((await sent).headers()['node-red-deployment-type'], 'nodes')
    await editor.press(REQUEST)
    await editor.status(REQUEST, status)
  }
})
