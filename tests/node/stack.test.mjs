// The Things Stack: what it says of a credential, applications and devices, the same over gRPC and HTTP.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import ttn from '@thingskey/ttn-auth'

const { AuthError, Client, Credentials, Sandbox } = ttn

let sandbox
let stack
before(async () => {
  sandbox = await Sandbox.start()
  stack = sandbox.stack
})
after(() => sandbox.stop())

const withCode = (code) => (error) => error instanceof AuthError && error.code === code

const addresses = () => [stack.grpcAddress, stack.grpcsAddress, stack.httpAddress, stack.httpsAddress]
const client = (address, credential) =>
  new Client({ address, ca: sandbox.ca, credentials: credential && Credentials.parse(credential) })

/** What every transport answers, which is the same. */
async function everywhere(credential, call) {
  const answers = []
  for (const address of addresses()) {
    const used = client(address, credential)
    const answer = await call(used).catch(({ code, details }) => ({ code, name: details?.name }))
    answers.push(answer)
    used.close()
  }
  for (const answer of answers) assert.deepEqual(answer, answers[0])
  return answers[0]
}

async function listed(items) {
  const all = []
  for await (const item of items) all.push(item)
  return all
}

const app1 = { application_id: 'app1' }
const alice = { user_ids: { user_id: 'alice' } }

test('authInfo says whose a credential is, what it may do, and until when', async () => {
  const info = (name) => everywhere(stack.key(name), (used) => used.authInfo())
  const key = await info('app1_all')
  assert.deepEqual([key.kind, key.entity], ['api-key', { kind: 'application', id: 'app1' }])
  assert.ok(key.rights.includes('RIGHT_APPLICATION_DEVICES_READ'))
  assert.deepEqual(key.rights, [...new Set(key.rights)].sort())
  assert.deepEqual([key.universalRights, key.isAdmin, key.expiresAt], [[], false, undefined])
  assert.ok(key.createdAt instanceof Date && key.id === Credentials.parse(stack.key('app1_all')).describe().id)
  assert.equal((await info('app1_expires_2030')).expiresAt.getUTCFullYear(), 2030)
  assert.deepEqual((await info('alice_user_all')).entity, { kind: 'user', id: 'alice' })
  assert.equal((await info('admin_user_all')).isAdmin, true)
  assert.equal((await info('oauth_access')).kind, 'oauth-access-token')
  assert.equal((await info('session_token')).kind, 'user-session')
})

test('no credential is no error, and a bad one is, by its cause', async () => {
  assert.equal(await everywhere(undefined, (used) => used.authInfo()), null)
  for (const [name, code] of [
    ['app1_expired', 'AUTH_KEY_EXPIRED'],
    ['app1_deleted', 'AUTH_INVALID_KEY'],
    ['app1_wrong_secret', 'AUTH_INVALID_KEY'],
    ['unknown_id', 'AUTH_INVALID_KEY'],
    ['oauth_access_expired', 'AUTH_TOKEN_EXPIRED'],
  ]) {
    assert.equal((await everywhere(stack.key(name), (used) => used.authInfo())).code, code, name)
  }
})

test('a right that is missing is named', async () => {
  const call = (used) => used.endDevices.get({ end_device_ids: { device_id: 'dev1', application_ids: app1 } })
  assert.deepEqual(await everywhere(stack.key('app1_info_only'), call), {
    code: 'AUTH_PERMISSION_DENIED',
    name: 'insufficient_application_rights',
  })
  for (const address of addresses()) {
    await assert.rejects(call(client(address, stack.key('app1_info_only'))), /missing: RIGHT_APPLICATION_DEVICES_READ$/)
  }
})

