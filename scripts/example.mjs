// The example flows, and how they are wired to a sandbox.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { root } from './prepare.mjs'

/** The examples' names, in the order in which they are shown. */
export const EXAMPLES = ['ttn-request', 'ttn-credentials', 'ttn-guard']

/** The variable that ttn-credentials and ttn-guard take their key from. */
const VARIABLE = 'TTN_EXAMPLE_KEY'

/** The network of ttn-guard that calls this Node-RED, wherever it is: see startNodeRed. */
const CALLER = 'ttn-guard-caller'

const folder = join(root, 'examples', 'node-red')

/** One of them as it is in the repository: addresses of a sandbox, no secrets. */
export const read = (name) => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'))

/** All of them, each on a tab of its own. */
export const example = () => EXAMPLES.flatMap(read)

const isNetwork = (node) => (node.type === 'ttn-credentials' && node.id !== CALLER) || node.type === 'ttn-guard'
const networks = example().filter(isNetwork)

/**
 * The flow with its networks' addresses, certificate and secrets replaced by the sandbox's, and so the guard's account
 * server. The other nodes stay, and so does a network of the example into which someone entered addresses of their own:
 * its key belongs to those. The variable of the example is set in this process, where Node-RED will look for it.
 * @param {{grpcAddress: string, httpAddress: string, accountServer: string}[]} [before]  where a sandbox was that the flow
 *   may still name; left out for the example as it is in the repository
 */
export function wire(flow, sandbox, before) {
  process.env[VARIABLE] = sandbox.accessKey
  return flow.map((node) => {
    if (!isOurs(node, before)) return node
    if (node.type === 'ttn-guard') return { ...node, accountServer: sandbox.accountServer }
    return {
      ...node,
      appId: sandbox.appId,
      grpcAddress: sandbox.grpcsAddress,
      httpAddress: sandbox.httpsAddress,
      ca: sandbox.ca,
      ...(node.exchange === 'here' && { accountServer: sandbox.accountServer }),
      // A key that comes from the variable is not stored as well.
      ...(node.source !== 'environment' && secretOf(node, sandbox)),
    }
  })
}

const secretOf = ({ kind }, sandbox) => ({
  credentials: { secret: kind === 'access-key' ? sandbox.accessKey : sandbox.bearerToken },
})

/** Whether a network or guard of the example is still a sandbox's. */
export function isOurs(node, before = networks) {
  if (!isNetwork(node) || !networks.some(({ id }) => id === node.id)) return false
  const addresses = node.type === 'ttn-guard' ? ['accountServer'] : ['grpcAddress', 'httpAddress']
  return before.some((known) => addresses.every((name) => node[name] === known[name]))
}

/** The example's networks in a flow that are no sandbox's any more. */
export const others = (flow, before) =>
  flow.filter((node) => networks.some(({ id }) => id === node.id) && !isOurs(node, before))

/**
 * Presses each inject button of the flow that leads to a request, one after the other.
 * @returns {Promise<{credential: string, transport: string, device?: string, error?: string, ms: number}[]>}
 */
export async function pressAll(RED, flow) {
  const rows = []
  for (const request of flow.filter((node) => node.type === 'ttn-request')) {
    const button = flow.find((node) => node.type === 'inject' && node.wires.flat().includes(request.id))
    if (!button) continue
    const network = flow.find((node) => node.id === request.network)
    const started = performance.now()
    const outcome = await press(RED, button.id, request.id)
    const ms = performance.now() - started
    rows.push({ credential: credentialOf(network), transport: request.transport, ms, ...outcome })
  }
  return rows
}

function credentialOf(network) {
  if (network?.id === CALLER) return 'guarded-flow'
  return network?.exchange === 'here' ? 'exchanged-key' : (network?.kind ?? '?')
}

/** What the request node made of one press: its message, or its error. */
function press(RED, buttonId, requestId) {
  const label = `ttn-press-${requestId}`
  return new Promise((resolve) => {
    const ended = (outcome) => {
      clearTimeout(limit)
      RED.hooks.remove(`*.${label}`)
      resolve(outcome)
    }
    const limit = setTimeout(ended, 30_000, { error: 'no answer within 30 s' })
    RED.hooks.add(`onSend.${label}`, (events) => {
      const event = events.find(({ source }) => source.id === requestId)
      if (event) ended({ device: event.msg.payload?.dev_id, devEui: event.msg.payload?.lorawan_device?.dev_eui })
    })
    RED.hooks.add(`onComplete.${label}`, ({ node, error }) => {
      if (error && node.id === requestId) ended({ error: error.message })
    })
    RED.nodes.getNode(buttonId).receive()
  })
}
