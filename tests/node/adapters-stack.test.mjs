// The Things Stack with an API key and an OAuth access token, through every adapter: what may be read, why not, streams of
// events, and tokens that are replaced.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { Credentials, authFetch } from '@thingskey/ttn-auth'
import { createTransport, interceptor as forConnect } from '@thingskey/ttn-auth/connect'
import { callCredentials, interceptor as forGrpcJs } from '@thingskey/ttn-auth/grpc-js'
import { interceptor as forUndici } from '@thingskey/ttn-auth/undici'
import { Agent, request } from 'undici-7'

import * as stackPb from '../../examples/node/proto/stack_pb.mjs'
import { PROTO, caused, giving } from './adapters-support.mjs'
import { withSandbox } from './support.mjs'

const sandbox = withSandbox()
const stack = () => sandbox().stack
const { v3 } = grpc.loadPackageDefinition(loadSync('stack.proto', { includeDirs: [PROTO], keepCase: true, longs: String })).ttn.lorawan
const hostOf = (address) => address.replace(/^\w+:\/\//, '')
const tls = () => grpc.credentials.createSsl(Buffer.from(sandbox().ca))

/** Clients of @grpc/grpc-js: a function that calls a method of a service. */
const grpcJs = (t, options, address = stack().grpcAddress, credentials = grpc.credentials.createInsecure()) => (service, method, message) => {
  const client = new v3[service](hostOf(address), credentials, options)
  t.after(() => client.close())
  return promisify(client[method]).call(client, message)
}

const connectWith = (transport) => {
  const of = (service) => createClient(stackPb[service], transport)
  return {
    whoAmI: async () => (await of('EntityAccess').authInfo({})).accessMethod.value?.apiKey.id,
    read: async (id) => (await of('ApplicationRegistry').get({ applicationIds: { applicationId: id }, fieldMask: { paths: ['name'] } })).ids.applicationId,
  }
}

/** Over HTTP: what `ask` returns of a path. */
const http = (ask) => ({
  whoAmI: async () => (await ask('/auth_info')).body.api_key?.api_key.id,
  async read(id) {
    const { status, body } = await ask(`/applications/${id}?field_mask=name`)
    if (status === 200) return body.ids.application_id
    throw Object.assign(new Error(body.message), { status, name: body.details[0].name })
  },
})

/** Each adapter: who am I, and what is an application's id. */
const ADAPTERS = {
  'grpc-js, interceptor': (t, auth) => grpcJsCalls(grpcJs(t, { interceptors: [forGrpcJs(auth)] })),
  'grpc-js, call credentials': (t, auth) =>
    grpcJsCalls(grpcJs(t, {}, stack().grpcsAddress, grpc.credentials.combineChannelCredentials(tls(), callCredentials(auth)))),
  'Connect, interceptor': (t, auth) =>
    connectWith(createGrpcTransport({ baseUrl: stack().grpcAddress.replace('grpc', 'http'), interceptors: [forConnect(auth)] })),
  'Connect, our transport': (t, auth) => {
    const transport = createTransport({ address: stack().grpcsAddress, ca: sandbox().ca, ...(auth instanceof Credentials ? { credentials: auth } : auth) })
    t.after(() => transport.close())
    return connectWith(transport)
  },
  fetch: (_, auth) => {
    const call = authFetch(auth)
    return http(async (path) => {
      const response = await call(`${stack().httpAddress}/api/v3${path}`)
      return { status: response.status, body: await response.json() }
    })
  },
  undici: (t, auth) => {
    const address = stack().httpAddress
    const agent = new Agent()
    t.after(() => agent.destroy())
    const dispatcher = agent.compose(forUndici(auth instanceof Credentials ? { credentials: auth, address } : { ...auth, address }))
    return http(async (path) => {
      const { statusCode, body } = await request(`${address}/api/v3${path}`, { dispatcher })
      return { status: statusCode, body: await body.json() }
    })
  },
}

const grpcJsCalls = (call) => ({
  whoAmI: async () => (await call('EntityAccess', 'AuthInfo', {})).api_key?.api_key.id,
  read: async (id) => (await call('ApplicationRegistry', 'Get', { application_ids: { application_id: id }, field_mask: { paths: ['name'] } })).ids.application_id,
})

for (const [name, adapter] of Object.entries(ADAPTERS)) {
  test(`${name}: an API key, an OAuth access token`, async (t) => {
    const key = Credentials.apiKey(stack().apiKey)
    const { whoAmI, read } = adapter(t, key)
    assert.equal(await whoAmI(), key.describe().id)
    assert.equal(await read('app1'), 'app1')
    assert.equal(await adapter(t, Credentials.parse(stack().key('oauth_access'))).read('app1'), 'app1')
  })

  test(`${name}: an error is The Things Stack's, of a known kind`, async (t) => {
    for (const [secret, id, grpcCode, status, detail, authCode] of [
      [stack().apiKey, 'app2', grpc.status.PERMISSION_DENIED, 403, 'no_application_rights', 'AUTH_PERMISSION_DENIED'],
      [stack().key('app1_expired'), 'app1', grpc.status.UNAUTHENTICATED, 401, 'api_key_expired', 'AUTH_KEY_EXPIRED'],
      [stack().apiKey.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')), 'app1', grpc.status.UNAUTHENTICATED, 401, 'invalid_authorization', 'AUTH_INVALID_KEY'],
    ]) {
      await assert.rejects(adapter(t, Credentials.parse(secret)).read(id), (error) => {
        // Over HTTP it is the server's response.
        if (error.status !== undefined) return assert.deepEqual([error.status, error.name], [status, detail]) ?? true
        assert.equal(error.code, grpcCode, error.message)
        // Call credentials do not see answers.
        if (name.endsWith('call credentials')) return true
        assert.equal(error.cause.details?.name, detail)
        return caused(error, authCode, secret)
      })
    }
  })

  // Call credentials never learn that it was refused.
  if (name.endsWith('call credentials')) continue
  test(`${name}: a token that is no more is replaced`, async (t) => {
    const give = giving(stack().key('oauth_access_expired'), stack().key('oauth_access'))
    assert.equal(await adapter(t, { tokenSource: give }).read('app1'), 'app1')
    assert.equal(give.times, 2)
  })
}

const event = { name: 'ns.up.data.receive', identifiers: [{ application_ids: { application_id: 'app1' } }] }

test('grpc-js: a stream of events, with an expired token first', async (t) => {
  const give = giving(stack().key('oauth_access_expired'), stack().key('oauth_access'))
  const client = new v3.Events(hostOf(stack().grpcAddress), grpc.credentials.createInsecure(), { interceptors: [forGrpcJs({ tokenSource: give })] })
  t.after(() => client.close())
  const stream = client.Stream({ identifiers: [{ application_ids: { application_id: 'app1' } }] })
  const names = []
  for await (const { name } of stream) {
    names.push(name)
    if (names.length === 2) break
    stack().emit('app1', event)
  }
  assert.deepEqual([names, give.times], [['events.stream.start', event.name], 2])
})

for (const [name, transport] of Object.entries({
  interceptor: (auth) => createGrpcTransport({ baseUrl: stack().grpcAddress.replace('grpc', 'http'), interceptors: [forConnect(auth)] }),
  transport: (auth) => createTransport({ address: stack().grpcAddress, ...auth }),
})) {
  test(`Connect, ${name}: a stream of events, with an expired token first`, async (t) => {
    const give = giving(stack().key('oauth_access_expired'), stack().key('oauth_access'))
    const way = transport({ tokenSource: give })
    t.after(() => way.close?.())
    const controller = new AbortController()
    const names = []
    const identifiers = [{ ids: { case: 'applicationIds', value: { applicationId: 'app1' } } }]
    for await (const { name } of createClient(stackPb.Events, way).stream({ identifiers }, { signal: controller.signal })) {
      names.push(name)
      if (names.length === 2) break
      stack().emit('app1', event)
    }
    controller.abort()
    assert.deepEqual([names, give.times], [['events.stream.start', event.name], 2])
  })
}
