// Whatever strangers send, in messages of other nodes or from the network: Node-RED goes on, each message ends in an
// answer or an error, and the next one is answered. And nothing that is logged holds a password that stands in an address.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { after, before, test } from 'node:test'

import { at as place, button, flow, network, request, tab, withSecret } from './flows.mjs'
import { startNodeRed } from './process.mjs'

const { Sandbox } = createRequire(import.meta.url)('../../node/index.js')
const PASSWORD = 'hunter2'
let sandbox, nodeRed

before(async () => {
  sandbox = await Sandbox.start({ rateLimit: false })
  nodeRed = await startNodeRed({ settings: { logging: { console: { level: 'trace', metrics: true, audit: true } } } })
})
after(async () => {
  await nodeRed?.remove()
  await sandbox?.stop()
})

/** A flow that works, beside what a test adds. */
const beside = (...more) => [...flow(request(), network(sandbox, withSecret(sandbox.accessKey))), ...more]

/** Node-RED still runs, and answers. */
async function lives() {
  assert.equal((await nodeRed.press('press', 'out')).payload?.dev_id, 'dev-1')
  assert.doesNotMatch(nodeRed.log, /uncaught|unhandled/i)
}

/** Waits until a node has ended what it was asked for; resolves to the status that it shows then. */
const ended = (id) => nodeRed.status(id, /^(?!ttn\.status\.requesting|ttn\.status\.connecting|\d+ requesting|ttn\.problem-short\.closed)/)

/** What a function node, which anybody writes, can make of a message. */
const MESSAGES = {
  'a payload that throws': "Object.defineProperty(msg, 'payload', { enumerable: true, get() { throw new Error('no') } })",
  'an id that throws nothing': "Object.defineProperty(msg, 'dev_id', { enumerable: true, get() { throw undefined } })",
  'a time limit that throws': "Object.defineProperty(msg, 'timeout', { enumerable: true, get() { throw new Error('no') } })",
  'answers that cannot be set': "for (const name of ['statusCode', 'grpcCode', 'payload', 'headers']) Object.defineProperty(msg, name, { get: () => undefined, set() { throw new Error('no') } })",
  'answers that cannot be taken away': "for (const name of ['statusCode', 'grpcCode', 'payload', 'headers']) Object.defineProperty(msg, name, { value: 1 })",
  'a proxy as payload': "msg.payload = new Proxy({}, new Proxy({}, { get() { throw new Error('no') } }))",
  'a revoked proxy': "const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); msg.payload = proxy; msg.query = proxy",
  'itself as payload': "msg.payload = msg; msg.query = msg",
  'a deep payload': "let deep = {}; for (let i = 0; i < 20000; i += 1) deep = { deep }; msg.payload = deep; msg.query = deep",
  'a huge payload': "msg.payload = { description: 'x'.repeat(4 * 1024 * 1024) }",
  'a huge id': "msg.dev_id = 'x'.repeat(1024 * 1024); msg.path = '/' + msg.dev_id",
  'texts that throw': "const text = { toString() { throw new Error('no') }, toJSON() { throw new Error('no') }, valueOf() { throw new Error('no') } }; msg.payload = { a: text }; msg.dev_id = text; msg.method = text; msg.path = text",
  'symbols and big integers': "msg.payload = 7n; msg.dev_id = Symbol('x'); msg.query = { a: Symbol('x') }",
}
const REQUESTS = {
  named: {}, sending: { call: 'setDevice' }, http: { call: 'http', httpMethod: 'POST', path: '/applications/{app_id}/devices/{dev_id}', order: 'kept' },
  grpc: { call: 'grpc', rpc: '/handler.ApplicationManager/GetDevice' },
}

