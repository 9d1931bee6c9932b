// The editor in a real browser: what a person does there, in words.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { root } from '../../scripts/prepare.mjs'
import { loaded, openEditor } from './browser.mjs'

const images = process.env.UPDATE_SCREENSHOTS ? join(root, 'docs', 'images') : join(tmpdir(), 'ttn-auth-images')

export class EditorPage {
  /** Opens it. Nodes are named by a selector, `#id`; their inject buttons by theirs with `-press`. */
  async open(url, options) {
    Object.assign(this, await openEditor(url, options))
  }

  async close() {
    await this.browser?.close()
  }

  /** Presses the inject button in front of a request node. */
  press(request) {
    return this.page.click(`${request}-press .red-ui-flow-node-button-button`)
  }

  /** Waits until a request node shows this status. */
  status(request, text) {
    return this.page.locator(`${request} .red-ui-flow-node-status-label`, { hasText: text }).waitFor()
  }

  /** Imports one of the package's examples, from the dialog that the menu has opened. `chosen` is called before the last click. */
  async importExample(name, chosen) {
    const { page } = this
    await page.click('#menu-item-import')
    await page.locator('.red-ui-tab-label', { hasText: 'Examples' }).first().click()
    // Each folder is loaded when it is opened. Node-RED's own examples are in a folder `node-red` too, beside ours.
    let folder = page.locator('#red-ui-clipboard-dialog-import-tab-examples')
    for (const label of ['@thingskey/ttn-auth', 'node-red', name]) {
      const own = page.locator(':scope > .red-ui-treeList-label').getByText(label, { exact: true })
      const item = folder.locator('.red-ui-editableList-item-content').filter({ has: own }).first()
      await item.locator(':scope > .red-ui-treeList-label').click()
      folder = item.locator(':scope > .red-ui-editableList')
    }
    await page.waitForSelector('#red-ui-clipboard-dialog-ok:not([disabled])')
    await chosen?.()
    await page.click('#red-ui-clipboard-dialog-ok')
    await page.waitForSelector('#red-ui-clipboard-dialog-ok', { state: 'hidden' })
  }

  /** Opens a node's dialog, on the tab where it is. */
  async openNode(tab, node) {
    const { page } = this
    await page.evaluate((id) => RED.workspaces.show(id), tab)
    await page.dblclick(`${node} .red-ui-flow-node`)
    // It is built step by step; a click, even on trial, waits until the dialog can be used.
    await page.click('#node-dialog-ok', { trial: true })
  }

  async closeNode(ok) {
    const { page } = this
    await page.click(ok ? '#node-dialog-ok' : '#node-dialog-cancel')
    await page.waitForSelector('.red-ui-tray', { state: 'detached' })
  }

  /** Enters a text; the editor checks it when a key goes up. */
  async enter(field, text) {
    await this.page.fill(field, text)
    await this.page.press(field, 'End')
  }

  /** The fields that are marked as wrong. */
  marked() {
    return this.page.evaluate(() => $('.input-error:visible').toArray().map(({ id }) => id.split('-').pop()))
  }

  /** A node as the editor holds it, as it will be deployed. */
  held(id) {
    return this.page.evaluate((wanted) => {
      const node = RED.nodes.node(wanted)
      return { valid: node.valid, ...RED.nodes.convertNode(node, false) }
    }, id)
  }

  /** Opens a request node's dialog, then its network's. */
  async openNetwork(request) {
    const { page } = this
    await page.dblclick(`${request} .red-ui-flow-node`)
    await page.click('#node-input-btn-network-edit')
    await page.waitForSelector('#node-config-dialog-ok')
    await page.click('#node-config-dialog-ok', { trial: true })
  }

  async closeDialogs(ok) {
    const { page } = this
    await page.click(ok ? '#node-config-dialog-ok' : '#node-config-dialog-cancel')
    await this.closeNode(ok)
  }

  async deploy() {
    const { page } = this
    const answer = page.waitForResponse((response) => response.url().endsWith('/flows') && response.request().method() === 'POST')
    await page.click('#red-ui-header-button-deploy')
    assert.ok((await answer).ok())
    await page.waitForSelector('#red-ui-header-button-deploy.disabled')
  }

  /** Loads the editor anew, as a browser that is opened again. */
  async reload() {
    await this.page.reload()
    await loaded(this.page)
  }

  /** What Export of the menu gives for all flows. */
  async exported() {
    const { page } = this
    await page.evaluate(() => RED.actions.invoke('core:show-export-dialog'))
    await page.click('#red-ui-clipboard-dialog-export-rng-full')
    // It is written after the click.
    await page.waitForFunction(() => {
      const ids = RED.nodes.createCompleteNodeSet({ credentials: false }).map(({ id }) => id)
      const text = $('#red-ui-clipboard-dialog-export-text').val()
      return ids.every((id) => text.includes(id))
    })
    const text = await page.inputValue('#red-ui-clipboard-dialog-export-text')
    await page.click('#red-ui-clipboard-dialog-cancel')
    return text
  }

  /** A picture. One that is kept is without the pointer's marks and without passing notices. */
  async picture(name, of = this.page) {
    const { page } = this
    if (process.env.UPDATE_SCREENSHOTS) {
      await page.mouse.move(700, 660)
      await page.waitForFunction(() => $('.red-ui-notification:visible').length === 0)
    }
    mkdirSync(images, { recursive: true })
    await of.screenshot({ path: join(images, name) })
  }
}
