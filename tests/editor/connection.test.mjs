// Test connection and what else the dialog of ttn-credentials knows before a deployment, in the real editor.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, before, test } from 'node:test'

import { withEditor } from './editor.mjs'

const REQUEST = '#ttn-example-access-key-grpc'
const NETWORK = 'ttn-example-access-key-network'
const editor = withEditor()
process.env.TTN_TEST_OF_PROCESS = 'ttn-account-v2.of-the-process'
after(() => delete process.env.TTN_TEST_OF_PROCESS)

/** A server that never answers, which hears what comes. */
let silent, heard = []
before(async () => {
  silent = createServer((socket) => {
    heard.push(socket)
    socket.on('error', () => {})
    socket.resume()
  })
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
})
after(() => {
  for (const socket of heard) socket.destroy()
  silent.close()
})
const silentAt = (scheme) => `${scheme}://127.0.0.1:${silent.address().port}`

const field = (name) => `#node-config-input-${name}`
const fill = async (name, text) => {
  await editor.page.fill(field(name), text)
  await editor.page.press(field(name), 'End')
}
const choose = (name, value) => editor.page.selectOption(field(name), value)
const kind = (value) => editor.page.check(`input[name=ttn-kind][value=${value}]`)
const note = (name) => editor.page.locator(`#ttn-${name}-note`)
const claims = () => editor.page.innerText('#ttn-claims')
const held = (id) => editor.page.evaluate((wanted) => RED.nodes.node(wanted).valid, id)

/** Presses the button; resolves to the rows of the report: [transport, whether it is good, text]. */
async function press() {
  const { page } = editor
  const answer = page.waitForResponse((response) => response.url().endsWith('ttn-credentials/test'))
  await page.click('#ttn-test')
  await answer
  await page.waitForSelector('.ttn-test-row')
  return page.evaluate(() => $('.ttn-test-row').toArray().map((row) => [$(row).attr('data-transport') ?? null, $(row).hasClass('ttn-good'), row.innerText]))
}

/** Opens the dialog of a network that is not there yet. */
async function addNetwork() {
  const { page } = editor
  await page.dblclick(`${REQUEST} .red-ui-flow-node`)
  await page.click('#node-input-btn-network-add')
  await page.waitForSelector('#node-config-dialog-ok')
  await page.click('#node-config-dialog-ok', { trial: true })
  await choose('network', 'v2')
}

test('before the first deployment: a preset, a key, and both transports are reported', async () => {
  const { page, sandbox, received } = editor
  await addNetwork()
  assert.equal(await note('secret').innerText(), '', 'nothing is lost of a node that is new')
  await page.selectOption('#ttn-preset', 'sandbox')
  const addresses = async () => [await page.inputValue(field('grpcAddress')), await page.inputValue(field('httpAddress'))]
  assert.deepEqual(await addresses(), ['grpc://127.0.0.1:1904', 'http://127.0.0.1:8084'])
  await fill('grpcAddress', 'https://ttn.example/')
  await page.selectOption('#ttn-preset', 'handler')
  assert.deepEqual(await addresses(), ['grpcs://ttn.example:1904', 'https://ttn.example:8094'])
  await page.selectOption('#ttn-preset', 'plaintext')
  assert.deepEqual(await addresses(), ['grpc://ttn.example:1904', 'http://ttn.example:8084'])
  assert.equal(await page.isVisible(field('allowInsecure')), true)
  await page.selectOption('#ttn-preset', 'discovery')
  assert.deepEqual(await addresses(), ['', ''])
  assert.equal(await page.inputValue(field('discovery')), 'grpcs://discovery.thethings.network:1900')
  assert.match(await note('discovery').innerText(), /Enter the application/)
  await fill('discovery', '')

  const [[, , missing], ...others] = await press()
  assert.match(missing, /no token or key/)
  assert.deepEqual(others, [])
  await fill('secret', sandbox.accessKey)
  assert.match(await claims(), /^issuer ttn-account-v2$/)
  assert.match((await press())[0][2], /no address/)
  await fill('grpcAddress', sandbox.grpcAddress)
  await fill('httpAddress', sandbox.httpAddress)
  assert.equal(await page.inputValue('#ttn-preset'), '')
  assert.match((await press())[0][2], /Enter the application to test with/)
  await fill('appId', sandbox.appId)
  received.length = 0
  const rows = await press()
  assert.deepEqual(rows.map(([transport, good]) => [transport, good]), [['grpc', true], ['http', true]])
  for (const [, , text] of rows) assert.match(text, /good, \d+ ms, 1 device\n/)
  for (const { text } of received) assert.ok(!text.includes(sandbox.accessKey))
})

