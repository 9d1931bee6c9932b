// `npm start`: the sandbox, and Node-RED with the example flow wired to it.
// `npm start -- --once`: presses every button of the flow once, without a browser, and prints what came.
// `--port N`: the port to try first, instead of 1880. `--user-dir DIR`: Node-RED's folder.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'

import { prepare, root } from './prepare.mjs'

const options = {
  once: { type: 'boolean', default: false },
  port: { type: 'string', default: '1880' },
  // Kept, so that what someone tries out is there the next time.
  'user-dir': { type: 'string', default: join(root, '.cache', 'node-red') },
}

async function main() {
  const { once, port, 'user-dir': userDir } = parseArgs({ options }).values
  prepare()
  // Only now is there something to load.
  const { Sandbox } = await import('../node/index.js')
  const sandbox = await Sandbox.start({ rateLimit: false })
  try {
    if (once) await runOnce(sandbox)
    else await serve(sandbox, Number(port), userDir)
  } finally {
    await sandbox.stop()
  }
}

async function runOnce(sandbox) {
  const { startNodeRed } = await import('./node-red.mjs')
  const { example, pressAll, wire } = await import('./example.mjs')
  const userDir = mkdtempSync(join(tmpdir(), 'ttn-auth-'))
  try {
    const nodeRed = await startNodeRed({ userDir })
    const flow = wire(example(), sandbox)
    await nodeRed.deploy(flow)
    const rows = await pressAll(nodeRed.RED, flow)
    await nodeRed.stop()
    print(rows)
    const read = rows.filter((row) => row.device).length
    console.log(`\n${read} of ${rows.length} read the device`)
    process.exitCode = rows.length > 0 && read === rows.length ? 0 : 1
  } finally {
    rmSync(userDir, { recursive: true, force: true })
  }
}

function print(rows) {
  const line = (...cells) => console.log(cells.map((cell, at) => cell.padEnd([14, 11, 26, 0][at])).join('').trimEnd())
  line('credential', 'transport', 'device read', 'time')
  for (const { credential, transport, device, devEui, error, ms } of rows) {
    const what = device ? `${device} ${devEui ?? ''}` : `FAILED: ${error} `
    line(credential.replace('-', ' '), transport === 'grpc' ? 'gRPC' : 'HTTP', what, `${ms.toFixed(0)} ms`)
  }
}

async function serve(sandbox, port, userDir) {
  const { startNodeRed } = await import('./node-red.mjs')
  const { example, wire } = await import('./example.mjs')
  const nodeRed = await startNodeRed({ userDir, port })
  await nodeRed.deploy(wire(kept(userDir) ?? example(), sandbox))
  console.log(`
Sandbox   ${sandbox.grpcAddress}  ${sandbox.grpcsAddress}  ${sandbox.httpAddress}  ${sandbox.httpsAddress}
Node-RED  ${nodeRed.url}

Open ${nodeRed.url} and press a button at the left of the flow. The device appears in the debug
sidebar (the bug at the top right). Double-click a blue node, then the pencil, to see its credentials.
What you deploy is kept in ${relative(process.cwd(), userDir)}. Ctrl-C ends.`)
  await new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, resolve)
  })
  await nodeRed.stop()
}

/** The flow of the last time, if there was one. */
function kept(userDir) {
  try {
    const flow = JSON.parse(readFileSync(join(userDir, 'flows.json'), 'utf8'))
    return flow.some((node) => node.type === 'ttn-request') ? flow : undefined
  } catch {
    return undefined
  }
}

main().then(
  // Node-RED leaves timers behind.
  () => process.exit(),
  (error) => {
    console.error(`npm start: ${error.message}`)
    process.exit(1)
  },
)
