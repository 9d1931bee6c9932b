// Clients that are not ours, curl and @grpc/grpc-js on our .proto files, get the sandbox's right answers.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

import { Client, Credentials } from '../../node/index.js'
import { KINDS, connect, credentialsOf, withSandbox } from './support.mjs'

const scratch = mkdtempSync(join(tmpdir(), 'ttn-auth-'))
const ca = join(scratch, 'ca.pem')
const sandbox = withSandbox((sandbox) => writeFileSync(ca, sandbox.ca))
after(() => rmSync(scratch, { recursive: true, force: true }))

/** What curl got: status, headers, body. */
async function curl(...args) {
  const { stdout } = await promisify(execFile)('curl', ['-sS', '-i', '--max-time', '10', '--noproxy', '*', ...args])
  const [head, ...body] = stdout.split('\r\n\r\n')
  const [start, ...lines] = head.split('\r\n')
  const headers = Object.fromEntries(lines.map((line) => line.split(': ')).map(([name, value]) => [name.toLowerCase(), value]))
  return { status: Number(start.split(' ')[1]), headers, body: body.join('\r\n\r\n') }
}

for (const scheme of ['http', 'https']) {
  for (const kind of KINDS) {
    test(`curl over ${scheme} with ${kind}`, async () => {
      const credentials = credentialsOf(sandbox(), kind)
      const base = `${sandbox()[`${scheme}Address`]}/applications/test-app`
      const common = ['--cacert', ca, '-H', `Authorization: ${credentials.headers().authorization}`]
      const device = await curl(...common, `${base}/devices/dev-1`)
      assert.equal(device.status, 200)
      assert.equal(device.headers['content-type'], 'application/json')
      const ours = await connect(sandbox(), 'grpc').getDevice({ app_id: 'test-app', dev_id: 'dev-1' })
      assert.deepEqual(JSON.parse(device.body), ours)

      const dev_id = `curl-${scheme}-${kind}`
      const dev_eui = Buffer.from(dev_id).toString('hex').slice(-16)
      const lorawan_device = { app_id: 'test-app', dev_id, app_eui: '70B3D57ED0000001', dev_eui }
      const made = JSON.stringify({ dev_id, description: 'é<>', lorawan_device })
      const set = await curl(...common, '-X', 'POST', '-H', 'Content-Type: application/json', '--data-binary', made, `${base}/devices`)
      assert.deepEqual([set.status, set.body], [200, '{}'])
      const list = await curl(...common, `${base}/devices?limit=1&offset=1`)
      assert.equal(JSON.parse(list.body).devices.length, 1)
      assert.deepEqual([list.headers['grpc-metadata-total'], list.headers['grpc-metadata-selected']], ['2', '1'])
      assert.equal((await curl(...common, '-X', 'DELETE', `${base}/devices/${dev_id}`)).body, '{}')
      const gone = await curl(...common, `${base}/devices/${dev_id}`)
      assert.equal(gone.status, 500)
      assert.equal(JSON.parse(gone.body).code, 2)
    })
  }
}

test('curl without a credential, and with a wrong one', async () => {
  const url = `${sandbox().httpAddress}/applications/test-app/devices/dev-1`
  const none = await curl(url)
  assert.deepEqual([none.status, JSON.parse(none.body).error], [500, 'Metadata not valid: neither token nor key present'])
  const wrong = await curl('-H', 'Authorization: Key ttn-account-v2.wrong', url)
  assert.deepEqual([wrong.status, JSON.parse(wrong.body).code], [500, 2])
  assert.match(wrong.body, /invalid access key/)
})

const proto = fileURLToPath(new URL('../../proto', import.meta.url))
const definition = loadSync(['handler.proto', 'discovery.proto'], { includeDirs: [proto], keepCase: true, longs: String, defaults: false })
const { handler, discovery } = grpc.loadPackageDefinition(definition)

/** A call of @grpc/grpc-js as a promise; its answer with the initial metadata. */
function call(client, method, request, metadata = {}) {
  const sent = new grpc.Metadata()
  for (const [name, value] of Object.entries(metadata)) sent.set(name, value)
  return new Promise((resolve, reject) => {
    let initial
    client[method](request, sent, { deadline: Date.now() + 10_000 }, (error, answer) => {
      if (error) reject(error)
      else resolve({ answer, metadata: initial })
    }).on('metadata', (metadata) => (initial = metadata.getMap()))
  })
}

