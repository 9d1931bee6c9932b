// The Things Stack in the real editor, as somebody with an API key goes: the example, one config node, its test, and a flow
// that reads devices over gRPC and HTTP, shows events, and tells rights and expiry.
// UPDATE_SCREENSHOTS=1 writes the README's pictures.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { withEditor } from './editor.mjs'

const [GRPC, HTTP, KEY, EVENTS] = ['devices-grpc', 'devices-http', 'about-key', 'events-all'].map((name) => `#ttn-stack-${name}`)
const editor = withEditor(() => [])
const field = (name) => `#node-config-input-${name}`
const note = (name) => editor.page.innerText(`#ttn-${name}-note`)
const kind = (value) => editor.page.check(`input[name=ttn-kind][value=${value}]`)
const choose = (name, value) => editor.page.selectOption(field(name), value)
const fill = async (name, text) => {
  await editor.page.fill(field(name), text)
  await editor.page.press(field(name), 'End')
}
const debugged = () => editor.page.locator('.red-ui-debug-msg')
let key

/** Presses Test connection; resolves to each row's text by transport, and whether it is good. */
async function press() {
  const { page } = editor
  const answer = page.waitForResponse((response) => response.url().endsWith('ttn-credentials/test'))
  await page.click('#ttn-test')
  await answer
  await page.waitForSelector('.ttn-test-row')
  return page.evaluate(() => $('.ttn-test-row').toArray().map((row) => [$(row).attr('data-transport') ?? null, $(row).hasClass('ttn-good'), row.innerText]))
}

test('the example is imported; its network is the first public cluster', async () => {
  const { page, sandbox } = editor
  key = sandbox.stack.addApiKey({ application: 'app1', name: 'for Node-RED', rights: ['RIGHT_APPLICATION_ALL'], expiresAt: Date.now() + 3 * 86_400_000 + 600_000 })
  await page.click('#red-ui-header-button-sidemenu')
  await editor.importExample('the-things-stack')
  await page.click('.red-ui-tab:has-text("The Things Stack")')
  await editor.openNetwork(GRPC)
  assert.deepEqual(await Promise.all(['network', 'cluster', 'kind'].map((name) => page.inputValue(field(name)))), ['the-things-stack', 'eu1', 'api-key'])
  for (const hidden of ['grpcAddress', 'httpAddress', 'discovery', 'accountServer', 'clientId', 'exchange']) assert.equal(await page.isVisible(field(hidden)), false, hidden)
  assert.equal(await page.isVisible('#ttn-preset'), false)
  assert.equal(await note('address'), 'Used: grpcs://eu1.cloud.thethings.network:8884, https://eu1.cloud.thethings.network')
  assert.match(await note('tenant'), /ends with @ttn\.$/)
  await choose('cluster', 'nam1')
  assert.match(await note('address'), /grpcs:\/\/nam1\./)
  assert.match(await note('tenant'), /Calls by name go to eu1, .* to nam1\.$/)
})

test('what looks wrong about a secret is said, of either network', async () => {
  const { page, sandbox } = editor
  const { stack } = sandbox
  for (const [chosen, secret, expected] of [
    ['api-key', stack.key('app1_all'), /^$/],
    ['api-key', `Bearer ${stack.apiKey}`, /Leave out “Bearer ”/],
    ['api-key', stack.key('oauth_access'), /OAuth access token. Choose Bearer token/],
    ['api-key', stack.key('session_token'), /session token of the Console/],
    ['api-key', stack.key('code'), /authorization code/],
    ['api-key', stack.key('oauth_refresh'), /Choose Refresh token above/],
    ['api-key', sandbox.bearerToken, /JSON Web Token, as V2/],
    ['api-key', sandbox.accessKey, /access key of V2/],
    ['api-key', stack.apiKey.toLowerCase(), /looks like NNSXS/],
    ['api-key', stack.apiKey.slice(0, -10), /complete/],
    ['bearer-token', stack.apiKey, /This is an API key/],
    ['bearer-token', stack.key('oauth_access'), /^$/],
    ['bearer-token', stack.key('session_token'), /all that its user may/],
    ['refresh-token', stack.key('oauth_refresh'), /^$/],
    ['refresh-token', stack.key('oauth_access'), /token that calls take/],
  ]) {
    await kind(chosen)
    await fill('secret', secret)
    assert.match(await note('secret'), expected, `${chosen}: ${secret.slice(0, 20)}`)
  }
  assert.equal(await page.isVisible(field('clientId')), true, 'a refresh token is its OAuth client’s')
  assert.equal(await page.isVisible(field('accountServer')), false)
  assert.match(await note('store'), /next one must be kept/)
  await choose('network', 'v2')
  assert.equal(await page.isChecked('input[name=ttn-kind][value=access-key]'), true)
  assert.match(await note('secret'), /of The Things Stack/)
  for (const shown of ['grpcAddress', 'exchange']) assert.equal(await page.isVisible(field(shown)), true, shown)
  for (const hidden of ['cluster', 'tenant']) assert.equal(await page.isVisible(field(hidden)), false, hidden)
  await choose('network', 'the-things-stack')
  assert.equal(await page.isChecked('input[name=ttn-kind][value=api-key]'), true)
})

