// A real browser for the editor's tests: Debian's chromium, driven by playwright-core.
import { existsSync } from 'node:fs'

import { chromium } from 'playwright-core'

const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Where the browser is, or undefined. */
export const browserPath = () => PLACES.find((path) => path && existsSync(path))

/**
 * A page with the editor loaded, and everything that the server sent to it.
 *
 * @param {object} [options]  more of the browser's context, such as `locale`
 */
export async function openEditor(url, options = {}) {
  const executablePath = browserPath()
  if (!executablePath) throw new Error('no browser: install chromium, or name one in CHROMIUM')
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] })
  // Pictures are sharp; without a graphics card it takes time to draw them so.
  const deviceScaleFactor = process.env.UPDATE_SCREENSHOTS ? 2 : 1
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 }, deviceScaleFactor, ...options })
  // Nothing takes that long but on a machine that is busy with other tests.
  page.setDefaultTimeout(30_000)
  const received = []
  page.on('response', async (response) => {
    // A redirect has no body, and a page that closes takes its bodies along.
    received.push({ url: response.url(), text: await response.text().catch(() => '') })
  })
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => received.push({ url: socket.url(), text: payload.toString() }))
  })
  // Dialogs slide in. On a busy machine two frames can come so soon after each other that one looks as if it stood still,
  // and what is pressed then has moved away before it is let go.
  await page.addInitScript(() => {
    document.addEventListener('DOMContentLoaded', () => {
      document.head.appendChild(document.createElement('style')).textContent = '.red-ui-tray { transition: none !important }'
    })
  })
  await page.goto(url)
  await loaded(page)
  return { browser, page, received }
}

/** Waits until the editor shows its flow, of which it has at least one. */
export async function loaded(page) {
  await page.waitForFunction(() => window.RED?.nodes?.getType?.('ttn-request') && window.RED.nodes.getWorkspaceOrder().length > 0)
  await page.waitForSelector('#red-ui-loading-progress', { state: 'hidden' })
}
