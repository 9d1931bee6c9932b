// ttn-credentials in the real editor: where the secret comes from, the exchange, and what of it is exported.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { withEditor } from './editor.mjs'

const OLD = '#ttn-example-access-key-grpc'
const EXCHANGED = '#ttn-exchange-grpc'
const KEY = 'ttn-account-v2.a-key-that-is-not-exported'
const CLIENT_SECRET = 'a-client-secret-that-is-not-exported'
// A variable that is not set is said to be.
process.env.TTN_KEY = 'ttn-account-v2.of-the-environment'
after(() => delete process.env.TTN_KEY)
const editor = withEditor()

const field = (name) => `#node-config-input-${name}`
const note = (name) => editor.page.innerText(`#ttn-${name}-note`)
const fill = (name, text) => editor.enter(field(name), text)
const choose = (name, value) => editor.page.selectOption(field(name), value)
const kind = (value) => editor.page.check(`input[name=ttn-kind][value=${value}]`)
const marked = () => editor.marked()
/** The parts of the dialog that are shown. */
const parts = () => editor.page.evaluate(() => [...new Set($('.ttn-part:visible').toArray().map((part) => $(part).data('for')))])
const stored = async (id) => (await fetch(`${editor.nodeRed.url}credentials/ttn-credentials/${id}`)).json()
const held = (id) => editor.held(id)

/** Shows the exchange's tab, whose nodes are not drawn before. */
async function showExchange() {
  await editor.page.evaluate(() => RED.workspaces.show('ttn-exchange'))
  await editor.page.waitForSelector(`${EXCHANGED} .red-ui-flow-node`)
}

test('a flow that is older than the fields: its secret is stored, its key exchanged by the server', async () => {
  const { page } = editor
  const before = await held('ttn-example-access-key-network')
  assert.equal(before.valid, true)
  assert.deepEqual([before.source, before.exchange], [undefined, undefined])
  await editor.openNetwork(OLD)
  assert.equal(await page.inputValue(field('source')), 'stored')
  assert.equal(await page.inputValue(field('exchange')), 'server')
  assert.deepEqual(await parts(), ['stored', 'exchange'])
  assert.deepEqual(await marked(), [])
  await editor.closeDialogs(false)
  assert.deepEqual(await held('ttn-example-access-key-network'), before)
})

test('the dialog shows the fields of what is chosen', async () => {
  await editor.openNetwork(OLD)
  for (const [source, exchange, ofKey, ofToken] of [
    ['environment', 'server', ['environment', 'exchange'], ['environment']],
    ['environment', 'here', ['environment', 'exchange', 'here'], ['environment']],
    ['file', 'here', ['file', 'exchange', 'here'], ['file']],
    ['stored', 'here', ['stored', 'exchange', 'here'], ['stored']],
    ['file', 'server', ['file', 'exchange'], ['file']],
  ]) {
    await choose('source', source)
    await choose('exchange', exchange)
    assert.deepEqual(await parts(), ofKey)
    await kind('bearer-token')
    assert.deepEqual(await parts(), ofToken)
    await kind('access-key')
  }
  await editor.closeDialogs(false)
})

test('what looks wrong about a variable or a file is said, and marked', async () => {
  const { page } = editor
  const token = editor.sandbox.bearerToken
  await editor.openNetwork(OLD)
  await choose('source', 'environment')
  for (const [name, text, wrong] of [
    ['', /Enter the name/, ['variable']],
    ['TTN_KEY', /^TTN_KEY of this node’s flow/, []],
    ['$parent.TTN_KEY', /^\$parent\.TTN_KEY of/, []],
    ['TTN KEY', /name alone/, ['variable']],
    ['1KEY', /name alone/, ['variable']],
    ['ttn-account-v2.0123456789012345678901234567890123456789012', /the secret itself/, ['variable']],
    [token, /the secret itself/, ['variable']],
  ]) {
    await fill('variable', name)
    assert.match(await note('secret'), text, name)
    assert.deepEqual(await marked(), wrong, name)
  }
  // Node-RED would put the secret in its place.
  await fill('variable', '${TTN_KEY}')
  await page.focus(field('appId'))
  assert.equal(await page.inputValue(field('variable')), 'TTN_KEY')
  await choose('source', 'file')
  for (const [path, text, wrong] of [
    ['', /Enter the path/, ['file']],
    ['/run/secrets/ttn-key', /new one is used/, []],
    ['ttn-account-v2.key', /new one is used/, []],
    ['C:\\secrets\\ttn.key', /new one is used/, []],
    ['${TTN_FILE}', /new one is used/, []],
    ['ttn-account-v2.0123456789012345678901234567890123456789012', /the secret itself/, ['file']],
    [token, /the secret itself/, ['file']],
  ]) {
    await fill('file', path)
    assert.match(await note('secret'), text, path)
    assert.deepEqual(await marked(), wrong, path)
  }
  await editor.closeDialogs(false)
})

