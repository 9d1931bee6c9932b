// ttn-guard in the real editor: its dialog, what it warns of, what of it is exported, and its status.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { withEditor } from './editor.mjs'

const GUARD = '#ttn-guard-devices'
const CALL = '#ttn-guard-call'
const SECRET = 'a-client-secret-that-is-not-exported'
const editor = withEditor()

const field = (name) => `#node-input-${name}`
const note = (name) => editor.page.innerText(`#ttn-guard-${name}-note`)
const fill = (name, text) => editor.enter(field(name), text)
const choose = (name, value) => editor.page.selectOption(field(name), value)
const marked = () => editor.marked()
const held = () => editor.held('ttn-guard-devices')

const open = () => editor.openNode('ttn-guard', GUARD)
const close = (ok) => editor.closeNode(ok)

test('the palette, the help and the example are there', async () => {
  const { page } = editor
  const palette = page.locator('.red-ui-palette-node[data-palette-type="ttn-guard"]')
  assert.match(await palette.innerText(), /ttn guard/)
  const category = page.locator('.red-ui-palette-category', { has: palette })
  assert.match(await category.locator('.red-ui-palette-header').innerText(), /The Things Network/)
  assert.match(await page.evaluate(() => RED.nodes.getNodeHelp('ttn-guard')), /WWW-Authenticate/)
  const before = await held()
  assert.deepEqual([before.valid, before.outputs, before.right], [true, 1, 'devices'])
})

test('the example is called with a key, and its guard counts', async () => {
  const { page } = editor
  await page.evaluate(() => RED.workspaces.show('ttn-guard'))
  await page.waitForSelector(`${GUARD} .red-ui-flow-node`)
  await editor.press(CALL)
  await editor.status(CALL, /^ok \d+ ms$/)
  await editor.status(GUARD, /^accepted 1 \/ rejected 0$/)
  const url = `${editor.nodeRed.url}applications/test-app/devices/dev-1`
  assert.equal((await fetch(url)).status, 401)
  const answer = await fetch(url, { headers: { authorization: `Bearer ${editor.sandbox.mintToken({ subject: 'me' })}` } })
  assert.deepEqual(await answer.json(), { app_id: 'test-app', dev_id: 'dev-1', description: 'read by me' })
  await editor.status(GUARD, /^accepted 2 \/ rejected 1$/)
  const { width, height } = page.viewportSize()
  // The whole flow, and no more.
  await page.setViewportSize({ width: 1380, height: 560 })
  await page.locator('.red-ui-palette-node[data-palette-type="ttn-guard"]').scrollIntoViewIfNeeded()
  await editor.picture('guard.png')
  await page.setViewportSize({ width, height })
})

test('the dialog opens as it was saved, and a cancelled one changes nothing', async () => {
  const { page } = editor
  const before = await held()
  await open()
  assert.equal(await page.inputValue(field('right')), 'devices')
  assert.equal(await page.inputValue(field('appFrom')), 'path')
  assert.equal(await page.inputValue(field('accountServer')), editor.sandbox.accountServer)
  assert.equal(await page.isVisible(field('appId')), false)
  assert.equal(await page.isVisible(field('clientSecret')), false)
  assert.equal(await page.isChecked('#ttn-guard-rejected'), false)
  assert.match(await note('app'), /:app_id/)
  assert.deepEqual(await marked(), [])
  const untranslated = await page.evaluate(() => document.body.innerText.match(/\bttn\.(label|right|app-of|note|status)\.\S+/g))
  assert.equal(untranslated, null)
  const rights = await page.locator(`${field('right')} option`).evaluateAll((options) => options.map(({ value }) => value))
  assert.deepEqual(rights.toSorted(), ['any', 'collaborators', 'delete', 'devices', 'messages:down:w', 'messages:up:r', 'messages:up:w', 'settings'])
  await choose('right', 'settings')
  await page.check('#ttn-guard-rejected')
  await close(false)
  assert.deepEqual(await held(), before)
})

