// The recipe of docs/mqtt.md: Node-RED's own mqtt nodes sign in with what `credentials.mqtt` gives, and no flow holds it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { read } from '../../scripts/example.mjs'
import { startNodeRed } from '../../scripts/node-red.mjs'
import { root } from '../../scripts/prepare.mjs'
import { nodeRed as version } from './support.mjs'

const require = createRequire(import.meta.url)
const { Credentials } = require('../../node/index.js')
// Node-RED's own.
const inNodes = createRequire(createRequire(require.resolve(version)).resolve('@node-red/nodes/core/network/10-mqtt.js'))
const { generate, parser } = createRequire(inNodes.resolve('mqtt'))('mqtt-packet')

const KEY = `NNSXS.${'A'.repeat(39)}.${'B'.repeat(52)}`
const ACCESS_KEY = 'ttn-account-v2.abcdefghijklmnopqrstuvwxyz'
const userDir = mkdtempSync(join(tmpdir(), 'ttn-mqtt-'))
let server, nodeRed

/** A server that lets in who knows the password, and sends one uplink to who subscribes. */
class Mqtt {
  signedIn = []
  #sockets = new Set()

  async start() {
    this.server = createServer((socket) => this.#serve(socket))
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.port = String(this.server.address().port)
    return this
  }

  #serve(socket) {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    const packets = parser({ protocolVersion: 4 })
    const send = (packet) => socket.write(generate(packet))
    packets.on('packet', (packet) => {
      if (packet.cmd === 'connect') {
        this.signedIn.push([packet.username, packet.password?.toString()])
        send({ cmd: 'connack', returnCode: 0, sessionPresent: false })
      } else if (packet.cmd === 'subscribe') {
        send({ cmd: 'suback', messageId: packet.messageId, granted: packet.subscriptions.map(() => 0) })
        send({ cmd: 'publish', topic: 'v3/my-app@ttn/devices/dev1/up', payload: '{"end_device_ids":{"device_id":"dev1"}}', qos: 0, dup: false, retain: false })
      } else if (packet.cmd === 'pingreq') send({ cmd: 'pingresp' })
    })
    socket.on('data', (bytes) => packets.parse(bytes))
  }

  stop() {
    for (const socket of this.#sockets) socket.destroy()
    this.server.close()
  }
}

before(async () => {
  server = await new Mqtt().start()
  nodeRed = await startNodeRed({ userDir, nodeRed: version })
})
after(async () => {
  await nodeRed?.stop()
  server?.stop()
  for (const name of ['TTN_MQTT_USERNAME', 'TTN_MQTT_PASSWORD']) delete process.env[name]
  rmSync(userDir, { recursive: true, force: true })
})

for (const [name, credentials, options, username] of [
  ['The Things Stack', () => Credentials.apiKey(KEY), { appId: 'my-app', tenant: 'ttn' }, 'my-app@ttn'],
  ['The Things Stack without tenants', () => Credentials.apiKey(KEY), { appId: 'my-app' }, 'my-app'],
  ['V2', () => Credentials.accessKey(ACCESS_KEY), { appId: 'my-app' }, 'my-app'],
]) {
  test(`${name}: the example signs in, and an uplink comes`, async () => {
    const made = credentials().mqtt(options)
    // As the recipe's settings.js does.
    process.env.TTN_MQTT_USERNAME = made.username
    process.env.TTN_MQTT_PASSWORD = made.password
    server.signedIn.length = 0
    const came = new Promise((resolve) => {
      nodeRed.RED.hooks.add('onSend.mqtt', (events) => events.some(({ source, msg }) => source.id === 'ttn-mqtt-in' && resolve(msg)))
    })
    const flow = read('mqtt').map((node) => (node.type === 'mqtt-broker' ? { ...node, broker: '127.0.0.1', port: server.port, usetls: false } : node))
    await nodeRed.deploy(flow)
    const { payload } = await came
    nodeRed.RED.hooks.remove('*.mqtt')
    assert.equal(payload.end_device_ids.device_id, 'dev1')
    const secret = name === 'V2' ? ACCESS_KEY : KEY
    assert.deepEqual(server.signedIn, [[username, secret]])
    // Neither the flows nor what Node-RED stores apart from them.
    for (const file of readdirSync(userDir).filter((entry) => entry.endsWith('.json'))) {
      assert.ok(!readFileSync(join(userDir, file), 'utf8').includes(secret), file)
    }
  })
}

test('the recipe names what the example has', () => {
  const recipe = readFileSync(join(root, 'docs', 'mqtt.md'), 'utf8')
  for (const text of ['TTN_MQTT_USERNAME', 'TTN_MQTT_PASSWORD', 'v3/my-app@ttn/devices/+/up', "mqtt({ appId: 'my-app', tenant: 'ttn' })"]) assert.ok(recipe.includes(text), text)
})
