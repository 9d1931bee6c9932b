// The example flows, and how they are wired to a sandbox.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { root } from './prepare.mjs'

/** The examples' names, in the order in which they are shown. */
export const EXAMPLES = ['ttn-request', 'ttn-credentials', 'ttn-auth-headers', 'ttn-guard', 'the-things-stack']

/** Those that are not shown: a sandbox has no MQTT server. */
export const OTHER_EXAMPLES = ['mqtt']

/** The variable that ttn-credentials and ttn-guard take their key from. */
const VARIABLE = 'TTN_EXAMPLE_KEY'

/** The network of ttn-guard that calls this Node-RED, wherever it is: see startNodeRed. */
const CALLER = 'ttn-guard-caller'

/** The network of ttn-auth-headers, over plain HTTP: for a certificate, http request needs a TLS configuration of its own. */
const PLAIN = 'ttn-auth-headers-network'

/** The inject node with the URL that it calls. */
const URL_PRESS = 'ttn-auth-headers-put-press'

/** The network of The Things Stack. */
const STACK = 'ttn-stack-network'

const folder = join(root, 'examples', 'node-red')

/** One of them as it is in the repository: addresses of a sandbox, no secrets. */
export const read = (name) => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'))

/** All of them, each on a tab of its own. */
export const example = () => EXAMPLES.flatMap(read)

const isNetwork = (node) => (node.type === 'ttn-credentials' && node.id !== CALLER) || node.type === 'ttn-guard'
const isWired = (node) => isNetwork(node) || node.id === URL_PRESS
const wired = example().filter(isWired)

/** What of a node is a sandbox's, by the names that `placesOf` has for it. */
function addressesOf(node) {
  if (node.type === 'ttn-guard') return { accountServer: node.accountServer }
  if (node.id === URL_PRESS) return { plainAddress: originOf(node) }
  if (node.id === STACK) return { stackGrpcAddress: node.grpcAddress, stackHttpAddress: node.httpAddress }
  if (node.id === PLAIN) return { grpcAddress: node.grpcAddress, plainAddress: node.httpAddress }
  return { grpcAddress: node.grpcAddress, httpAddress: node.httpAddress }
}

const urlOf = (node) => node.props?.find(({ p }) => p === 'url')
const originOf = (node) => /^https?:\/\/[^/]*/.exec(urlOf(node)?.v)?.[0]

/** Where a sandbox is, as the examples name it. */
export const placesOf = ({ grpcsAddress, httpsAddress, httpAddress, accountServer, stack }) => ({
  grpcAddress: grpcsAddress,
  httpAddress: httpsAddress,
  plainAddress: httpAddress,
  accountServer,
  stackGrpcAddress: stack.grpcsAddress,
  stackHttpAddress: stack.httpsAddress,
})

/**
 * The flow with its networks' addresses, certificate and secrets replaced by the sandbox's, and so the guard's account
 * server and the URL that is called. The other nodes stay, and so does a network of the example into which someone entered
 * addresses of their own: its key belongs to those. The variable of the example is set in this process, where Node-RED will
 * look for it.
 * @param {ReturnType<typeof placesOf>[]} [before]  where a sandbox was that the flow may still name; left out for the
 *   example as it is in the repository
 */
export function wire(flow, sandbox, before) {
  process.env[VARIABLE] = sandbox.accessKey
  const { accountServer, grpcAddress, httpAddress, plainAddress, stackGrpcAddress, stackHttpAddress } = placesOf(sandbox)
  return flow.map((node) => {
    if (!isOurs(node, before)) return node
    if (node.type === 'ttn-guard') return { ...node, accountServer }
    if (node.id === URL_PRESS) {
      const url = urlOf(node)
      const there = { ...url, v: url.v.replace(originOf(node), plainAddress) }
      return { ...node, props: node.props.map((prop) => (prop === url ? there : prop)) }
    }
    if (node.id === STACK) {
      const { appId, apiKey, ca } = sandbox.stack
      const at = { cluster: 'own', grpcAddress: stackGrpcAddress, httpAddress: stackHttpAddress }
      return { ...node, ...at, appId, ca, credentials: { secret: apiKey } }
    }
    return {
      ...node,
      appId: sandbox.appId,
      grpcAddress,
      httpAddress: node.id === PLAIN ? plainAddress : httpAddress,
      ca: sandbox.ca,
      ...(node.exchange === 'here' && { accountServer }),
      // A key that comes from the variable is not stored as well.
      ...(node.source !== 'environment' && secretOf(node, sandbox)),
    }
  })
}

const secretOf = ({ kind }, sandbox) => ({
  credentials: { secret: kind === 'access-key' ? sandbox.accessKey : sandbox.bearerToken },
})

/** Whether what a node of the example calls is still a sandbox. */
export function isOurs(node, before = wired.map(addressesOf)) {
  if (!wired.some(({ id }) => id === node.id)) return false
  return before.some((known) => Object.entries(addressesOf(node)).every(([name, address]) => address !== undefined && known[name] === address))
}

/** The example's networks in a flow that are no sandbox's any more. */
export const others = (flow, before) =>
  flow.filter((node) => isNetwork(node) && wired.some(({ id }) => id === node.id) && !isOurs(node, before))

/**
 * Presses each inject button of the flow that leads to a request for devices, one after the other.
 * @returns {Promise<{credential: string, transport: string, device?: string, error?: string, ms: number}[]>}
 */
export async function pressAll(RED, flow) {
  const leadsTo = (node, type) => flow.find((other) => other.type === type && other.wires.flat().includes(node.id))
  const rows = []
  const reads = ({ type, call }) => (type === 'ttn-request' && call !== 'authInfo') || type === 'http request'
  for (const request of flow.filter(reads)) {
    const headers = leadsTo(request, 'ttn-auth-headers')
    const button = leadsTo(headers ?? request, 'inject')
    if (!button) continue
    const network = flow.find((node) => node.id === (headers ?? request).network)
    const started = performance.now()
    const outcome = await press(RED, button.id, request.id, headers?.id)
    const ms = performance.now() - started
    rows.push({ credential: headers ? 'http-request' : credentialOf(network), transport: request.transport ?? 'http', ms, ...outcome })
  }
  return rows
}

function credentialOf(network) {
  if (network?.id === CALLER) return 'guarded-flow'
  return network?.exchange === 'here' ? 'exchanged-key' : (network?.kind ?? '?')
}

/** What the request node made of one press: its message, or its error, or that of the node in front of it. */
function press(RED, buttonId, requestId, beforeId) {
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
      if (!event) return
      const { payload } = event.msg
      // To http request, a refusal is an answer as well.
      ended(payload?.error ? { error: payload.error } : deviceOf(payload))
    })
    RED.hooks.add(`onComplete.${label}`, ({ node, error }) => {
      if (error && (node.id === requestId || node.id === beforeId)) ended({ error: error.message })
    })
    RED.nodes.getNode(buttonId).receive()
  })
}

/** The device that was read: one of V2, or the first of The Things Stack's. */
function deviceOf(payload) {
  if (Array.isArray(payload)) return { device: payload[0]?.ids.device_id, devEui: payload[0]?.ids.dev_eui }
  return { device: payload?.dev_id, devEui: payload?.lorawan_device?.dev_eui }
}