for (const scheme of ['grpc', 'grpcs']) {
  for (const kind of KINDS) {
    test(`@grpc/grpc-js over ${scheme} with ${kind}`, async (t) => {
      const credentials = credentialsOf(sandbox(), kind).metadata()
      const channel = scheme === 'grpcs' ? grpc.credentials.createSsl(Buffer.from(sandbox().ca)) : grpc.credentials.createInsecure()
      const client = new handler.ApplicationManager(new URL(sandbox()[`${scheme}Address`]).host, channel)
      t.after(() => client.close())
      const id = { app_id: 'test-app', dev_id: 'dev-1' }
      const { answer } = await call(client, 'GetDevice', id, credentials)
      assert.equal(answer.dev_id, 'dev-1')
      assert.equal(answer.lorawan_device.dev_eui.toString('hex'), '0000000000000001')
      assert.equal(answer.lorawan_device.app_key.toString('hex'), '00'.repeat(16), 'an unset key arrives as zero bytes')

      const device = { app_id: 'test-app', dev_id: `js-${scheme}-${kind}` }
      const eui = Buffer.from(device.dev_id).subarray(-8)
      const rest = { latitude: 52.5, attributes: { a: 'é' }, lorawan_device: { ...device, app_eui: eui, dev_eui: eui } }
      await call(client, 'SetDevice', { ...device, ...rest }, credentials)
      const list = await call(client, 'GetDevicesForApplication', { app_id: 'test-app' }, { ...credentials, limit: '1' })
      assert.equal(list.answer.devices.length, 1)
      assert.deepEqual([list.metadata.total, list.metadata.selected], ['2', '1'])
      const read = (await call(client, 'GetDevice', { app_id: 'test-app', dev_id: device.dev_id }, credentials)).answer
      assert.deepEqual([read.latitude, read.attributes, read.lorawan_device.dev_eui], [52.5, { a: 'é' }, eui])
      await call(client, 'DeleteDevice', { app_id: 'test-app', dev_id: device.dev_id }, credentials)
      await assert.rejects(call(client, 'GetDevice', { app_id: 'test-app', dev_id: device.dev_id }, credentials), { code: 5 })
    })
  }
}

test('@grpc/grpc-js with a wrong, an expired and no credential', async (t) => {
  const client = new handler.ApplicationManager(new URL(sandbox().grpcAddress).host, grpc.credentials.createInsecure())
  t.after(() => client.close())
  const id = { app_id: 'test-app', dev_id: 'dev-1' }
  const expired = Credentials.bearerToken(sandbox().mintToken({ kind: 'expired' })).metadata()
  await assert.rejects(call(client, 'GetDevice', id), { code: 3, details: 'Metadata not valid: neither token nor key present' })
  await assert.rejects(call(client, 'GetDevice', id, { key: 'ttn-account-v2.wrong' }), { code: 2 })
  await assert.rejects(call(client, 'GetDevice', id, expired), ({ code, details }) => {
    assert.equal(code, 7)
    assert.match(details, /^permission denied: unable to parse token: token is expired by /)
    return true
  })
})

test('a gRPC server and an HTTP server that are not ours: int64, floats and unset keys come out the same', async (t) => {
  const device = { app_id: 'my-app', dev_id: 'my-device', latitude: 52.1, longitude: -0.1, altitude: -7, attributes: { é: '\u2028' } }
  const server = new grpc.Server()
  const eui = Buffer.from('70B3D57ED000000A', 'hex')
  const zero = { dev_addr: Buffer.alloc(4), nwk_s_key: Buffer.alloc(16), app_s_key: Buffer.alloc(16), app_key: Buffer.alloc(16) }
  const lorawan = { app_eui: eui, dev_eui: eui, f_cnt_up: 4294967295, last_seen: '1500000000000000001', ...zero }
  server.addService(handler.ApplicationManager.service, {
    GetDevice: ({ metadata }, answer) => answer(null, { ...device, description: metadata.get('key')[0], lorawan_device: lorawan }),
  })
  const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', grpc.ServerCredentials.createInsecure())
  t.after(() => server.forceShutdown())
  const shown = { app_eui: '70B3D57ED000000A', dev_eui: '70B3D57ED000000A', dev_addr: '', nwk_s_key: '', app_s_key: '', app_key: '', f_cnt_up: 4294967295, last_seen: '1500000000000000001' }
  const http = createServer(({ headers }, response) => {
    response.end(JSON.stringify({ ...device, description: headers.authorization.replace('Key ', ''), lorawan_device: shown }))
  }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.after(() => http.close() && http.closeAllConnections())
  const credentials = Credentials.parse('my-issuer.my-key')
  const answers = []
  for (const address of [`grpc://127.0.0.1:${port}`, `http://127.0.0.1:${http.address().port}`]) {
    const client = new Client({ address, credentials })
    answers.push(await client.getDevice({ app_id: 'my-app', dev_id: 'my-device' }))
    client.close()
  }
  assert.deepStrictEqual(answers[0], { ...device, description: 'my-issuer.my-key', lorawan_device: shown })
  assert.deepStrictEqual(answers[1], answers[0])
})

test('@grpc/grpc-js asks discovery', async (t) => {
  const client = new discovery.Discovery(new URL(sandbox().discovery).host, grpc.credentials.createInsecure())
  t.after(() => client.close())
  const { answer } = await call(client, 'GetByAppID', { app_id: 'test-app' })
  assert.equal(answer.net_address, new URL(sandbox().grpcsAddress).host)
  assert.equal(answer.certificate.trim(), sandbox().ca.trim())
})
