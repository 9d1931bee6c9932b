// "What others got wrong": for each row a test that fails if these nodes do it too. Where they are:
//
// | row | tests |
// |---|---|
// | the key in `defaults`, in clear in flows.json | here; the files: secrets.test.mjs, editor/deployments.test.mjs; an export: editor/sources.test.mjs |
// | does not install on a Pi or on Alpine | here: nothing is built at installation; which addon is loaded: tests/node/load.test.mjs |
// | stays "connected" when it is not | errors.test.mjs: "server down"; status.test.mjs, state.test.mjs |
// | duplicate connections after a redeploy | redeploy.test.mjs: sockets counted at a proxy; three hundred times: editor/redeploys.test.mjs |
// | secrets as `type: 'text'`, which travel back to the browser | here; what is sent back: admin.test.mjs |
// | an admin route without `needsPermission` | admin.test.mjs: every route that the nodes add |
// | an error in the node ends Node-RED | editor/strangers.test.mjs; input.test.mjs, errors.test.mjs, guard-closed.test.mjs |
// | an endpoint with a password in the log | editor/strangers.test.mjs; errors.test.mjs, guard-closed.test.mjs |
// | an unset environment variable is used literally | here, for every text of every node; named: editor/variables.test.mjs, sources.test.mjs |
// | credentials lost at import, without a word | errors.test.mjs: "no secret"; editor/connection.test.mjs: "after an import"; editor/deployments.test.mjs: what cannot be decrypted |
// | headers set in the node override msg.headers | headers.test.mjs, editor/headers.test.mjs |
// | the secret goes back to the caller through http response | headers.test.mjs |
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { root } from '../../scripts/prepare.mjs'
import { ofEditor, ofRuntime, texts } from './definitions.mjs'
import { flow, folder, helper, load, network, nodes, proxy, send, withSandbox } from './support.mjs'

const editor = ofEditor()
const runtime = ofRuntime()

/** Every setting that a flow holds in clear. A new one is added here by somebody who has thought about what is in it. */
const IN_CLEAR = {
  'ttn-credentials': [
    'name', 'network', 'cluster', 'tenant', 'kind', 'source', 'variable', 'file', 'appId', 'exchange', 'accountServer', 'clientId', 'storeFile', 'accountCa',
    'grpcAddress', 'httpAddress', 'discovery', 'ca', 'tls', 'allowInsecure', 'timeout', 'rateLimit',
  ],
  'ttn-request': [
    'name', 'network', 'call', 'transport', 'appId', 'devId', 'httpMethod', 'path', 'rpc', 'timeout', 'order', 'atOnce', 'userId',
    'fieldMask', 'pages',
  ],
  'ttn-events': ['name', 'network', 'transport', 'appId', 'devId', 'names'],
  'ttn-auth-headers': ['name', 'network', 'target', 'hosts', 'withCaller'],
  'ttn-guard': [
    'name', 'network', 'right', 'appFrom', 'appId', 'issuer', 'accountServer', 'clientId', 'accountCa', 'keyDirectory', 'timeout', 'outputs',
  ],
}

test('the settings of each node that a flow holds in clear', () => {
  assert.deepEqual(Object.keys(editor).sort(), Object.keys(IN_CLEAR).sort())
  for (const [type, { defaults }] of Object.entries(editor)) {
    assert.deepEqual(Object.keys(defaults).filter((name) => !IN_CLEAR[type].includes(name)), [], type)
  }
})

test('every credential is a password, in the editor and in the runtime: Node-RED sends texts back to the browser', () => {
  assert.deepEqual(Object.keys(runtime).sort(), Object.keys(editor).sort())
  const secrets = Object.entries(runtime).flatMap(([type, credentials]) => Object.entries(credentials).map(([name, { type: kind }]) => [type, name, kind]))
  assert.ok(secrets.length >= 4)
  for (const [type, name, kind] of secrets) {
    assert.equal(kind, 'password', `${type} ${name}`)
    assert.equal(editor[type].credentials[name]?.type, 'password', `${type} ${name}`)
    assert.ok(!Object.hasOwn(editor[type].defaults, name), `${type} ${name}`)
  }
  for (const [type, { credentials = {} }] of Object.entries(editor)) assert.deepEqual(Object.keys(credentials), Object.keys(runtime[type]), type)
})

test('nothing is run when the package is installed', () => {
  const { scripts, dependencies, optionalDependencies = {} } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) assert.equal(scripts[name], undefined, name)
  // The addon comes built, as a package of its own for each platform.
  assert.deepEqual(Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !name.startsWith('@thingskey/')), [])
})

const sandbox = withSandbox()
const UNSET = '${TTN_NOT_SET}'

/** What was sent, as it was meant: escapes and Basic credentials undone. */
const readable = (text) => [
  text,
  text.replace(/%[0-9a-f]{2}/gi, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16))),
  ...[...text.matchAll(/basic ([\w+/=]+)/gi)].map(([, pair]) => Buffer.from(pair, 'base64').toString('latin1')),
].join('\n')

