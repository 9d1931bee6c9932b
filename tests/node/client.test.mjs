// The client against the sandbox: every transport with both credentials, and the same answers over both.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Client, Credentials } from '../../node/index.js'
import { KINDS, SCHEMES, connect, credentialsOf, rejects, withSandbox } from './support.mjs'

const sandbox = withSandbox()
const APP = { app_id: 'test-app' }

/** A device with every kind of field: floats, int64, keys, what is not ASCII, what HTML would escape. */
const full = (dev_id, number) => ({
  app_id: 'test-app',
  dev_id,
  latitude: 52.1,
  longitude: -4.9000001,
  altitude: -12,
  description: 'Zürich <b>&amp; 東京 🛰️\u2028',
  attributes: { 'ключ': 'значение', b: '', a: '1' },
  lorawan_device: {
    app_id: 'test-app',
    dev_id,
    app_eui: '70B3D57ED0000002',
    dev_eui: number.toString(16).toUpperCase().padStart(16, '0'),
    dev_addr: '26010203',
    nwk_s_key: '000102030405060708090A0B0C0D0E0F',
    app_s_key: 'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF',
    f_cnt_up: 4294967295,
    f_cnt_down: 1,
    uses32_bit_f_cnt: true,
    disable_f_cnt_check: true,
  },
})

let next = 100
for (const scheme of SCHEMES) {
  for (const kind of KINDS) {
    test(`${scheme} with ${kind}: reads, sets, lists and deletes a device`, async () => {
      const client = connect(sandbox(), scheme, { credentials: credentialsOf(sandbox(), kind) })
      assert.equal(client.transport, scheme.slice(0, 4))
      assert.equal(client.address, sandbox()[`${scheme}Address`])
      const fixture = await client.getDevice({ app_id: 'test-app', dev_id: 'dev-1' })
      assert.equal(fixture.lorawan_device.dev_eui, '0000000000000001')
      assert.equal(fixture.lorawan_device.app_key, '', 'an unset key is empty text')
      assert.equal('latitude' in fixture, false, 'another zero value is left out')

      const device = full(`made-${scheme}-${kind}`, (next += 1))
      const id = { app_id: device.app_id, dev_id: device.dev_id }
      assert.equal(await client.setDevice(device), undefined)
      const read = await client.getDevice(id)
      assert.equal(read.latitude, 52.1)
      assert.equal(read.longitude, -4.9)
      assert.equal(read.description, device.description)
      assert.deepEqual(read.attributes, device.attributes)
      assert.deepEqual({ ...read.lorawan_device, ...device.lorawan_device }, read.lorawan_device)

      const { devices, total, selected } = await client.getDevices(APP)
      assert.deepEqual(devices.map(({ dev_id }) => dev_id), ['dev-1', device.dev_id].sort())
      assert.deepEqual([total, selected], [2, 2])
      assert.equal(await client.deleteDevice(id), undefined)
      await rejects(client.getDevice(id), 'AUTH_NOT_FOUND')
      client.close()
    })
  }
}

test('answers are deeply equal over every transport', async () => {
  const clients = SCHEMES.map((scheme) => connect(sandbox(), scheme))
  for (let number = 1; number <= 5; number++) await clients[number % 4].setDevice(full(`equal-${number}`, 1000 + number))
  await clients[0].setApplication({ ...APP, decoder: 'function Decoder() { return "<&>" }', payload_format: 'custom' })
  const reads = [
    (client) => client.getDevice({ app_id: 'test-app', dev_id: 'equal-1' }),
    (client) => client.getDevice({ app_id: 'test-app', dev_id: 'dev-1' }),
    (client) => client.getApplication(APP),
    (client) => client.getDevices(APP),
    (client) => client.getDevices(APP, { limit: 2 }),
    (client) => client.getDevices(APP, { limit: 2, offset: 4 }),
    (client) => client.getDevices(APP, { offset: 5 }),
    (client) => client.getDevices(APP, { limit: 0 }),
    (client) => client.getDevices(APP, { limit: 10, offset: 100 }),
    (client) => client.getDevices({ app_id: 'other-app' }),
  ]
  const other = Credentials.accessKey('ttn-account-v2.full-other-app')
  for (const read of reads) {
    const app = read === reads.at(-1) ? other : undefined
    const answers = await Promise.all(SCHEMES.map((scheme, index) => read(app ? connect(sandbox(), scheme, { credentials: app }) : clients[index])))
    for (const answer of answers) assert.deepStrictEqual(answer, answers[0])
  }
  const page = await clients[2].getDevices(APP, { limit: 2, offset: 4 })
  assert.deepEqual(page.devices.map(({ dev_id }) => dev_id), ['equal-4', 'equal-5'])
  assert.deepEqual([page.total, page.selected], [6, 2])
  assert.deepEqual(await connect(sandbox(), 'http', { credentials: other }).getDevices({ app_id: 'other-app' }), { devices: [], total: 0, selected: 0 })
  for (let number = 1; number <= 5; number++) await clients[0].deleteDevice({ app_id: 'test-app', dev_id: `equal-${number}` })
  for (const client of clients) client.close()
})

