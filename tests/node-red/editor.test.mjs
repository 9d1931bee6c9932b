// The nodes in the real editor, in a real browser, as a newcomer uses them.
// UPDATE_SCREENSHOTS=1 writes the README's pictures; otherwise they go to the system's temporary folder.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { example, wire } from '../../scripts/example.mjs'
import { startNodeRed } from '../../scripts/node-red.mjs'
import { root } from '../../scripts/prepare.mjs'
import { openEditor } from './browser.mjs'
import { Sandbox, nodeRed as version } from './support.mjs'

const REQUEST = '#ttn-example-access-key-grpc'
const KEY = 'ttn-account-v2.a-key-the-browser-sends'
const SECRET = '#node-config-input-secret'
const images = process.env.UPDATE_SCREENSHOTS ? join(root, 'docs', 'images') : join(tmpdir(), 'ttn-auth-images')

let sandbox, nodeRed, userDir, editor
before(async () => {
  sandbox = await Sandbox.start({ rateLimit: false })
  userDir = mkdtempSync(join(tmpdir(), 'ttn-editor-'))
  nodeRed = await startNodeRed({ userDir, nodeRed: version })
  await nodeRed.deploy(wire(example(), sandbox))
  editor = await openEditor(nodeRed.url)
  mkdirSync(images, { recursive: true })
})
after(async () => {
  await editor?.browser.close()
  await nodeRed?.stop()
  await sandbox?.stop()
  rmSync(userDir, { recursive: true, force: true })
})

const press = (request) => editor.page.click(`${request}-press .red-ui-flow-node-button-button`)
const status = (request, text) => editor.page.locator(`${request} .red-ui-flow-node-status-label`, { hasText: text }).waitFor()
/** Opens the request node's dialog, then its network's. */
async function openNetwork() {
  const { page } = editor
  await page.dblclick(`${REQUEST} .red-ui-flow-node`)
  await page.click('#node-input-btn-network-edit')
  await page.waitForSelector('#node-config-dialog-ok')
  // The dialog slides in; a click, even on trial, waits until it stands still.
  await page.click('#node-config-dialog-ok', { trial: true })
}
async function closeDialogs(ok) {
  const { page } = editor
  await page.click(ok ? '#node-config-dialog-ok' : '#node-config-dialog-cancel')
  await page.click(ok ? '#node-dialog-ok' : '#node-dialog-cancel')
  await page.waitForSelector('.red-ui-tray', { state: 'detached' })
}

/** A picture without the pointer's marks and without passing notices. */
async function picture(name, of = editor.page) {
  const { page } = editor
  await page.mouse.move(700, 660)
  await page.waitForFunction(() => $('.red-ui-notification:visible').length === 0)
  await of.screenshot({ path: join(images, name) })
}

test('the palette, the help and the labels are there', async () => {
  const { page } = editor
  const palette = page.locator('.red-ui-palette-node[data-palette-type="ttn-request"]')
  assert.match(await palette.innerText(), /ttn request/)
  const category = page.locator('.red-ui-palette-category', { has: palette })
  assert.match(await category.locator('.red-ui-palette-header').innerText(), /The Things Network/)
  assert.match(await page.locator(REQUEST).textContent(), /getDevice dev-1/)
  // A key that no text was found for would be shown as it is.
  const help = await page.evaluate(() => RED.nodes.getNodeHelp('ttn-request') + RED.nodes.getNodeHelp('ttn-credentials'))
  assert.match(help, /msg\.error\.code/)
  assert.match(help, /never sent back to the editor/)
})

test('a button reads the device, and the status and the debug sidebar show it', async () => {
  const { page } = editor
  await page.evaluate(() => RED.sidebar.show('debug'))
  for (const request of ['access-key-grpc', 'access-key-http', 'bearer-token-grpc', 'bearer-token-http']) {
    await press(`#ttn-example-${request}`)
    await status(`#ttn-example-${request}`, /^ok \d+ ms$/)
  }
  await page.waitForFunction(() => document.querySelectorAll('.red-ui-debug-msg').length === 4)
  assert.match(await page.locator('.red-ui-debug-msg').first().innerText(), /dev-1/)
  const closed = page.locator('.red-ui-debug-msg').first().locator('.red-ui-debug-msg-expandable.collapsed > .red-ui-debug-msg-object-header, .collapsed .red-ui-debug-msg-expandable')
  for (let depth = 0; depth < 2 && (await closed.count()) > 0; depth += 1) await closed.first().click()
  await page.locator('.red-ui-palette-node[data-palette-type="ttn-request"]').scrollIntoViewIfNeeded()
  await picture('flow.png')
})

test('the secret is masked, and was never sent to the browser', async () => {
  const { page, received } = editor
  await openNetwork()
  assert.equal(await page.getAttribute(SECRET, 'type'), 'password')
  assert.equal(await page.inputValue(SECRET), '__PWRD__')
  assert.equal(await page.isChecked('input[name=ttn-kind][value=access-key]'), true)
  assert.equal(await page.inputValue('#node-config-input-grpcAddress'), sandbox.grpcsAddress)
  assert.equal(await page.innerText('#ttn-secret-note'), '')
  await picture('config.png', page.locator('.red-ui-tray').last())
  const untranslated = await page.evaluate(() => document.body.innerText.match(/\bttn\.(label|kind|note|call|status)\.\S+/g))
  assert.equal(untranslated, null)
  assert.ok(received.some(({ text }) => text.includes('has_secret')), 'the credentials were asked for')
  for (const { url, text } of received) {
    for (const secret of [sandbox.accessKey, sandbox.bearerToken]) assert.ok(!text.includes(secret), url)
  }
})

