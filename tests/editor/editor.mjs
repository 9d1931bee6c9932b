// What the editor's tests share: a Node-RED with the example flows wired to a sandbox, open in a real browser.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'

import { example, wire } from '../../scripts/example.mjs'
import { startNodeRed } from '../../scripts/node-red.mjs'
import { root } from '../../scripts/prepare.mjs'
import { openEditor } from './browser.mjs'

const { Sandbox } = createRequire(import.meta.url)('../../node/index.js')

/** Which Node-RED: `node-red` (4.1) or `node-red-5`. Set by test-node-red.mjs, which also chooses the Node.js for it. */
export const version = process.env.TTN_NODE_RED ?? 'node-red'

const images = process.env.UPDATE_SCREENSHOTS ? join(root, 'docs', 'images') : join(tmpdir(), 'ttn-auth-images')

/** Starts it all for a test file. What it returns has `page`, `received`, `sandbox` and `nodeRed` when a test runs. */
export function withEditor() {
  const editor = new Editor()
  before(() => editor.start())
  after(() => editor.stop())
  return editor
}

class Editor {
  async start() {
    this.sandbox = await Sandbox.start({ rateLimit: false })
    this.userDir = mkdtempSync(join(tmpdir(), 'ttn-editor-'))
    this.nodeRed = await startNodeRed({ userDir: this.userDir, nodeRed: version })
    await this.nodeRed.deploy(wire(example(), this.sandbox))
    Object.assign(this, await openEditor(this.nodeRed.url))
  }

  async stop() {
    await this.browser?.close()
    await this.nodeRed?.stop()
    await this.sandbox?.stop()
    rmSync(this.userDir, { recursive: true, force: true })
  }

  /** Presses the inject button in front of a request node. */
  press(request) {
    return this.page.click(`${request}-press .red-ui-flow-node-button-button`)
  }

  /** Waits until a request node shows this status. */
  status(request, text) {
    return this.page.locator(`${request} .red-ui-flow-node-status-label`, { hasText: text }).waitFor()
  }

  /** Opens a request node's dialog, then its network's. */
  async openNetwork(request) {
    const { page } = this
    await page.dblclick(`${request} .red-ui-flow-node`)
    await page.click('#node-input-btn-network-edit')
    await page.waitForSelector('#node-config-dialog-ok')
    // The dialog slides in; a click, even on trial, waits until it stands still.
    await page.click('#node-config-dialog-ok', { trial: true })
  }

  async closeDialogs(ok) {
    const { page } = this
    await page.click(ok ? '#node-config-dialog-ok' : '#node-config-dialog-cancel')
    await page.click(ok ? '#node-dialog-ok' : '#node-dialog-cancel')
    await page.waitForSelector('.red-ui-tray', { state: 'detached' })
  }

  async deploy() {
    const { page } = this
    const answer = page.waitForResponse((response) => response.url().endsWith('/flows') && response.request().method() === 'POST')
    await page.click('#red-ui-header-button-deploy')
    assert.ok((await answer).ok())
    await page.waitForSelector('#red-ui-header-button-deploy.disabled')
  }

  /** A picture without the pointer's marks and without passing notices. */
  async picture(name, of = this.page) {
    const { page } = this
    await page.mouse.move(700, 660)
    await page.waitForFunction(() => $('.red-ui-notification:visible').length === 0)
    mkdirSync(images, { recursive: true })
    await of.screenshot({ path: join(images, name) })
  }
}