test('registers and deletes an application, over each transport', async () => {
  for (const scheme of SCHEMES) {
    const app_id = `new-${scheme}`
    const credentials = Credentials.bearerToken(sandbox().mintToken({ appId: app_id }))
    const client = connect(sandbox(), scheme, { credentials })
    await rejects(client.getApplication({ app_id }), 'AUTH_NOT_FOUND')
    assert.equal(await client.registerApplication({ app_id }), undefined)
    assert.deepEqual(await client.getApplication({ app_id }), { app_id })
    await client.setApplication({ app_id, payload_format: 'cayennelpp' })
    assert.deepEqual(await client.getApplication({ app_id }), { app_id, payload_format: 'cayennelpp' })
    await client.deleteApplication({ app_id })
    await rejects(client.getApplication({ app_id }), 'AUTH_NOT_FOUND')
    client.close()
  }
})

test('dry and simulated messages over gRPC', async () => {
  const client = connect(sandbox(), 'grpc')
  const app = { app_id: 'test-app', payload_format: 'cayennelpp' }
  const up = await client.dryUplink({ payload: Buffer.from([1, 0x67, 0, 0xe1]).toString('base64'), app, port: 1 })
  assert.deepEqual(JSON.parse(up.fields), { temperature_1: 22.5 })
  assert.equal(up.valid, true)
  const down = await client.dryDownlink({ payload: 'AQI=', port: 1, app: { app_id: 'test-app' } })
  assert.equal(down.payload, 'AQI=')
  assert.equal(await client.simulateUplink({ app_id: 'test-app', dev_id: 'dev-1', payload: 'AQI=', port: 1 }), undefined)
  await rejects(client.dryUplink({ payload: '!' }), 'AUTH_INVALID_ARGUMENT')
  client.close()
})

test('raw calls: any route, any method', async () => {
  const http = connect(sandbox(), 'https')
  const { status, headers, body } = await http.request({ path: '/applications/test-app/devices', query: { limit: 1 } })
  assert.equal(status, 200)
  assert.equal(headers['grpc-metadata-total'], '1')
  assert.equal(JSON.parse(body).devices[0].dev_id, 'dev-1')
  await rejects(http.request({ path: '/no/such/route' }), 'AUTH_UNIMPLEMENTED', { check: ({ httpStatus }) => assert.equal(httpStatus, 404) })

  const grpc = connect(sandbox(), 'grpcs')
  const request = Buffer.concat([Buffer.from([0x0a, 8]), Buffer.from('test-app')])
  const answer = await grpc.unary('/handler.ApplicationManager/GetDevicesForApplication', request, { metadata: { limit: '1' } })
  assert.equal(answer.metadata.total, '1')
  assert.equal(answer.trailers['grpc-status'] ?? '0', '0')
  assert.ok(answer.message.includes('dev-1'))
  await rejects(grpc.unary('/no.Service/Method', new Uint8Array()), 'AUTH_UNIMPLEMENTED', { check: ({ grpcCode }) => assert.equal(grpcCode, 12) })
  http.close()
  grpc.close()
})

test('a buffer that changes during the call does no harm', async () => {
  const client = connect(sandbox(), 'grpc')
  const request = new Uint8Array([0x0a, 8, ...Buffer.from('test-app')])
  const promise = client.unary('/handler.ApplicationManager/GetApplication', request)
  request.fill(0xff)
  structuredClone(request, { transfer: [request.buffer] })
  assert.ok((await promise).message.includes('test-app'))
  client.close()
})

test('discover finds the handler and trusts its certificate', async () => {
  for (const transport of ['grpc', 'http']) {
    const client = await Client.discover('test-app', {
      discovery: sandbox().discovery,
      transport,
      credentials: credentialsOf(sandbox(), 'access-key'),
    })
    assert.equal(client.transport, transport)
    assert.equal(client.address, transport === 'grpc' ? sandbox().grpcsAddress : sandbox().httpsAddress)
    assert.equal((await client.getDevice({ app_id: 'test-app', dev_id: 'dev-1' })).dev_id, 'dev-1')
    client.close()
  }
  await rejects(Client.discover('no-such-app', { discovery: sandbox().discovery }), 'AUTH_NOT_FOUND')
  await rejects(Client.discover(), 'AUTH_INVALID_ARGUMENT')
  await rejects(Client.discover('test-app', { discovery: 'grpc://192.0.2.1:1900' }), 'AUTH_INSECURE_TRANSPORT')
  await rejects(Client.discover('test-app', { discovery: sandbox().discovery, transport: 'mqtt' }), 'AUTH_INVALID_ARGUMENT')
  await rejects(Client.discover('test-app', { discovery: sandbox().discovery, signal: AbortSignal.abort() }), 'AUTH_CANCELLED')
})

test('many calls at once', async () => {
  for (const scheme of SCHEMES) {
    const client = connect(sandbox(), scheme)
    const answers = await Promise.all(Array.from({ length: 200 }, () => client.getDevice({ app_id: 'test-app', dev_id: 'dev-1' })))
    assert.equal(answers.length, 200)
    for (const answer of answers) assert.equal(answer.dev_id, 'dev-1')
    client.close()
  }
})