test('what looks wrong about the exchange is said, and marked', async () => {
  const { page } = editor
  await editor.openNetwork(OLD)
  await fill('appId', '')
  assert.deepEqual(await marked(), [], 'an application is needed only for an exchange here')
  await choose('exchange', 'here')
  assert.match(await note('exchange'), /Enter the application/)
  assert.deepEqual(await marked(), ['appId'])
  await kind('bearer-token')
  assert.deepEqual(await marked(), [])
  await kind('access-key')
  await fill('appId', 'my-app')
  assert.match(await note('exchange'), /One token for all calls/)
  assert.deepEqual(await marked(), [])

  for (const [address, text, wrong] of [
    ['', /^$/, []],
    ['https://account.example/path', /^$/, []],
    ['account.example', /^$/, []],
    ['http://127.0.0.1:8080', /^$/, []],
    ['http://localhost:8080', /^$/, []],
    ['${TTN_ACCOUNT_SERVER}', /^$/, []],
    ['http://account.example', /will be refused/, ['accountServer']],
    ['https://me:hunter2@account.example', /Leave out the user/, ['accountServer']],
    ['grpcs://account.example', /http address/, ['accountServer']],
    ['ftp://account.example', /^ftp:/, ['accountServer']],
  ]) {
    await fill('accountServer', address)
    assert.match(await note('account'), text, address)
    assert.deepEqual(await marked(), wrong, address)
  }
  await fill('accountServer', '')

  await fill('clientId', 'me')
  assert.match(await note('client'), /belong together/)
  assert.deepEqual(await marked(), ['clientSecret'])
  await fill('clientSecret', CLIENT_SECRET)
  assert.equal(await note('client'), '')
  assert.deepEqual(await marked(), [])
  assert.equal(await page.getAttribute(field('clientSecret'), 'type'), 'password')

  assert.equal(await page.isVisible(field('storeFile')), false)
  await page.click('#ttn-more summary')
  await fill('storeFile', '/data/tokens')
  assert.match(await note('store'), /enter both/)
  assert.deepEqual(await marked(), ['storeKey'])
  await fill('storeKey', 'hunter2')
  assert.match(await note('store'), /32 bytes/)
  await page.click('#ttn-new-key')
  const [first, second] = [await page.inputValue(field('storeKey')), (await page.click('#ttn-new-key'), await page.inputValue(field('storeKey')))]
  for (const key of [first, second]) assert.equal(Buffer.from(key, 'base64').length, 32)
  assert.notEqual(first, second)
  assert.match(await note('store'), /Encrypted/)
  assert.deepEqual(await marked(), [])
  assert.equal(await page.getAttribute(field('storeKey'), 'type'), 'password')

  for (const [rate, wrong] of [['5', []], ['0', ['rateLimit']], ['2.5', ['rateLimit']], ['fast', ['rateLimit']], ['${TTN_RATE}', []], ['', []]]) {
    await fill('rateLimit', rate)
    assert.deepEqual(await marked(), wrong, rate)
  }
  const untranslated = await page.evaluate(() => document.body.innerText.match(/\bttn\.(label|kind|note|call|status|source|exchange)\.\S+/g))
  assert.equal(untranslated, null)
  await editor.closeDialogs(false)
})

