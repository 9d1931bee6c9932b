// Node-RED with the guard's example flow as a server like the others: its account server and address are in the environment.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { startNodeRed } from '../../scripts/node-red.mjs'
import { root } from '../../scripts/prepare.mjs'

const { TTN_ACCOUNT_SERVER: accountServer, TTN_ISSUER: issuer, LISTEN } = process.env

const flow = JSON.parse(readFileSync(join(root, 'examples', 'node-red', 'ttn-guard.json'), 'utf8'))
/** The example also calls itself, which is not wanted here. */
const serves = flow.filter(({ id, g, type }) => type !== 'ttn-credentials' && g !== 'ttn-guard-caller-group' && id !== 'ttn-guard-caller-group')
for (const guard of serves.filter(({ type }) => type === 'ttn-guard')) Object.assign(guard, { accountServer, issuer })

const userDir = mkdtempSync(join(tmpdir(), 'ttn-proof-node-red-'))
process.on('exit', () => rmSync(userDir, { recursive: true, force: true }))
const nodeRed = await startNodeRed({ userDir, port: Number(LISTEN.split(':')[1]) })
await nodeRed.deploy(serves)
console.log(`listening on ${new URL(nodeRed.url).host}`)
process.once('SIGTERM', async () => {
  await nodeRed.stop()
  process.exit()
})