test('devices are made, read, changed, listed page by page, and deleted', async () => {
  for (const address of addresses()) {
    const { endDevices } = client(address, stack.apiKey)
    assert.equal(endDevices, endDevices)
    const ids = (number) => ({ device_id: `made-${String(number).padStart(2, '0')}`, application_ids: app1 })
    for (let number = 0; number < 7; number += 1) {
      const made = await endDevices.create({ end_device: { ids: ids(number), name: `Made ${number}`, attributes: { a: '1' } } })
      assert.deepEqual([made.ids, made.name, made.attributes], [ids(number), `Made ${number}`, { a: '1' }])
    }
    await assert.rejects(endDevices.create({ end_device: { ids: ids(0) } }), withCode('AUTH_ALREADY_EXISTS'))
    const updated = await endDevices.update({ end_device: { ids: ids(3), name: 'New', description: 'left out' }, field_mask: ['name'] })
    assert.deepEqual([updated.name, updated.description], ['New', undefined])
    for (const field_mask of ['name,attributes', ['name', 'attributes'], { paths: ['name', 'attributes'] }]) {
      const got = await endDevices.get({ end_device_ids: ids(3), field_mask })
      assert.deepEqual([got.name, got.attributes], ['New', { a: '1' }])
    }
    for (const limit of [1, 3, undefined]) {
      const all = await listed(endDevices.list({ application_ids: app1, field_mask: 'name', limit }))
      const made = all.map(({ ids }) => ids.device_id).filter((id) => id.startsWith('made-'))
      assert.deepEqual(made, [0, 1, 2, 3, 4, 5, 6].map((number) => ids(number).device_id), `${address} ${limit}`)
    }
    for await (const { ids } of endDevices.list({ application_ids: app1, limit: 1 })) {
      assert.ok(ids.device_id)
      break
    }
    for (let number = 0; number < 7; number += 1) assert.equal(await endDevices.delete(ids(number)), undefined)
    await assert.rejects(endDevices.get({ end_device_ids: ids(0), field_mask: 'name' }), withCode('AUTH_NOT_FOUND'))
  }
})

test('applications are made, read, changed, listed and deleted', async () => {
  let made = 0
  for (const address of addresses()) {
    const { applications } = client(address, stack.userApiKey)
    const ids = { application_id: `made-${(made += 1)}` }
    const application = await applications.create({ application: { ids, name: 'Made' }, collaborator: alice })
    assert.deepEqual([application.ids, application.name], [ids, 'Made'])
    await applications.update({ application: { ids, description: 'changed' }, field_mask: 'description' })
    const got = await applications.get({ application_ids: ids, field_mask: 'name,description' })
    assert.deepEqual([got.name, got.description], ['Made', 'changed'])
    for (const request of [undefined, { collaborator: alice }, { limit: 1, order: '-created_at' }]) {
      const all = await listed(applications.list(request))
      assert.ok(all.some((each) => each.ids.application_id === ids.application_id), JSON.stringify(request))
      assert.ok(all.some((each) => each.ids.application_id === 'app1'))
    }
    await applications.delete(ids)
    assert.deepEqual(await listed(client(address, stack.apiKey).applications.list()), [])
  }
})

test('what is not as documented is refused by name, and a signal ends a list', async () => {
  const used = client(stack.httpAddress, stack.apiKey)
  await assert.rejects(used.endDevices.get({ end_device_ids: { device_id: 'UPPER', application_ids: app1 } }), withCode('AUTH_INVALID_ARGUMENT'))
  await assert.rejects(used.endDevices.get('dev1'), withCode('AUTH_INVALID_ARGUMENT'))
  await assert.rejects(listed(used.endDevices.list({ application_ids: app1, limit: -1 })), withCode('AUTH_INVALID_ARGUMENT'))
  await assert.rejects(listed(used.endDevices.list({ application_ids: app1, order: 'nonsense' })), withCode('AUTH_INVALID_ARGUMENT'))
  const reason = new Error('enough')
  const aborted = used.endDevices.list({ application_ids: app1 }, { signal: AbortSignal.abort(reason) }).next()
  await assert.rejects(aborted, (error) => error.code === 'AUTH_CANCELLED' && error.cause === reason)
  used.close()
  await assert.rejects(used.authInfo(), withCode('AUTH_CANCELLED'))
})