/** Each node that takes messages, with a button and a function node in front of it. Two wires: what leaves is copied. */
function asked(z, at, what, code) {
  const common = { z, x: 1, y: 1, name: what, wires: [[`${z}-behind`, `${z}-behind`]] }
  return [
    ...Object.entries(REQUESTS).map(([name, call]) => request({ ...common, ...call, id: `${z}-${name}-${at}` })),
    { ...common, id: `${z}-guard-${at}`, type: 'ttn-guard', right: 'any', appFrom: 'fixed', accountServer: sandbox.accountServer, outputs: 1 },
    { ...common, id: `${z}-headers-${at}`, type: 'ttn-auth-headers', network: 'network', target: 'header', hosts: '' },
  ].flatMap((node) => [
    node,
    button(`${node.id}-make`, { id: `${node.id}-press`, z }),
    { id: `${node.id}-make`, type: 'function', z, x: 1, y: 1, func: `${code}; return msg`, outputs: 1, wires: [[node.id]] },
  ])
}

test('messages that cannot be read, copied or written', async () => {
  const hostile = ['alone', 'caught'].flatMap((z) => [
    tab({ id: z }),
    ...Object.entries(MESSAGES).flatMap(([what, code], at) => asked(z, at, what, code)),
    { id: `${z}-behind`, type: 'debug', z, x: 1, y: 1, active: false, tosidebar: false, complete: 'true', wires: [] },
  ])
  // Node-RED copies a message for a catch node and for a complete node, and fails at some.
  for (const type of ['catch', 'complete']) {
    const scope = type === 'catch' ? null : hostile.filter((node) => node.type.startsWith('ttn-')).map(({ id }) => id)
    hostile.push({ id: `any-${type}`, type, z: 'caught', x: 1, y: 1, scope, wires: [['caught-behind']] })
  }
  await nodeRed.deploy(beside(...hostile))
  const ids = hostile.filter((node) => node.type.startsWith('ttn-')).map(({ id }) => id)
  await Promise.all(ids.map((id) => nodeRed.press(`${id}-press`)))
  for (const id of ids) await ended(id)
  await lives()
})

/** Servers that are none, by what they do with a connection. */
const SERVERS = {
  'closes': (socket) => socket.destroy(),
  'resets': (socket) => socket.resetAndDestroy(),
  'resets what it is asked': (socket) => socket.once('data', () => socket.resetAndDestroy()),
  'says nothing': (socket) => socket.resume(),
  'sends bytes': (socket) => socket.once('data', () => socket.end(Buffer.alloc(65_536, 0xff))),
  'sends bytes at once': (socket) => socket.end(Buffer.alloc(65_536, 7)),
  'sends HTTP without end': (socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"')),
  'sends JSON that is none': (socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{"dev_id":\u0000')),
  'sends other JSON': (socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n[[],{"access_token":7,"key":[]}]')),
  'sends a long header': (socket) => socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(1024 * 1024)}\r\n\r\n`)),
  'redirects to itself': (socket) => socket.once('data', () => socket.end('HTTP/1.1 302 Found\r\nlocation: /\r\nconnection: close\r\n\r\n')),
  'sends HTTP/2 frames that are none': (socket) => socket.once('data', () => socket.end(Buffer.from('0000040000000000000000000400000001deadbeefffffff09ff80000001', 'hex'))),
}

test('servers that close, reset, hang and send what is no answer', async (t) => {
  // Its errors are nobody's, so that what is caught belongs to the flow beside it.
  const place = { z: 'hostile', x: 1, y: 1 }
  const hostile = [tab({ id: 'hostile' })]
  const ids = []
  for (const [at, [what, serve]] of Object.entries(SERVERS).entries()) {
    const server = createServer((socket) => serve(socket.on('error', () => {}))).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const sockets = new Set()
    server.on('connection', (socket) => sockets.add(socket))
    t.after(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    const host = `127.0.0.1:${server.address().port}`
    const networks = {
      called: { grpcAddress: `grpc://${host}`, httpAddress: `http://${host}` },
      exchanging: { exchange: 'here', accountServer: `http://${host}` },
      discovering: { discovery: `grpc://${host}`, grpcAddress: '', httpAddress: '' },
    }
    for (const [name, more] of Object.entries(networks)) {
      const settings = network(sandbox, { ...more, id: `${name}-${at}-network`, timeout: '500', ...withSecret(sandbox.accessKey) })
      for (const transport of ['grpc', 'http']) {
        const id = `${name}-${transport}-${at}`
        hostile.push(button(id, { ...place, id: `${id}-press` }), request({ ...place, id, name: what, network: settings.id, transport, wires: [[]] }))
        ids.push(id)
      }
      hostile.push(settings)
    }
    hostile.push(
      { id: `in-${at}`, type: 'http in', ...place, url: `/${at}/:app_id`, method: 'get', wires: [[`guard-${at}`]] },
      { id: `guard-${at}`, type: 'ttn-guard', ...place, name: what, right: 'devices', appFrom: 'path', issuer: '', accountServer: `http://${host}`, timeout: '500', outputs: 1, wires: [['response']] },
    )
  }
  hostile.push({ id: 'response', type: 'http response', ...place, wires: [] })
  await nodeRed.deploy(beside(...hostile))
  await Promise.all(ids.map((id) => nodeRed.press(`${id}-press`)))
  const authorization = `Key ${sandbox.accessKey}`
  const callers = Object.keys(SERVERS).map((_, at) => nodeRed.request(`${at}/test-app`, { headers: { authorization } }))
  for (const answer of await Promise.all(callers)) assert.equal(answer.status, 503)
  for (const id of ids) {
    const { fill } = await ended(id)
    assert.equal(fill, 'red', id)
  }
  await lives()
})