/** A network that keeps what it is sent, and has nothing for anybody; in front of an account server that has. */
async function recorder(t) {
  const received = []
  const keep = (...parts) => received.push(readable(parts.map((part) => (Array.isArray(part) ? Buffer.concat(part).toString('latin1') : JSON.stringify(part))).join('\n')))
  const http = createServer(async (request, response) => {
    keep({ url: request.url, ...request.headers }, await request.toArray())
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}')
  })
  const sessions = new Set()
  const grpc = createHttp2Server()
  grpc.on('session', (session) => sessions.add(session.on('close', () => sessions.delete(session))))
  grpc.on('stream', async (stream, headers) => {
    stream.on('error', () => {})
    keep(headers, await stream.toArray())
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' }, { endStream: true })
  })
  for (const server of [http, grpc]) await once(server.listen(0, '127.0.0.1'), 'listening')
  const [account, discovery] = await Promise.all([proxy(sandbox().accountServer), proxy(sandbox().discovery)])
  for (const { server } of [account, discovery]) server.on('opened', (socket) => socket.on('data', (bytes) => keep([bytes])))
  t.after(() => {
    for (const { stop } of [account, discovery]) stop()
    http.closeAllConnections()
    for (const session of sessions) session.destroy()
    for (const server of [http, grpc]) server.close()
  })
  const at = (server) => `127.0.0.1:${server.address().port}`
  return { received, accountServer: account.address, discovery: discovery.address, httpAddress: `http://${at(http)}`, grpcAddress: `grpc://${at(grpc)}` }
}

/** Of each node the ways to set it up in which its settings are used, with its secrets. */
const WAYS = {
  'ttn-credentials': ({ accountServer, discovery }, { key, file }) => [
    [{}, { secret: key }],
    [{ exchange: 'here', accountServer, clientId: 'me' }, { secret: key, clientSecret: 'mine' }],
    [{ source: 'environment', variable: 'TTN_TEST_OTHERS' }],
    [{ source: 'file', file }],
    [{ discovery, grpcAddress: '', httpAddress: '' }, { secret: key }],
  ],
  'ttn-request': () => [
    [{}], [{ transport: 'http' }], [{ call: 'setDevice' }], [{ call: 'http', path: '/x/{app_id}/{dev_id}' }], [{ call: 'grpc', rpc: '/a.B/C' }],
  ],
  'ttn-auth-headers': ({ httpAddress }) => [[{}], [{ hosts: httpAddress }], [{ target: 'metadata' }]],
  'ttn-guard': ({ accountServer }) => [
    [{ accountServer, right: 'devices', appFrom: 'path' }],
    [{ accountServer, right: 'devices', appFrom: 'fixed', appId: 'test-app', clientId: 'me' }, { clientSecret: 'mine' }],
  ],
}

/** Settings that are chosen from a list. What is not in it is refused, or means the first. */
const CHOSEN = ['kind', 'source', 'exchange', 'call', 'transport', 'httpMethod', 'target']

test('an unset variable is used literally nowhere, in no text and no secret of any node', async (t) => {
  const recorded = await recorder(t)
  const key = sandbox().accessKey
  const file = join(folder(t), 'key')
  writeFileSync(file, key)
  process.env.TTN_TEST_OTHERS = key
  t.after(() => delete process.env.TTN_TEST_OTHERS)
  const base = network(sandbox(), { grpcAddress: recorded.grpcAddress, httpAddress: recorded.httpAddress })
  /** Whoever shows the key passes, or is answered. */
  const answered = () => new Promise((resolve) => {
    helper.getNode('out').on('input', resolve)
    const req = { headers: { authorization: `Key ${key}` }, rawHeaders: [], params: { app_id: 'test-app' } }
    helper.getNode('guard').receive({ req, res: { setHeader() {}, end: resolve } })
  })

  for (const [type, ways] of Object.entries(WAYS)) {
    for (const [settings, secrets = {}] of ways(recorded, { key, file })) {
      for (const name of [undefined, ...texts(editor[type]), ...Object.keys(runtime[type])]) {
        const own = name in editor[type].defaults ? { ...settings, [name]: UNSET } : settings
        const hidden = name in runtime[type] ? { ...secrets, [name]: UNSET } : secrets
        const before = recorded.received.length
        if (type === 'ttn-guard') {
          const guard = { id: 'guard', type, z: 'tab', x: 1, y: 1, issuer: '', outputs: 1, wires: [['out']], ...own }
          await helper.load(nodes, [{ id: 'tab', type: 'tab' }, guard, { id: 'out', type: 'helper', z: 'tab', x: 1, y: 1 }], { guard: hidden })
          await answered()
        } else {
          const request = type === 'ttn-credentials' ? {} : { type, ...own }
          const config = type === 'ttn-credentials' ? { ...base, ...own } : base
          const all = flow(request, config)
          all.push({ ...all.find(({ id }) => id === 'request'), id: 'other', transport: 'http', ...request })
          await load(all, type === 'ttn-credentials' ? hidden : key)
          for (const to of ['request', 'other']) {
            for (const ids of [{}, { app_id: 'test-app', dev_id: 'dev-1' }]) {
              const { out, caught } = await send({ payload: own.call === 'grpc' ? Buffer.alloc(0) : {}, url: own.target === 'metadata' ? base.grpcAddress : base.httpAddress, ...ids }, to)
              // What another node would send then.
              if (type === 'ttn-auth-headers' && out) recorded.received.push(JSON.stringify([out.headers, out.metadata]))
              // Other errors are the recorder's.
              if (/ARGUMENT|CREDENTIALS/.test(caught?.error.code)) assert.match(caught.error.message, CHOSEN.includes(name) ? /./ : /ttn\.problem\.variable /, `${type} ${name}`)
            }
          }
        }
        await helper.unload()
        for (const text of recorded.received.slice(before)) assert.ok(!text.includes('${') && !text.includes('TTN_NOT_SET'), `${type} ${name}: ${text}`)
        // With everything set, everything is called.
        if (name === undefined) assert.ok(recorded.received.length > before, `${type} ${JSON.stringify(settings)}`)
      }
    }
  }
})