test('Test connection says what the key is, before anything is deployed, and which right is missing', async () => {
  const { page, sandbox } = editor
  const { stack } = sandbox
  await choose('cluster', 'own')
  await fill('grpcAddress', stack.grpcAddress)
  await fill('httpAddress', stack.httpAddress)
  await fill('appId', 'app1')
  await fill('secret', stack.key('app1_info_only'))
  for (const [, good, text] of await press()) {
    assert.equal(good, true)
    assert.match(text, /good, but this key has no right to read devices of app1\nAPI key \S+ .*of application app1 · .*\n1 rights: APPLICATION_INFO\n/)
  }
  await fill('secret', stack.key('app1_expired'))
  for (const [, good, text] of await press()) assert.match(`${good} ${text}`, /^false .*key expired/)
  await fill('secret', key)
  assert.equal(await page.innerText('#ttn-claims'), `id ${key.split('.')[1]}`)
  for (const [transport, good, text] of await press()) {
    assert.equal(good, true, transport)
    assert.match(text, /good, \d+ ms, and may read devices of app1\nAPI key \S+ “for Node-RED” of application app1 · expires in 3 d\n\d+ rights: APPLICATION_ALL/)
  }
  const { width, height } = page.viewportSize()
  await page.setViewportSize({ width, height: 900 })
  await editor.picture('stack-config.png', page.locator('.red-ui-tray').last())
  await page.setViewportSize({ width, height })
  const untranslated = await page.evaluate(() => document.body.innerText.match(/\bttn\.(label|kind|note|call|status|claims|test|cluster|network|info|entity)\.\S+/g))
  assert.equal(untranslated, null)
  await editor.closeDialogs(true)
})

test('one config node: devices over gRPC and over HTTP, and when the key ends', async () => {
  const { page } = editor
  await editor.deploy()
  await page.evaluate(() => RED.sidebar.show('debug'))
  // Nobody has called yet.
  await editor.status(KEY, /^key expires in 3 d$/)
  for (const request of [GRPC, HTTP]) {
    await editor.press(request)
    await editor.status(request, /^ok \d+ ms, key expires in 3 d$/)
  }
  await page.waitForFunction(() => document.querySelectorAll('.red-ui-debug-msg').length === 2)
  assert.match(await debugged().first().innerText(), /array\[3\]/)
})

test('events come as they happen, and what the key may do is told', async () => {
  const { page, sandbox } = editor
  await editor.status(EVENTS, /^connected, expires in 3 d$/)
  sandbox.stack.emit('app1', {
    name: 'as.up.data.forward', identifiers: [{ device_ids: { device_id: 'dev1', application_ids: { application_id: 'app1' } } }],
  })
  await debugged().filter({ hasText: 'as.up.data.forward' }).waitFor()
  await page.click('#ttn-stack-about-press .red-ui-flow-node-button-button')
  await editor.status(KEY, /^ok \d+ ms, key expires in 3 d$/)
  const said = debugged().filter({ hasText: 'api-key' })
  await said.waitFor()
  await page.setViewportSize({ width: 1480, height: 720 })
  await page.locator('.red-ui-palette-node[data-palette-type="ttn-events"]').scrollIntoViewIfNeeded()
  await page.evaluate(() => $('#red-ui-workspace-chart').scrollLeft(0).scrollTop(0))
  await editor.picture('stack.png')
  sandbox.stack.breakStreams()
  await editor.status(EVENTS, /^connected, expires in 3 d$/)
})

test('the request dialog offers the calls of its network, and the fields of each', async () => {
  const { page } = editor
  await editor.openNode('ttn-stack', GRPC)
  const rows = () => page.evaluate(() => $('.ttn-row:visible').toArray().map((row) => $(row).data('for')))
  const offered = () => page.evaluate(() => $('#node-input-call option').toArray().map(({ value }) => value))
  assert.deepEqual((await offered()).filter((call) => /^(getDevice|setDevice|dryUplink)$/.test(call)), [])
  for (const [call, shown] of [
    ['endDevices.list', ['transport', 'app_id', 'field_mask', 'pages']],
    ['endDevices.get', ['transport', 'app_id', 'dev_id', 'field_mask']],
    ['endDevices.update', ['transport', 'app_id', 'dev_id', 'field_mask', 'payload-stack']],
    ['applications.create', ['transport', 'app_id', 'user_id', 'payload-stack']],
    ['applications.list', ['transport', 'user_id', 'field_mask', 'pages']],
    ['authInfo', ['transport']],
    ['http', ['route', 'app_id', 'dev_id']],
  ]) {
    await page.selectOption('#node-input-call', call)
    assert.deepEqual(await rows(), shown, call)
  }
  await editor.closeNode(false)
})

