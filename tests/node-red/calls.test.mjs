// What a ttn-request node calls, and what it makes of the answer.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { CREDENTIALS, TRANSPORTS, flow, load, network, helper, secretOf, send, shows, statuses, withSandbox } from './support.mjs'

const sandbox = withSandbox()

/** What a V2 Handler wants of a device: the ids again, and EUIs. */
const lorawan = (dev_id, eui) => ({ app_id: 'test-app', dev_id, app_eui: '70B3D57EF0000001', dev_eui: eui.padStart(16, '0') })

for (const kind of CREDENTIALS) {
  for (const transport of TRANSPORTS) {
    test(`${kind} over ${transport}: reads a device`, async () => {
      await load(flow({ transport }, network(sandbox(), { kind })), secretOf(sandbox(), kind))
      // The sandbox's token is good for an hour.
      const expires = kind === 'bearer-token'
      const before = expires ? { fill: 'yellow', shape: 'dot', text: 'ttn.status.expires' } : {}
      assert.deepEqual(statuses(), [before], 'nothing is wrong before the first message')
      const { out } = await send({ _msgid: '1', topic: 'kept', payload: 1732444800000 })
      assert.equal(out.payload.dev_id, 'dev-1')
      assert.equal(out.payload.lorawan_device.dev_eui, '0000000000000001')
      assert.equal(out.topic, 'kept')
      if (transport === 'grpc') {
        assert.equal(out.grpcCode, 0)
        assert.equal(out.statusCode, undefined)
        assert.equal(out.responseUrl, `${sandbox().grpcAddress}/handler.ApplicationManager/GetDevice`)
      } else {
        assert.equal(out.statusCode, 200)
        assert.equal(out.grpcCode, undefined)
        assert.equal(out.responseUrl, `${sandbox().httpAddress}/applications/test-app/devices/dev-1`)
      }
      const ok = expires
        ? { fill: 'yellow', shape: 'dot', text: 'ttn.status.ok-expires' }
        : { fill: 'green', shape: 'dot', text: 'ttn.status.ok' }
      await shows(ok)
      assert.deepEqual(statuses(), [before, { fill: 'yellow', shape: 'ring', text: 'ttn.status.connecting' }, ok])
    })
  }

  test(`${kind} over TLS, with the server's own certificate`, async () => {
    const { grpcsAddress: grpcAddress, httpsAddress: httpAddress, ca } = sandbox()
    for (const transport of TRANSPORTS) {
      await load(flow({ transport }, network(sandbox(), { kind, grpcAddress, httpAddress, ca })), secretOf(sandbox(), kind))
      assert.equal((await send()).out?.payload.dev_id, 'dev-1', transport)
      await helper.unload()
    }
  })
}

test('both transports answer the same', async () => {
  const answers = []
  for (const transport of TRANSPORTS) {
    await load(flow({ transport }, network(sandbox())), sandbox().accessKey)
    answers.push((await send()).out.payload)
    await helper.unload()
  }
  assert.deepEqual(answers[0], answers[1])
})

for (const transport of TRANSPORTS) {
  test(`creates, lists and deletes devices over ${transport}`, async () => {
    await load(flow({ transport, devId: '' }, network(sandbox())), sandbox().accessKey)
    const dev_id = `made-${transport}`
    const device = { dev_id, description: 'from a flow', lorawan_device: lorawan(dev_id, transport === 'grpc' ? 'A1' : 'A2') }
    assert.deepEqual((await send({ method: 'setDevice', payload: device })).out?.payload, {})
    const read = (await send({ dev_id: device.dev_id })).out.payload
    assert.equal(read.description, 'from a flow')
    assert.equal(read.lorawan_device.dev_eui, device.lorawan_device.dev_eui)
    const list = (await send({ method: 'getDevices', query: { limit: '1', offset: 0 } })).out
    assert.equal(list.payload.devices.length, 1)
    assert.equal(list.payload.selected, 1)
    assert.equal(list.payload.total, 2)
    assert.ok((await send({ method: 'deleteDevice', dev_id: device.dev_id })).out)
    assert.equal((await send({ dev_id: device.dev_id })).caught.error.code, 'AUTH_NOT_FOUND')
  })
}