test('a password in an address is refused, and is in no log, status or error', async () => {
  const wrong = [
    network(sandbox, { grpcAddress: `grpcs://me:${PASSWORD}@127.0.0.1`, httpAddress: `https://me:${PASSWORD}@127.0.0.1` }),
    network(sandbox, { exchange: 'here', accountServer: `https://me:${PASSWORD}@127.0.0.1` }),
    network(sandbox, { discovery: `grpcs://me:${PASSWORD}@127.0.0.1`, grpcAddress: '', httpAddress: '' }),
  ]
  const all = wrong.flatMap((settings, at) => ['grpc', 'http'].flatMap((transport) => [
    { ...settings, id: `network-${at}`, ...withSecret(sandbox.accessKey) },
    button(`${transport}-${at}`, { id: `${transport}-${at}-press` }),
    request({ id: `${transport}-${at}`, network: `network-${at}`, transport, wires: [[]] }),
  ]))
  const guard = { id: 'guard', type: 'ttn-guard', ...place, right: 'devices', appFrom: 'path', accountServer: `https://me:${PASSWORD}@127.0.0.1`, outputs: 1, wires: [[]] }
  const headers = { id: 'headers', type: 'ttn-auth-headers', ...place, network: 'network-0', target: 'header', hosts: `https://me:${PASSWORD}@127.0.0.1`, wires: [[]] }
  const from = nodeRed.log.length
  await nodeRed.deploy(beside(...new Map(all.map((node) => [node.id, node])).values(), guard, headers))
  const asked = wrong.flatMap((_, at) => ['grpc', 'http'].map((transport) => `${transport}-${at}`))
  for (const id of asked) {
    const shown = nodeRed.debug('out')
    await nodeRed.press(`${id}-press`)
    const { error } = await shown
    assert.match(error.message, /AuthError: /)
    assert.ok(!JSON.stringify(error).includes(PASSWORD), error.message)
  }
  for (const id of [...asked, 'guard', 'headers']) {
    const status = await ended(id)
    assert.equal(status.fill, 'red', id)
    assert.ok(!JSON.stringify(status).includes(PASSWORD))
  }
  await lives()
  const log = nodeRed.log.slice(from)
  assert.ok(log.includes('ttn-request') && !log.includes(PASSWORD))
  assert.ok(!nodeRed.log.includes(sandbox.accessKey))
})