test('the example of MQTT is imported with the variables that stand for username and password', async () => {
  const { page } = editor
  await page.click('#red-ui-header-button-sidemenu')
  await editor.importExample('mqtt')
  await page.waitForFunction(() => RED.nodes.node('ttn-mqtt-broker'))
  const broker = await page.evaluate(() => RED.nodes.node('ttn-mqtt-broker').credentials)
  assert.deepEqual([broker.user, broker.password], ['${TTN_MQTT_USERNAME}', '${TTN_MQTT_PASSWORD}'])
})

test('another network in the dialog: what comes nearest is chosen; a call of the wrong one marks the node', async () => {
  const { page } = editor
  await page.evaluate(() => {
    RED.nodes.import([
      { id: 'other-tab', type: 'tab', label: 'other' },
      { id: 'v2-network', type: 'ttn-credentials', name: 'v2', kind: 'access-key', appId: 'test-app', grpcAddress: 'grpc://127.0.0.1:1904' },
      { id: 'old', type: 'ttn-request', z: 'other-tab', x: 300, y: 100, network: 'ttn-stack-network', call: 'getDevices', wires: [[]] },
      { id: 'guard', type: 'ttn-guard', z: 'other-tab', x: 300, y: 160, right: 'devices', appFrom: 'path', outputs: 1, wires: [[]] },
      { id: 'listens', type: 'ttn-events', z: 'other-tab', x: 300, y: 220, network: 'v2-network', transport: 'grpc', appId: '', devId: '', names: '', wires: [[]] },
    ])
  })
  assert.deepEqual(await Promise.all(['old', 'guard', 'listens'].map(async (id) => (await editor.held(id)).valid)), [false, true, false])
  await editor.openNode('other-tab', '#old')
  assert.equal(await page.inputValue('#node-input-call'), 'endDevices.list')
  await page.selectOption('#node-input-network', 'v2-network')
  assert.equal(await page.inputValue('#node-input-call'), 'getDevices')
  await page.selectOption('#node-input-network', 'ttn-stack-network')
  assert.equal(await page.inputValue('#node-input-call'), 'endDevices.list')
  await editor.closeNode(true)
  const { valid, call } = await editor.held('old')
  assert.deepEqual([valid, call], [true, 'endDevices.list'])
})

test('ttn-events says what looks wrong', async () => {
  const { page } = editor
  const said = (name) => page.innerText(`#ttn-events-${name}-note`)
  await editor.openNode('other-tab', '#listens')
  assert.match(await said('network'), /V2, which has no events/)
  await page.selectOption('#node-input-network', 'ttn-stack-network')
  assert.equal(await said('network'), '')
  await editor.enter('#node-input-appId', 'app1, app2')
  await editor.enter('#node-input-devId', 'dev1')
  assert.match(await said('devices'), /one application/)
  await editor.enter('#node-input-appId', 'app1')
  assert.equal(await said('devices'), '')
  for (const [names, wrong] of [['as.up.data.forward, /as\\..*/', false], ['as up', false], ['AS!', true]]) {
    await editor.enter('#node-input-names', names)
    assert.equal(await page.locator('#ttn-events-names-note.ttn-wrong').count(), wrong ? 1 : 0, names)
  }
  await editor.enter('#node-input-names', '')
  await editor.closeNode(true)
  assert.equal((await editor.held('listens')).valid, true)
})

test('ttn-guard asks The Things Stack if its network is one, for its rights', async () => {
  const { page } = editor
  await editor.openNode('other-tab', '#guard')
  const offered = () => page.evaluate(() => $('#node-input-right option').toArray().map(({ value }) => value))
  assert.ok(!(await offered()).some((right) => right.startsWith('RIGHT_')))
  assert.equal(await page.isVisible('#node-input-issuer'), true)
  await page.selectOption('#node-input-network', 'ttn-stack-network')
  assert.equal(await page.inputValue('#node-input-right'), 'devices')
  await page.selectOption('#node-input-right', 'RIGHT_APPLICATION_DEVICES_READ')
  for (const hidden of ['issuer', 'accountServer']) assert.equal(await page.isVisible(`#node-input-${hidden}`), false, hidden)
  await editor.closeNode(true)
  const { valid, right, network } = await editor.held('guard')
  assert.deepEqual([valid, right, network], [true, 'RIGHT_APPLICATION_DEVICES_READ', 'ttn-stack-network'])
  await editor.openNode('other-tab', '#guard')
  assert.equal(await page.inputValue('#node-input-right'), right)
  await editor.closeNode(false)
})

test('nothing of the key is in the export, or was sent to the browser', async () => {
  const text = await editor.exported()
  const secret = key.split('.')[2]
  assert.ok(text.includes('ttn-stack-network') && !text.includes(secret))
  editor.received.length = 0
  await editor.reload()
  for (const { url, text: sent } of editor.received) assert.ok(!sent.includes(secret), url)
})