test('what looks wrong about a secret is said while it is typed', async () => {
  const { page } = editor
  const expired = sandbox.mintToken({ expiresIn: -3600 })
  const fresh = sandbox.mintToken({ expiresIn: 3600 })
  for (const [kind, secret, note] of [
    ['access-key', fresh, /looks like a bearer token/],
    ['access-key', 'my key', /blank/],
    ['access-key', 'Key ttn-account-v2.abc', /Leave out “Key ”/],
    ['access-key', 'default key'.split(' ')[0], /one dot/],
    ['access-key', 'a.b.c', /exactly one dot/],
    ['access-key', '${TTN_KEY}', /variable TTN_KEY/],
    ['access-key', 'ttn-account-v2.abc', /^$/],
    ['bearer-token', 'ttn-account-v2.abc', /looks like an access key/],
    ['bearer-token', `Bearer ${fresh}`, /Leave out “Bearer ”/],
    ['bearer-token', expired, /expired on/],
    ['bearer-token', fresh, /Valid until/],
    ['bearer-token', 'NNSXS.AAA.BBB', /The Things Stack/],
    ['bearer-token', 'abc', /starts with eyJ/],
  ]) {
    await page.check(`input[name=ttn-kind][value=${kind}]`)
    await page.fill(SECRET, secret)
    assert.match(await page.innerText('#ttn-secret-note'), note, `${kind}: ${secret.slice(0, 20)}`)
  }
  for (const [address, note] of [
    ['ftp://x', /^ftp:\/\/ is no way/],
    ['grpcs://me:hunter2@host', /Leave out the user/],
    ['me@host', /Leave out the user/],
    ['GRPCS://host', /^$/],
    ['host:1904', /^$/],
    ['${TTN_ADDRESS}', /^$/],
  ]) {
    await page.fill('#node-config-input-grpcAddress', address)
    assert.match(await page.innerText('#ttn-address-note'), note, address)
  }
  await page.fill('#node-config-input-timeout', '${TTN_TIMEOUT}')
  assert.equal(await page.locator('#node-config-input-timeout.input-error').count(), 0)
  await page.fill('#node-config-input-grpcAddress', 'grpc://192.0.2.1:1904')
  assert.match(await page.innerText('#ttn-address-note'), /will be refused/)
  await page.check('#node-config-input-allowInsecure')
  assert.match(await page.innerText('#ttn-address-note'), /anyone/)
  await closeDialogs(false)
})

test('a cancelled dialog changes nothing; a new key is used after a deployment, and does not come back', async () => {
  const { page, received } = editor
  await press(REQUEST)
  await status(REQUEST, /^ok \d+ ms$/)
  await openNetwork()
  await page.fill(SECRET, KEY)
  await closeDialogs(true)
  received.length = 0
  const answer = page.waitForResponse((response) => response.url().endsWith('/flows') && response.request().method() === 'POST')
  await page.click('#red-ui-header-button-deploy')
  assert.ok((await answer).ok())
  await page.waitForSelector('#red-ui-header-button-deploy.disabled')
  await press(REQUEST)
  await status(REQUEST, /^access key refused$/)
  await openNetwork()
  assert.equal(await page.inputValue(SECRET), '__PWRD__')
  await closeDialogs(false)
  await page.reload()
  await page.waitForFunction(() => window.RED?.nodes?.getType?.('ttn-request') && window.RED.nodes.filterNodes({}).length > 0)
  for (const { url, text } of received) assert.ok(!text.includes(KEY), url)
})

test('the request dialog shows the fields of the chosen call', async () => {
  const { page } = editor
  await page.waitForSelector('#red-ui-loading-progress', { state: 'hidden' })
  await page.dblclick(`${REQUEST} .red-ui-flow-node`)
  const rows = () => page.evaluate(() => $('.ttn-row:visible').toArray().map((row) => $(row).data('for')))
  await page.waitForSelector('#node-input-call')
  assert.deepEqual(await rows(), ['transport', 'app_id', 'dev_id'])
  for (const [call, shown] of [
    ['getDevices', ['transport', 'app_id']],
    ['setDevice', ['transport', 'app_id', 'dev_id', 'payload']],
    ['dryUplink', ['transport', 'payload']],
    ['http', ['route', 'app_id', 'dev_id']],
    ['grpc', ['rpc', 'payload']],
  ]) {
    await page.selectOption('#node-input-call', call)
    assert.deepEqual(await rows(), shown, call)
  }
  await page.selectOption('#node-input-call', 'http')
  for (const [method, tip] of [['POST', ['payload']], ['HEAD', []], ['PUT', ['payload']], ['DELETE', ['payload-delete']], ['PATCH', ['payload']], ['GET', []]]) {
    await page.selectOption('#node-input-httpMethod', method)
    assert.deepEqual(await rows(), ['route', 'app_id', 'dev_id', ...tip], method)
  }
  await page.selectOption('#node-input-call', 'simulateUplink')
  await page.selectOption('#node-input-transport', 'http')
  assert.deepEqual(await rows(), ['transport', 'grpc-only', 'app_id', 'dev_id', 'payload'])
  await page.click('#node-dialog-cancel')
})
