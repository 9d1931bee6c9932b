// What the editor's tests share: a Node-RED with the example flows wired to a sandbox, open in a real browser.
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'

import { example, wire } from '../../scripts/example.mjs'
import { startNodeRed } from '../../scripts/node-red.mjs'
import { EditorPage } from './page.mjs'

const { Sandbox } = createRequire(import.meta.url)('../../node/index.js')

/** Which Node-RED: `node-red` (4.1) or `node-red-5`. Set by test-node-red.mjs, which also chooses the Node.js for it. */
export const version = process.env.TTN_NODE_RED ?? 'node-red'

/**
 * Starts it all for a test file. What it returns has `page`, `received`, `sandbox` and `nodeRed` when a test runs.
 * @param {(sandbox: object) => object[] | Promise<object[]>} [flows]  other flows than the examples
 */
export function withEditor(flows = (sandbox) => wire(example(), sandbox)) {
  const editor = new Editor()
  editor.flows = flows
  before(() => editor.start())
  after(() => editor.stop())
  return editor
}

class Editor extends EditorPage {
  async start() {
    this.sandbox = await Sandbox.start({ rateLimit: false })
    this.userDir = mkdtempSync(join(tmpdir(), 'ttn-editor-'))
    this.nodeRed = await startNodeRed({ userDir: this.userDir, nodeRed: version })
    await this.nodeRed.deploy(await this.flows(this.sandbox))
    await this.open(this.nodeRed.url)
  }

  async stop() {
    await this.close()
    await this.nodeRed?.stop()
    await this.sandbox?.stop()
    rmSync(this.userDir, { recursive: true, force: true })
  }
}
