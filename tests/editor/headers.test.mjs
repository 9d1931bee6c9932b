// ttn-auth-headers in the real editor: its dialog, what it warns of, what of it is exported, and its status.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { withEditor } from './editor.mjs'

const PUT = '#ttn-auth-headers-put'
const editor = withEditor()

const field = (name) => `#node-input-${name}`
const note = async (name) => {
  const element = editor.page.locator(`#ttn-headers-${name}-note`)
  return { text: await element.innerText(), wrong: (await element.getAttribute('class')).includes('ttn-wrong') }
}
const fill = (name, text) => editor.enter(field(name), text)
const marked = () => editor.marked()
const held = () => editor.held('ttn-auth-headers-put')

const open = () => editor.openNode('ttn-auth-headers', PUT)
const close = (ok) => editor.closeNode(ok)

test('the palette, the help and the example are there', async () => {
  const { page } = editor
  const palette = page.locator('.red-ui-palette-node[data-palette-type="ttn-auth-headers"]')
  assert.match(await palette.innerText(), /ttn auth\sheaders/)
  const category = page.locator('.red-ui-palette-category', { has: palette })
  assert.match(await category.locator('.red-ui-palette-header').innerText(), /The Things Network/)
  const help = await page.evaluate(() => RED.nodes.getNodeHelp('ttn-auth-headers'))
  // What its users have to know: the debug sidebar, the other node's URL, redirects, http response.
  for (const text of [/debug sidebar/, /its URL, which it takes before/, /followRedirects/, /http response/]) assert.match(help, text)
  assert.equal((await held()).valid, true)
})

test('a button reads the device with http request, and the status says so; the debug sidebar has no secret', async () => {
  const { page, received, sandbox } = editor
  await page.evaluate(() => RED.workspaces.show('ttn-auth-headers'))
  await page.evaluate(() => RED.sidebar.show('debug'))
  await page.waitForSelector(`${PUT} .red-ui-flow-node`)
  await editor.press(PUT)
  await editor.status(PUT, /^ok$/)
  await page.waitForFunction(() => document.querySelectorAll('.red-ui-debug-msg').length === 1)
  assert.match(await page.locator('.red-ui-debug-msg').innerText(), /dev-1/)
  const { width, height } = page.viewportSize()
  // The whole flow, and no more.
  await page.setViewportSize({ width: 1380, height: 560 })
  await page.locator('.red-ui-palette-node[data-palette-type="ttn-auth-headers"]').scrollIntoViewIfNeeded()
  await editor.picture('headers.png')
  await page.setViewportSize({ width, height })
  for (const { url, text } of received) assert.ok(!text.includes(sandbox.accessKey), url)
})

test('the dialog opens as it was saved, and a cancelled one changes nothing', async () => {
  const { page } = editor
  const before = await held()
  await open()
  assert.equal(await page.inputValue(field('target')), 'header')
  assert.equal(await page.inputValue(field('hosts')), '')
  assert.equal(await page.isChecked(field('withCaller')), false)
  assert.deepEqual(await marked(), [])
  assert.equal((await note('target')).wrong, false)
  assert.match((await note('target')).text, /its own URL before msg.url/)
  assert.equal((await note('caller')).text, '')
  const untranslated = await page.evaluate(() => document.body.innerText.match(/\bttn\.(label|target|note|status|placeholder)\.\S+/g))
  assert.equal(untranslated, null)
  await page.selectOption(field('target'), 'metadata')
  assert.match((await note('target')).text, /token or key/)
  await fill('hosts', 'other.example')
  await page.check(field('withCaller'))
  assert.match((await note('caller')).text, /Delete msg.headers/)
  await close(false)
  assert.deepEqual(await held(), before)
})

test('what looks wrong is said, and marked', async () => {
  const { page } = editor
  await open()
  for (const hosts of ['good.example', 'good.example:8094, other.example', '[::1]:8094', '${TTN_HOST}', 'a.example ${TTN_HOST};b.example', 'https://good.example:8094/', 'bücher.example', '']) {
    await fill('hosts', hosts)
    assert.deepEqual([await marked(), (await note('hosts')).wrong], [[], false], hosts)
  }
  for (const [hosts, named] of [
    ['*', '*'], ['good.example, *.example', '*.example'], ['good.example/path', 'good.example/path'], ['me@good.example', 'me@good.example'],
    ['good.example:x', 'good.example:x'], ['good.example:8094:1', 'good.example:8094:1'], ['a\\b', 'a\\b'],
  ]) {
    await fill('hosts', hosts)
    assert.deepEqual([await marked(), (await note('hosts')).wrong], [['hosts'], true], hosts)
    assert.ok((await note('hosts')).text.startsWith(`${named} is no host`), hosts)
  }
  await close(false)
  // Nodes behind that would send the credential elsewhere, or back.
  const asIs = { url: '', authType: '', headers: [] }
  const behind = (own) => page.evaluate((own) => {
    Object.assign(RED.nodes.node('ttn-auth-headers-request'), own)
    $('#node-input-target').trigger('change')
  }, { ...asIs, ...own })
  await open()
  const header = { keyValue: '', valueType: 'other', valueValue: 'x' }
  for (const own of [
    { url: 'https://elsewhere.example' }, { authType: 'basic' }, { headers: [{ ...header, keyType: 'Authorization' }] },
    { headers: [{ ...header, keyType: 'other', keyValue: 'authorization' }] },
  ]) {
    await behind(own)
    assert.match((await note('target')).text, /of its own, which it prefers/, JSON.stringify(own))
    assert.equal((await note('target')).wrong, true)
  }
  await page.selectOption(field('target'), 'metadata')
  assert.equal((await note('target')).wrong, false)
  await page.selectOption(field('target'), 'header')
  await behind({ headers: [{ ...header, keyType: 'Accept' }] })
  assert.equal((await note('target')).wrong, false)
  await close(false)
  await page.evaluate(() => {
    const z = 'ttn-auth-headers'
    RED.nodes.import([{ id: 'a-response', type: 'http response', z, x: 300, y: 300, statusCode: '', headers: {}, wires: [] }])
    RED.nodes.addLink({ source: RED.nodes.node('ttn-auth-headers-put'), sourcePort: 0, target: RED.nodes.node('a-response') })
  })
  await open()
  assert.deepEqual([(await note('caller')).wrong, /http response node is behind/.test((await note('caller')).text)], [true, true])
  await close(false)
  await editor.reload()
})

test('what is entered is saved and used; nothing secret is exported', async () => {
  const { page, sandbox } = editor
  await open()
  await fill('hosts', 'other.example, ${TTN_NOT_SET}')
  await page.check(field('withCaller'))
  await close(true)
  const { hosts, withCaller, target, valid } = await held()
  assert.deepEqual({ hosts, withCaller, target, valid }, { hosts: 'other.example, ${TTN_NOT_SET}', withCaller: true, target: 'header', valid: true })
  await editor.deploy()
  await editor.status(PUT, /^variable TTN_NOT_SET not set$/)
  assert.ok(!(await editor.exported()).includes(sandbox.accessKey))
  await open()
  assert.equal(await page.inputValue(field('hosts')), 'other.example, ${TTN_NOT_SET}')
  assert.equal(await page.isChecked(field('withCaller')), true)
  await fill('hosts', '')
  await page.uncheck(field('withCaller'))
  await close(true)
  await editor.deploy()
  await editor.press(PUT)
  await editor.status(PUT, /^ok$/)
})
