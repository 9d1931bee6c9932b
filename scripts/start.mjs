// `npm start`: the sandbox, and Node-RED with the example flows wired to it.
// `npm start -- --once`: presses every button of the flows once, without a browser, and prints what came.
// `--port N`: the port to try first, instead of 1880. `--user-dir DIR`: Node-RED's folder.
import { constants } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'

import { prepare, root } from './prepare.mjs'
import { keptFlow, lock, noteWired, temporary, wiredBefore } from './user-dir.mjs'

const options = {
  // npm takes a flag without `--` in front for its own, and passes it on like this.
  once: { type: 'boolean', default: process.env.npm_config_once === 'true' },
  port: { type: 'string', default: '1880' },
  // Kept, so that what someone tries out is there the next time.
  'user-dir': { type: 'string', default: join(root, '.cache', 'node-red') },
}

/** How long everything may take to end after a signal, in ms. */
const PATIENCE = 10_000

async function main() {
  const { once, port, 'user-dir': userDir } = parseArgs({ options }).values
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new Error(`--port takes a number up to 65535, not ${JSON.stringify(port)}`)
  prepare()
  const ended = signalled()
  const work = once ? runOnce(ended) : serve(Number(port), userDir, ended)
  const signal = await Promise.race([work, ended])
  // Served until someone ended it: as meant. A run that was broken off is not.
  if (signal && once) process.exitCode = 128 + constants.signals[signal]
  if (signal) await Promise.race([work, new Promise((resolve) => setTimeout(resolve, PATIENCE))])
}

/** The first signal to end. npm sends on what the terminal has sent already, so more of them change nothing. */
function signalled() {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, resolve)
  })
}

/** Runs `use` with a sandbox. Only after `prepare` is there something to load. */
async function withSandbox(use) {
  const { Sandbox } = await import('../node/index.js')
  const sandbox = await Sandbox.start({ rateLimit: false })
  try {
    await use(sandbox)
  } finally {
    await sandbox.stop()
  }
}

async function runOnce(ended) {
  const userDir = temporary()
  await withSandbox(async (sandbox) => {
    const { startNodeRed } = await import('./node-red.mjs')
    const { example, pressAll, wire } = await import('./example.mjs')
    const nodeRed = await startNodeRed({ userDir })
    const flow = wire(example(), sandbox)
    await nodeRed.deploy(flow)
    const rows = await Promise.race([pressAll(nodeRed.RED, flow), ended])
    await nodeRed.stop()
    if (!Array.isArray(rows)) return
    print(rows)
    const read = rows.filter((row) => row.device).length
    console.log(`\n${read} of ${rows.length} read the device`)
    process.exitCode = rows.length > 0 && read === rows.length ? 0 : 1
  })
}

function print(rows) {
  const line = (...cells) => console.log(cells.map((cell, at) => cell.padEnd([14, 11, 26, 0][at])).join('').trimEnd())
  line('credential', 'transport', 'device read', 'time')
  for (const { credential, transport, device, devEui, error, ms } of rows) {
    const what = device ? `${device} ${devEui ?? ''}` : `FAILED: ${error} `
    line(credential.replace('-', ' '), transport === 'grpc' ? 'gRPC' : 'HTTP', what, `${ms.toFixed(0)} ms`)
  }
}

async function serve(port, wanted, ended) {
  const holder = lock(wanted)
  const userDir = holder === undefined ? wanted : temporary()
  const shown = relative(process.cwd(), wanted) || '.'
  // Before anything starts: it may be unreadable.
  const kept = keptFlow(userDir)
  await withSandbox(async (sandbox) => {
    const { startNodeRed } = await import('./node-red.mjs')
    const nodeRed = await startNodeRed({ userDir, port })
    const foreign = await deploy(nodeRed, userDir, kept, sandbox)
    const { stack } = sandbox
    console.log(`
Sandbox   ${sandbox.grpcAddress}  ${sandbox.grpcsAddress}  ${sandbox.httpAddress}  ${sandbox.httpsAddress}
V3        ${stack.grpcAddress}  ${stack.grpcsAddress}  ${stack.httpAddress}  ${stack.httpsAddress}
Node-RED  ${nodeRed.url}

Open ${nodeRed.url} and press a button at the left of a flow. The device appears in the debug
sidebar (the bug at the top right). Double-click a blue node, then the pencil, to see its credentials.`)
    if (foreign.length > 0) console.log(`Left as you entered it: ${foreign.join(', ')}. The sandbox's secrets are not for other addresses.`)
    if (holder === undefined) console.log(`What you deploy is kept in ${shown}. Ctrl-C ends.`)
    else console.log(`${shown} is in use by another npm start (process ${holder}), so this one keeps nothing. Ctrl-C ends.`)
    await ended
    await nodeRed.stop()
  })
}

/** Wires the kept flow or the example to the sandbox. Returns the names of the example's networks that were left alone. */
async function deploy(nodeRed, userDir, kept, sandbox) {
  const { example, isOurs, others, placesOf, wire } = await import('./example.mjs')
  const before = kept ? wiredBefore(userDir) : undefined
  const flow = kept ?? example()
  noteWired(userDir, placesOf(sandbox), before ?? [])
  // A kept flow that has nothing of the sandbox runs as it is.
  if (flow.some((node) => isOurs(node, before))) await nodeRed.deploy(wire(flow, sandbox, before))
  return others(flow, before).map((node) => `"${node.name || node.id}"`)
}

main().then(
  // Node-RED leaves timers behind.
  () => process.exit(),
  (error) => {
    console.error(`npm start: ${error.message}`)
    process.exit(1)
  },
)