test('what looks wrong is said, and marked', async () => {
  const { page } = editor
  await open()
  await choose('appFrom', 'fixed')
  assert.match(await note('app'), /Enter the application/)
  assert.deepEqual(await marked(), ['appId'])
  await fill('appId', 'Not Valid')
  assert.deepEqual(await marked(), ['appId'])
  await fill('appId', 'my-app')
  assert.deepEqual([await note('app'), await marked()], ['', []])
  await fill('appId', '')
  await choose('right', 'any')
  assert.match(await note('app'), /no access keys/)
  await fill('appId', '${TTN_APP}')
  assert.deepEqual(await marked(), [])

  for (const [issuer, address, text, wrong] of [
    ['', '', /^$/, []],
    ['ttn-account-v2', '', /^$/, []],
    ['${TTN_ISSUER}', '', /^$/, []],
    ['mine', '', /address of this issuer/, ['accountServer']],
    ['mine', 'account.example', /^$/, []],
    ['mine', 'http://127.0.0.1:8080', /^$/, []],
    ['mine', 'http://account.example', /will be refused/, ['accountServer']],
    ['mine', 'https://me:hunter2@account.example', /Leave out the user/, ['accountServer']],
    ['mine', 'grpcs://account.example', /http address/, ['accountServer']],
  ]) {
    await fill('issuer', issuer)
    await fill('accountServer', address)
    assert.match(await note('account'), text, `${issuer} ${address}`)
    assert.deepEqual(await marked(), wrong, `${issuer} ${address}`)
  }
  await fill('accountServer', 'https://account.example')

  await page.click('.ttn-more summary')
  await fill('clientId', 'me')
  assert.match(await note('client'), /belong together/)
  assert.deepEqual(await marked(), ['clientSecret'])
  await fill('clientSecret', SECRET)
  assert.deepEqual([await note('client'), await marked()], ['', []])
  assert.equal(await page.getAttribute(field('clientSecret'), 'type'), 'password')
  for (const [timeout, wrong] of [['soon', ['timeout']], ['-1', ['timeout']], ['5000', []], ['${TTN_TIMEOUT}', []]]) {
    await fill('timeout', timeout)
    assert.deepEqual(await marked(), wrong, timeout)
  }
  await fill('accountCa', 'no PEM')
  assert.deepEqual(await marked(), ['accountCa'])
  await close(false)
})

test('what is entered is saved; the client secret is not exported and does not come back', async () => {
  const { page, received } = editor
  await open()
  await choose('right', 'messages:up:r')
  await choose('appFrom', 'fixed')
  await fill('appId', 'test-app')
  await page.check('#ttn-guard-rejected')
  assert.match(await note('rejected'), /http response/)
  await page.click('.ttn-more summary')
  await fill('clientId', 'me')
  await fill('clientSecret', SECRET)
  await fill('keyDirectory', '${TTN_NOT_SET}')
  await close(true)
  const saved = await held()
  const { right, appFrom, appId, clientId, keyDirectory, outputs, valid } = saved
  assert.deepEqual({ right, appFrom, appId, clientId, keyDirectory, outputs, valid }, {
    right: 'messages:up:r', appFrom: 'fixed', appId: 'test-app', clientId: 'me', keyDirectory: '${TTN_NOT_SET}', outputs: 2, valid: true,
  })
  assert.equal(saved.wires.length, 2)
  assert.ok(!(await editor.exported()).includes(SECRET), 'before the deployment')
  received.length = 0
  await editor.deploy()
  await editor.status(GUARD, /^variable TTN_NOT_SET not set$/)
  assert.equal((await fetch(`${editor.nodeRed.url}applications/test-app/devices/dev-1`)).status, 503)
  assert.ok(!(await editor.exported()).includes(SECRET), 'after it')
  assert.ok(!(await (await fetch(`${editor.nodeRed.url}flows`)).text()).includes(SECRET), 'flows')
  assert.deepEqual(await (await fetch(`${editor.nodeRed.url}credentials/ttn-guard/ttn-guard-devices`)).json(), { has_clientSecret: true })
  await open()
  assert.equal(await page.inputValue(field('clientSecret')), '__PWRD__')
  assert.equal(await page.isVisible(field('keyDirectory')), true, 'what is set is not hidden')
  assert.equal(await page.isChecked('#ttn-guard-rejected'), true)
  assert.deepEqual(await marked(), [])
  await page.uncheck('#ttn-guard-rejected')
  await fill('keyDirectory', '')
  await fill('clientId', '')
  await fill('clientSecret', '')
  await choose('right', 'devices')
  await close(true)
  assert.deepEqual([(await held()).outputs, (await held()).wires.length], [1, 1])
  for (const { url, text } of received) assert.ok(!text.includes(SECRET), url)
  await editor.deploy()
  await editor.press(CALL)
  await editor.status(CALL, /^ok \d+ ms$/)
  await editor.status(GUARD, /^accepted 1 \/ rejected 0$/)
})
