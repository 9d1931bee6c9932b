// Starts a real Node-RED in this process, on 127.0.0.1, with this package's nodes. One for a process: its runtime is a
// singleton.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { once } from 'node:events'

import { root } from './prepare.mjs'

const require = createRequire(import.meta.url)

/** The only address that is ever listened on: the editor has no password. */
export const HOST = '127.0.0.1'

/**
 * @param {object} options
 * @param {string} options.userDir  Node-RED's folder; made if it is not there
 * @param {number} [options.port]  the first port to try, 0 for any free one; the next ones follow
 * @param {string} [options.nodeRed]  the npm package to use: `node-red`, `node-red-5`
 * @param {object} [options.settings]  more of Node-RED's settings
 * @returns {Promise<{RED: object, url: string, server: import('node:http').Server, deploy: Function, stop: Function}>}
 */
export async function startNodeRed({ userDir, port = 0, nodeRed = 'node-red', settings = {} }) {
  const RED = require(nodeRed)
  // Node-RED brings its own express.
  const express = createRequire(require.resolve(nodeRed))('express')
  const app = express()
  const server = createServer(app)
  await listen(server, port)
  const url = `http://${HOST}:${server.address().port}/`
  // The guard's example calls the flow that it serves itself.
  process.env.TTN_EXAMPLE_NODE_RED = url
  RED.init(server, {
    userDir,
    // This package itself: its nodes, icons and examples.
    nodesDir: root,
    uiHost: HOST,
    uiPort: server.address().port,
    httpAdminRoot: '/',
    httpNodeRoot: '/',
    flowFile: 'flows.json',
    telemetry: { enabled: false, updateNotification: false },
    editorTheme: { tours: false, palette: { catalogues: [] }, projects: { enabled: false } },
    externalModules: { autoInstall: false, palette: { allowInstall: false } },
    logging: { console: { level: 'error', metrics: false, audit: false } },
    ...settings,
  })
  app.use('/', RED.httpAdmin)
  app.use('/', RED.httpNode)
  const started = once(RED.events, 'flows:started')
  await RED.start()
  await started

  /** Deploys as the editor does; secrets in a node's `credentials` end encrypted, apart from the flow. */
  async function deploy(flows, deploymentType = 'full') {
    const running = once(RED.events, 'flows:started')
    await RED.runtime.flows.setFlows({ flows: { flows: structuredClone(flows) }, deploymentType })
    await running
  }

  async function stop() {
    await RED.stop()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }

  return { RED, server, deploy, stop, url }
}

/** On the port or the next free one. */
async function listen(server, port) {
  for (let next = port; ; next += 1) {
    try {
      server.listen(next, HOST)
      await once(server, 'listening')
      return
    } catch (error) {
      if (error.code !== 'EADDRINUSE' || next >= Math.min(port + 100, 65_535)) throw error
    }
  }
}