test('a stored token, and a key from the environment that is exchanged here, read the device; the dialog shows where it comes from', async () => {
  const { page } = editor
  await showExchange()
  for (const request of ['#ttn-example-bearer-token-grpc', '#ttn-example-bearer-token-http', EXCHANGED, '#ttn-exchange-http']) {
    await editor.press(request)
    // With the token's end, which is near.
    await editor.status(request, /^ok \d+ ms/)
  }
  await editor.openNetwork(EXCHANGED)
  assert.equal(await page.inputValue(field('variable')), 'TTN_EXAMPLE_KEY')
  assert.equal(await page.inputValue(field('accountServer')), editor.sandbox.accountServer)
  assert.deepEqual(await marked(), [])
  await editor.closeDialogs(false)
})

test('an exported flow has the names of secrets, and no secret', async () => {
  const { page, received } = editor
  await editor.openNetwork(EXCHANGED)
  await choose('source', 'stored')
  await fill('secret', KEY)
  await fill('clientId', 'me')
  await fill('clientSecret', CLIENT_SECRET)
  await page.click('#ttn-more summary')
  await fill('storeFile', '/no/such/folder/tokens')
  await page.click('#ttn-new-key')
  const storeKey = await page.inputValue(field('storeKey'))
  await editor.closeDialogs(true)
  const secrets = [KEY, CLIENT_SECRET, storeKey, editor.sandbox.accessKey, editor.sandbox.bearerToken]
  const assertClean = (text, where) => secrets.forEach((secret) => assert.ok(!text.includes(secret), where))
  assertClean(await editor.exported(), 'before the deployment')
  received.length = 0
  await editor.deploy()
  const text = await editor.exported()
  assertClean(text, 'after it')
  for (const name of ['TTN_EXAMPLE_KEY', '/no/such/folder/tokens', 'me']) assert.ok(text.includes(`"${name}"`), name)
  assertClean(await (await fetch(`${editor.nodeRed.url}flows`)).text(), 'flows')
  assert.deepEqual(await stored('ttn-exchange-network'), { has_secret: true, has_clientSecret: true, has_storeKey: true })
  await editor.openNetwork(EXCHANGED)
  for (const name of ['secret', 'clientSecret', 'storeKey']) assert.equal(await page.inputValue(field(name)), '__PWRD__')
  assert.equal(await page.isVisible(field('storeFile')), true, 'what is set is not hidden')
  assert.deepEqual(await marked(), [])
  await editor.closeDialogs(false)
  for (const { url, text: sent } of received) assertClean(sent, url)
})

test('a secret that is not used any more is not kept', async () => {
  await editor.openNetwork(EXCHANGED)
  await choose('source', 'environment')
  await editor.closeDialogs(true)
  await editor.deploy()
  assert.deepEqual(await stored('ttn-exchange-network'), { has_secret: false, has_clientSecret: true, has_storeKey: true })
  await editor.openNetwork(EXCHANGED)
  await choose('exchange', 'server')
  await editor.closeDialogs(true)
  await editor.deploy()
  assert.deepEqual(await stored('ttn-exchange-network'), { has_secret: false, has_clientSecret: false, has_storeKey: false })
  await editor.press(EXCHANGED)
  await editor.status(EXCHANGED, /^ok \d+ ms$/)
})

test('an unset variable and an account server that is down show under the nodes', async () => {
  await editor.openNetwork(EXCHANGED)
  await fill('variable', 'TTN_NOT_SET')
  await editor.closeDialogs(true)
  await editor.deploy()
  await editor.status(EXCHANGED, /^variable TTN_NOT_SET not set$/)
  await editor.openNetwork(EXCHANGED)
  await fill('variable', 'TTN_EXAMPLE_KEY')
  await choose('exchange', 'here')
  await fill('clientId', '')
  await fill('storeFile', '')
  await editor.closeDialogs(true)
  editor.sandbox.stopAccountServer()
  await editor.deploy()
  await editor.press(EXCHANGED)
  await editor.status(EXCHANGED, /^account server unreachable$/)
})
