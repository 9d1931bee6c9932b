// The README's walk to a first device, as a newcomer takes it: the same commands, clicks and words, and nothing else.
// UPDATE_SCREENSHOTS=1 writes its pictures to docs/images.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { root } from '../../scripts/prepare.mjs'
import { EditorPage } from './page.mjs'
import { startNodeRed } from './process.mjs'

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const [, walk] = /^### Your own Node-RED[^\n]*\n(.*?)\n#/ms.exec(readme)
const [, command] = /^```sh\n(.*?)\n```$/ms.exec(walk)
/** Each step's words in bold, which are what the editor shows, and its picture. */
const steps = walk.split(/^\d+\. /m).slice(1).map((text) => ({
  words: [...text.matchAll(/\*\*(.+?)\*\*/gs)].map(([, word]) => word.replace(/\s+/g, ' ')),
  picture: /!\[.*?\]\(docs\/images\/(.+?)\)/.exec(text)?.[1],
}))

const editor = new EditorPage()
const sandbox = {}
let nodeRed

before(async () => {
  nodeRed = await startNodeRed()
  await editor.open(nodeRed.url)
})
after(async () => {
  await editor.close()
  await nodeRed?.remove()
  try {
    // npx starts a child of its own.
    process.kill(-sandbox.child?.pid)
  } catch {}
})

/** Takes a step: every bold word of the README is on the screen when it is needed. */
async function step(n, take) {
  const { words, picture } = steps[n]
  const missing = new Set(words)
  const look = async () => {
    const shown = await editor.page.evaluate(() => document.body.innerText)
    for (const word of missing) if (shown.includes(word)) missing.delete(word)
  }
  await take(look, picture)
  await look()
  assert.deepEqual([...missing], [], 'the README names what is not there')
}

const inView = (row) => row.evaluate((element) => {
  const { left, bottom } = element.getBoundingClientRect()
  return element.contains(document.elementFromPoint(left + 10, bottom - 5))
})

test('the sandbox starts, and prints a key', async () => {
  assert.equal(steps.length, 4)
  const child = spawn('sh', ['-c', `exec ${command}`], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  sandbox.child = child
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    printed += text
  })
  const ended = once(child, 'close').then(() => assert.fail(printed))
  while (!/Ctrl-C ends it/.test(printed)) await Promise.race([once(child.stdout, 'data'), ended])
  ended.catch(() => {})
  sandbox.key = /^ *access key +(\S+)$/m.exec(printed)[1]
})

test('1: the example is imported', () =>
  step(0, async (look, picture) => {
    const { page } = editor
    await page.click('#red-ui-header-button-sidemenu')
    await page.waitForSelector('#menu-item-import:visible')
    await look()
    await editor.importExample('ttn-request', async () => {
      await look()
      await editor.picture(picture)
    })
    await page.click('.red-ui-tab:has-text("The Things Network")')
  }))

test('2: the key is entered, and tested before anything is deployed', () =>
  step(1, async (look, picture) => {
    const { page } = editor
    await look()
    await page.dblclick('#ttn-example-access-key-grpc .red-ui-flow-node')
    await page.click('#node-input-btn-network-edit', { trial: true })
    await look()
    await page.click('#node-input-btn-network-edit')
    await page.click('#node-config-dialog-ok', { trial: true })
    await page.fill('#node-config-input-secret', sandbox.key)
    await page.click('#ttn-test')
    for (const transport of ['grpc', 'http']) {
      const row = page.locator(`#ttn-test-report .ttn-test-row[data-transport=${transport}].ttn-good`)
      await row.waitFor()
      assert.ok(await inView(row), `${transport} can be read without scrolling`)
    }
    await editor.picture(picture)
  }))

test('3: it is deployed', () =>
  step(2, async (look) => {
    await look()
    await editor.page.click('#node-config-dialog-ok')
    await editor.page.click('#node-dialog-ok', { trial: true })
    await look()
    await editor.page.click('#node-dialog-ok')
    await editor.page.waitForSelector('.red-ui-tray', { state: 'detached' })
    await editor.deploy()
  }))

test('4: the device is read, over gRPC and over HTTP', () =>
  step(3, async (look, picture) => {
    const { page } = editor
    await page.evaluate(() => RED.sidebar.show('debug'))
    for (const transport of ['grpc', 'http']) {
      await editor.press(`#ttn-example-access-key-${transport}`)
      await editor.status(`#ttn-example-access-key-${transport}`, /^ok \d+ ms$/)
    }
    await page.waitForFunction(() => document.querySelectorAll('.red-ui-debug-msg').length === 2)
    await editor.picture(picture)
  }))