test('what is wrong is said before anything is sent, and what a server says by each transport', async () => {
  const { page, sandbox } = editor
  for (const [secret, text] of [
    ['ttn-account-v2.wrong', /access key refused: invalid access key[^]*Copy the key again/],
    [sandbox.bearerToken, /looks like a bearer token/],
    ['ttn-account-v2.with a blank', /blank|not allowed|character/],
    ['${TTN_TEST_NOT_SET}', /TTN_TEST_NOT_SET takes effect with the deployment[^]*no such variable/],
    ['${TTN_TEST_OF_PROCESS}', /TTN_TEST_OF_PROCESS takes effect with the deployment\n/],
  ]) {
    await fill('secret', secret)
    assert.equal(await page.locator('.ttn-test-row').count(), 0, 'an edit ends what was reported')
    const rows = await press()
    assert.equal(rows.length, secret.endsWith('wrong') ? 2 : 1)
    for (const [, good, said] of rows) {
      assert.equal(good, false)
      assert.match(said, text)
    }
  }
  await fill('secret', sandbox.mintToken({ kind: 'nodevices' }))
  await kind('bearer-token')
  for (const [, good, said] of await press()) {
    assert.equal(good, true)
    assert.match(said, /right is missing: the credential itself was accepted\n.*No "devices" rights/)
  }
  await kind('access-key')
  await fill('httpAddress', 'http://127.0.0.1:1')
  await fill('secret', sandbox.accessKey)
  const [grpc, http] = await press()
  assert.deepEqual([grpc[1], http[1]], [true, false])
  assert.match(http[2], /HTTP: host unreachable: .*nothing listens[^]*Check the address/)
})

test('another click, an edit and the end of the dialog each end the test that runs', async () => {
  const { page } = editor
  await fill('grpcAddress', '')
  await fill('httpAddress', silentAt('http'))
  const click = async () => {
    const connected = once(silent, 'connection')
    await page.click('#ttn-test')
    const [socket] = await connected
    // In an object: a promise would be waited for.
    return { ended: once(socket, 'close') }
  }
  const first = await click()
  const second = await click()
  await first.ended
  await fill('appId', 'another-app')
  await second.ended
  assert.equal(await page.innerText('#ttn-test-report'), '')
  const third = await click()
  await editor.closeDialogs(false)
  await third.ended
})

test('who may only read is told so, and who is logged out', async () => {
  const { page } = editor
  await editor.openNetwork(REQUEST)
  for (const [status, text] of [[403, /permission ttn-credentials.write/], [401, /Log in again/], [502, /did not answer/]]) {
    await page.route('**/ttn-credentials/test', (route) => route.fulfill({ status, body: '' }))
    const [[, isGood, said]] = await press()
    assert.equal(isGood, false)
    assert.match(said, text)
    await page.unroute('**/ttn-credentials/test')
  }
  await editor.closeDialogs(false)
})

test('a stored secret is tested as it is deployed, and not sent to an address that was edited', async () => {
  const { page } = editor
  await editor.openNetwork(REQUEST)
  assert.equal(await page.inputValue(field('secret')), '__PWRD__')
  for (const [, good, text] of await press()) assert.ok(good, text)
  const before = heard.length
  await fill('httpAddress', silentAt('http'))
  await fill('grpcAddress', silentAt('grpc'))
  const rows = await press()
  assert.equal(rows.length, 1)
  assert.match(rows[0][2], /stored secret is sent only to what is deployed\nEnter it again, or deploy first/)
  assert.equal(heard.length, before)
  await editor.closeDialogs(false)
})

