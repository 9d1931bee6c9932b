// The nodes in the real editor, in a real browser, as a newcomer uses them.
// UPDATE_SCREENSHOTS=1 writes the README's pictures; otherwise they go to the system's temporary folder.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { withEditor } from './editor.mjs'

const REQUEST = '#ttn-example-access-key-grpc'
const KEY = 'ttn-account-v2.a-key-the-browser-sends'
const SECRET = '#node-config-input-secret'

const editor = withEditor()

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
  for (const request of ['access-key-grpc', 'access-key-http']) {
    await editor.press(`#ttn-example-${request}`)
    // The sandbox's token is good for an hour.
    await editor.status(`#ttn-example-${request}`, request.startsWith('bearer') ? /^ok \d+ ms, token expires in \d+ min$/ : /^ok \d+ ms$/)
  }
  await page.waitForFunction(() => document.querySelectorAll('.red-ui-debug-msg').length === 2)
  assert.match(await page.locator('.red-ui-debug-msg').first().innerText(), /dev-1/)
  const closed = page.locator('.red-ui-debug-msg').first().locator('.red-ui-debug-msg-expandable.collapsed > .red-ui-debug-msg-object-header, .collapsed .red-ui-debug-msg-expandable')
  for (let depth = 0; depth < 2 && (await closed.count()) > 0; depth += 1) await closed.first().click()
  await page.locator('.red-ui-palette-node[data-palette-type="ttn-request"]').scrollIntoViewIfNeeded()
  await editor.picture('flow.png')
})

test('the secret is masked, and was never sent to the browser', async () => {
  const { page, received } = editor
  await editor.openNetwork(REQUEST)
  assert.equal(await page.getAttribute(SECRET, 'type'), 'password')
  assert.equal(await page.inputValue(SECRET), '__PWRD__')
  assert.equal(await page.isChecked('input[name=ttn-kind][value=access-key]'), true)
  assert.equal(await page.inputValue('#node-config-input-grpcAddress'), editor.sandbox.grpcsAddress)
  assert.equal(await page.innerText('#ttn-secret-note'), '')
  const { width, height } = page.viewportSize()
  // The whole dialog, without a scroll bar.
  await page.setViewportSize({ width, height: 960 })
  await editor.picture('config.png', page.locator('.red-ui-tray').last())
  await page.setViewportSize({ width, height })
  const untranslated = await page.evaluate(() => document.body.innerText.match(/\bttn\.(label|kind|note|call|status)\.\S+/g))
  assert.equal(untranslated, null)
  assert.ok(received.some(({ text }) => text.includes('has_secret')), 'the credentials were asked for')
  for (const { url, text } of received) {
    for (const secret of [editor.sandbox.accessKey, editor.sandbox.bearerToken]) assert.ok(!text.includes(secret), url)
  }
})

test('what looks wrong about a secret is said while it is typed', async () => {
  const { page } = editor
  const expired = editor.sandbox.mintToken({ expiresIn: -3600 })
  const fresh = editor.sandbox.mintToken({ expiresIn: 3600 })
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
    ['GRPCS://host', /^Used: grpcs:\/\/host:1904$/],
    ['host:1904', /^Used: grpcs:\/\/host:1904$/],
    ['https://host:1905/', /^Used: grpcs:\/\/host:1905$/],
    ['grpcs://host:1904', /^$/],
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
  await editor.closeDialogs(false)
})

test('a cancelled dialog changes nothing; a new key is used after a deployment, and does not come back', async () => {
  const { page, received } = editor
  await editor.press(REQUEST)
  await editor.status(REQUEST, /^ok \d+ ms$/)
  await editor.openNetwork(REQUEST)
  await page.fill(SECRET, KEY)
  await editor.closeDialogs(true)
  received.length = 0
  await editor.deploy()
  await editor.press(REQUEST)
  await editor.status(REQUEST, /^access key refused$/)
  await editor.openNetwork(REQUEST)
  assert.equal(await page.inputValue(SECRET), '__PWRD__')
  await editor.closeDialogs(false)
  await editor.reload()
  for (const { url, text } of received) assert.ok(!text.includes(KEY), url)
})

test('the request dialog shows the fields of the chosen call', async () => {
  const { page } = editor
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
