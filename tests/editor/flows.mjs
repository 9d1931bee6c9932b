// Flows in short, for tests that deploy their own: a button, a request and a debug node that shows what came of it.

/** Where a node is. Nodes without a place would be config nodes to Node-RED. */
export const at = { z: 'tab', x: 1, y: 1 }

export const tab = (more) => ({ id: 'tab', type: 'tab', label: 'test', ...more })

/** A ttn-credentials node for the sandbox; its key is in it only if `more` says so. */
export const network = (sandbox, more) => ({
  id: 'network', type: 'ttn-credentials', name: '', kind: 'access-key', appId: sandbox.appId,
  grpcAddress: sandbox.grpcAddress, httpAddress: sandbox.httpAddress, ...more,
})

/** As it is after its dialog was left with a secret. */
export const withSecret = (secret) => ({ credentials: { secret } })

/** A ttn-request node that reads a device. */
export const request = (more) => ({
  id: 'request', type: 'ttn-request', ...at, name: '', network: 'network', call: 'getDevice', transport: 'grpc', devId: 'dev-1',
  wires: [['out']], ...more,
})

/** An inject node whose message says nothing. */
export const button = (to, more) => ({ id: 'press', type: 'inject', ...at, name: '', props: [], wires: [[to]], ...more })

/** Shows what comes, errors too, in the editor. */
export const shown = () => [
  { id: 'caught', type: 'catch', ...at, scope: null, uncaught: false, wires: [['out']] },
  { id: 'out', type: 'debug', ...at, name: '', active: true, tosidebar: true, console: false, complete: 'true', targetType: 'full', wires: [] },
]

/** A whole flow: `press`, `request`, `out`. */
export const flow = (...more) => [tab(), button('request'), ...shown(), ...more]