test('claims under the secret: of a typed token, in text; of a deployed secret, from the server', async () => {
  const { page, sandbox } = editor
  await editor.openNetwork(REQUEST)
  await page.waitForFunction(() => $('#ttn-claims').text() === 'As deployed: issuer ttn-account-v2')
  await kind('bearer-token')
  assert.equal(await claims(), '', 'that is not what is deployed')
  const evil = '<img src=x onerror="window.ttnEvil=1">'
  await fill('secret', sandbox.mintToken({ subject: evil, expiresIn: 3 * 86_400 + 600, rights: ['devices', 'settings'] }))
  assert.equal(await claims(), `issuer ttn-account-v2 · subject ${evil} · expires in 3 d\ntest-app: devices, settings`)
  assert.equal(await page.locator('#ttn-claims img').count(), 0)
  assert.equal(await page.evaluate(() => window.ttnEvil), undefined)
  await fill('secret', sandbox.mintToken({ subject: 'me', expiresIn: -2 * 3600 - 60 }))
  assert.match(await claims(), /· subject me · expired 2 h ago\n/)
  assert.match(await note('secret').innerText(), /expired on/)
  const strange = { iss: 7, sub: ['x'], exp: 'soon', apps: { [evil]: { a: 1 }, b: [evil, 5] } }
  await fill('secret', `eyJhbGciOiJub25lIn0.${Buffer.from(JSON.stringify(strange)).toString('base64url')}.x`)
  assert.equal(await claims(), `${evil}: no rights\nb: ${evil}`)
  await fill('secret', 'eyJhbGciOiJub25lIn0.bm90IGpzb24.x')
  assert.equal(await claims(), '')
  await editor.closeDialogs(false)

  await page.evaluate(() => RED.workspaces.show('ttn-exchange'))
  await editor.openNetwork('#ttn-example-bearer-token-grpc')
  await page.waitForFunction(() => /^As deployed: issuer ttn-account-v2 · subject \S+ · expires in (59|60) min|1 h/.test($('#ttn-claims').text()))
  assert.match(await claims(), /\ntest-app: settings, delete/)
  await editor.closeDialogs(false)
})

test('a variable that is set nowhere is named; one of the flow, of all flows, or of the process is fine', async () => {
  const { page } = editor
  await page.evaluate(() => {
    RED.nodes.workspace('ttn-exchange').env = [{ name: 'TTN_TEST_OF_FLOW', type: 'str', value: 'x' }]
    const config = { id: 'a-global-config', type: 'global-config', env: [{ name: 'TTN_TEST_OF_ALL', type: 'str', value: 'x' }] }
    RED.nodes.import([config], { importMap: {} })
  })
  await editor.openNetwork('#ttn-exchange-grpc')
  await choose('source', 'environment')
  const unset = note('secret').filter({ hasText: /is not set/ })
  const fine = note('secret').filter({ hasText: /^\S+ of this node’s flow/ })
  for (const [name, shown] of [['TTN_TEST_NOT_SET', unset], ['TTN_TEST_OF_PROCESS', fine], ['$parent.TTN_TEST_OF_PROCESS', fine], ['TTN_TEST_OF_FLOW', unset], ['TTN_TEST_OF_ALL', fine], ['NR_NODE_NAME', fine]]) {
    await fill('variable', name)
    await shown.waitFor()
    assert.equal(await note('secret').evaluate((element) => element.classList.contains('ttn-wrong')), shown === unset, name)
  }
  // It belongs to all flows; in this one it could use its variables.
  await choose('source', 'stored')
  await fill('secret', '${TTN_TEST_NOT_SET}')
  await note('secret').filter({ hasText: /TTN_TEST_NOT_SET is not set/ }).waitFor()
  await fill('grpcAddress', '${TTN_TEST_ADDRESS}')
  await fill('appId', '$(TTN_TEST_APP)')
  await note('variables').filter({ hasText: /: TTN_TEST_APP, TTN_TEST_ADDRESS$/ }).waitFor()
  await fill('grpcAddress', 'grpcs://${TTN_TEST_OF_PROCESS}:1904')
  assert.match(await note('variables').innerText(), /fills in \$\{TTN_TEST_OF_PROCESS\} only where it is the whole/)
  await editor.closeDialogs(false)
  await page.evaluate(() => {
    RED.nodes.node('ttn-exchange-network').z = 'ttn-exchange'
  })
  await editor.openNetwork('#ttn-exchange-grpc')
  await fill('variable', 'TTN_TEST_OF_FLOW')
  await fine.waitFor()
  await editor.closeDialogs(false)
  // In a subflow, of which an instance is in a group of this flow.
  await page.evaluate(() => {
    const env = (name) => [{ name, type: 'str', value: 'x' }]
    RED.nodes.import([
      { id: 'a-subflow', type: 'subflow', name: 'a subflow', in: [], out: [], env: env('TTN_TEST_OF_SUBFLOW') },
      { id: 'a-group', type: 'group', z: 'ttn-exchange', nodes: ['an-instance'], env: env('TTN_TEST_OF_GROUP'), x: 54, y: 500, w: 200, h: 80 },
      { id: 'an-instance', type: 'subflow:a-subflow', z: 'ttn-exchange', g: 'a-group', x: 150, y: 540, env: env('TTN_TEST_OF_INSTANCE'), wires: [] },
    ])
    RED.nodes.node('ttn-exchange-network').z = 'a-subflow'
    // Nodes outside of the subflow cannot choose it.
    RED.editor.editConfig('', 'ttn-credentials', 'ttn-exchange-network')
  })
  await page.waitForSelector(field('variable'))
  for (const name of ['SUBFLOW', 'INSTANCE', 'GROUP', 'FLOW', 'ALL', 'PROCESS']) {
    await fill('variable', `TTN_TEST_OF_${name}`)
    await fine.waitFor()
    await fill('variable', `$parent.TTN_TEST_OF_${name}`)
    await (['SUBFLOW', 'INSTANCE'].includes(name) ? unset : fine).waitFor()
  }
  await fill('variable', 'TTN_TEST_NOT_SET')
  await unset.waitFor()
  await page.click('#node-config-dialog-cancel')
  await page.waitForSelector('.red-ui-tray', { state: 'detached' })
  await page.evaluate(() => (RED.nodes.node('ttn-exchange-network').z = undefined))
})