test('the message wins over the node, the node over the payload, the network comes last', async () => {
  await load(flow({ appId: 'test-app', devId: 'dev-1' }, network(sandbox(), { appId: 'no-such-app' })), sandbox().accessKey)
  assert.equal((await send({ dev_id: 'no-such' })).caught.error.code, 'AUTH_NOT_FOUND')
  assert.equal((await send({ payload: { dev_id: 'no-such' } })).out?.payload.dev_id, 'dev-1')
  const caught = (await send({ method: 'getDevices', app_id: 'other-app' })).caught
  assert.match(caught.error.code, /AUTH_(INVALID_KEY|PERMISSION_DENIED|NOT_FOUND)/)
  // The id in the payload counts if nothing else names one.
  await helper.unload()
  await load(flow({ devId: '' }, network(sandbox())), sandbox().accessKey)
  const device = { dev_id: 'from-payload', lorawan_device: lorawan('from-payload', 'A4') }
  assert.ok((await send({ method: 'setDevice', payload: device })).out)
  assert.ok((await send({ method: 'deleteDevice', dev_id: 'from-payload' })).out)
  assert.match((await send({})).caught.error.message, /^AuthError: ttn\.problem\.id-missing /)
})

test('any HTTP route: query, method, body, headers', async () => {
  await load(flow({ call: 'http', path: '/applications/{app_id}/devices', devId: '' }, network(sandbox())), sandbox().accessKey)
  const list = (await send({ query: { limit: 1 }, payload: 'not sent with GET' })).out
  assert.equal(list.statusCode, 200)
  assert.equal(list.payload.devices[0].dev_id, 'dev-1')
  assert.equal(list.headers['grpc-metadata-total'], '1')
  assert.equal(list.responseUrl, `${sandbox().httpAddress}/applications/test-app/devices?limit=1`)
  const path = '/applications/test-app/devices/made-raw'
  const payload = { lorawan_device: lorawan('made-raw', 'A3') }
  assert.deepEqual((await send({ method: 'post', path, payload })).out?.payload, {})
  const read = (await send({ path: '/applications/{app_id}/devices/{dev_id}', dev_id: 'made-raw' })).out
  assert.equal(read.payload.lorawan_device.dev_eui, '00000000000000A3')
  assert.ok((await send({ method: 'DELETE', path })).out)
})

test('any gRPC method, with an encoded message', async () => {
  await load(flow({ call: 'grpc', rpc: '/handler.ApplicationManager/GetDevicesForApplication' }, network(sandbox())), sandbox().accessKey)
  // ApplicationIdentifier { 1: "test-app" }
  const message = Buffer.concat([Buffer.from([0x0a, 8]), Buffer.from('test-app')])
  const { out } = await send({ payload: message })
  assert.ok(Buffer.isBuffer(out.payload) && out.payload.includes('dev-1'))
  assert.equal(out.grpcCode, 0)
  assert.equal(out.metadata.total, '1')
  assert.match((await send({ payload: 'text' })).caught.error.message, /payload-buffer/)
  assert.match((await send({ method: 'GetDevice' })).caught.error.message, /rpc-method/)
})

test('what an earlier node left is not taken for the answer', async () => {
  await load(flow({}, network(sandbox())), sandbox().accessKey)
  const { out } = await send({ statusCode: 500, headers: { a: 1 }, responseUrl: 'http://other' })
  assert.deepEqual([out.statusCode, out.headers, out.grpcCode], [undefined, undefined, 0])
  assert.match(out.responseUrl, /^grpc:/)
})

test('a burst of messages all get their answer', async () => {
  await load(flow({}, network(sandbox())), sandbox().accessKey)
  const seen = new Set()
  const all = new Promise((resolve, reject) => {
    helper.getNode('caught').on('input', (msg) => reject(new Error(msg.error.message)))
    helper.getNode('out').on('input', (msg) => seen.add(msg.number).size === 100 && resolve())
  })
  const warned = []
  const warn = (warning) => warned.push(warning)
  process.on('warning', warn)
  for (let number = 0; number < 100; number += 1) helper.getNode('request').receive({ number })
  await all
  process.off('warning', warn)
  assert.deepEqual(warned, [])
  await shows('ttn.status.ok')
})