test('after an import: the secret is missing, the dialog says so, the nodes are marked, and a deployment warns', async () => {
  const { page } = editor
  await page.evaluate(() => {
    const { grpcAddress } = RED.nodes.node('ttn-example-access-key-network')
    RED.nodes.import([
      { id: 'imported-tab', type: 'tab', label: 'imported' },
      { id: 'imported-network', type: 'ttn-credentials', name: 'imported', kind: 'access-key', appId: 'test-app', grpcAddress },
      { id: 'imported', type: 'ttn-request', z: 'imported-tab', x: 300, y: 100, network: 'imported-network', call: 'getDevice', devId: 'dev-1', wires: [[]] },
    ])
    RED.workspaces.show('imported-tab')
    RED.nodes.dirty(true)
  })
  await page.waitForFunction(() => RED.nodes.node('imported-network').valid === false)
  assert.deepEqual([await held('imported'), await held(NETWORK)], [false, true])
  await page.click('#red-ui-header-button-deploy')
  const warning = page.locator('.red-ui-notification', { hasText: /ttn-credentials/ })
  await warning.waitFor()
  await warning.locator('button').first().click()
  await editor.openNetwork('#imported')
  assert.match(await note('secret').innerText(), /secret is not here: enter it/)
  assert.equal(await note('secret').evaluate((element) => element.classList.contains('ttn-wrong')), true)
  await fill('secret', editor.sandbox.accessKey)
  assert.equal(await note('secret').innerText(), '')
  await editor.closeDialogs(true)
  assert.deepEqual([await held('imported-network'), await held('imported')], [true, true])
  await editor.deploy()
  await editor.reload()
  await page.waitForFunction(() => RED.nodes.node('imported-network')?.valid === true)
})

test('a TLS configuration stands in the place of the certificate', async () => {
  const { page } = editor
  await editor.openNetwork('#imported')
  assert.equal(await page.isVisible('#ttn-network-more textarea'), false, 'what is rarely needed is out of the way')
  await page.click('#ttn-network-more summary')
  assert.equal(await page.isVisible(field('ca')), true)
  await page.click('#node-config-input-btn-tls-add')
  const other = field('verifyservercert')
  await page.waitForSelector(other)
  await page.click('#node-config-dialog-ok')
  await page.waitForSelector(other, { state: 'detached' })
  await page.waitForSelector(field('tls'))
  assert.notEqual(await page.inputValue(field('tls')), '_ADD_')
  assert.equal(await page.isVisible(field('ca')), false)
  await editor.closeDialogs(false)
})
