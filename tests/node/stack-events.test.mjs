// What comes piece by piece: events of The Things Stack, gRPC's server streaming, HTTP's lines.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import protobuf from 'protobufjs'
import ttn from '@thingskey/ttn-auth'

const { AuthError, Client, Credentials, Sandbox } = ttn

let sandbox
let stack
before(async () => {
  sandbox = await Sandbox.start()
  stack = sandbox.stack
})
after(() => sandbox.stop())

const identifiers = [{ application_ids: { application_id: 'app1' } }]
const addresses = () => [stack.grpcAddress, stack.grpcsAddress, stack.httpAddress, stack.httpsAddress]
const client = (address, name = 'app1_all') =>
  new Client({ address, ca: sandbox.ca, credentials: Credentials.parse(stack.key(name)) })

const nameOf = async (iterator) => (await iterator.next()).value?.name

test('events come as they happen, the same over every transport', async () => {
  const streams = addresses().map((address) => client(address).events({ identifiers }))
  for (const events of streams) assert.equal(await nameOf(events), 'events.stream.start')
  for (const number of [1, 2]) {
    stack.emit('app1', { name: 'test.event', data: { '@type': 'type.googleapis.com/google.protobuf.Value', value: { number } } })
    const came = await Promise.all(streams.map((events) => events.next()))
    for (const { value, done } of came) {
      assert.equal(done, false)
      assert.deepEqual(value, came[0].value)
      assert.deepEqual([value.name, value.data.value, value.identifiers], ['test.event', { number }, identifiers])
    }
  }
  await Promise.all(streams.map((events) => events.return()))
})

test('a stream that broke is opened again, and onReconnect is told why', async () => {
  for (const address of addresses()) {
    const told = []
    const events = client(address).events({ identifiers }, { onReconnect: (error) => told.push(error) })
    assert.equal(await nameOf(events), 'events.stream.start')
    stack.breakStreams()
    assert.equal(await nameOf(events), 'events.stream.start')
    assert.equal(told.length, 1)
    assert.ok(told[0] === null || (told[0] instanceof AuthError && told[0].code === 'AUTH_UNAVAILABLE'), String(told[0]))
    await events.return()
    const once = client(address).events({ identifiers }, { reconnect: false })
    await once.next()
    stack.breakStreams()
    await assert.rejects(async () => {
      const { done } = await once.next()
      if (done) throw new AuthError('ended', { code: 'AUTH_UNAVAILABLE' })
    }, { code: 'AUTH_UNAVAILABLE' })
  }
})

test('what is refused ends them, with the cause of every transport', async () => {
  for (const [name, code] of [
    ['app2_all', 'AUTH_PERMISSION_DENIED'],
    ['app1_wrong_secret', 'AUTH_INVALID_KEY'],
    ['app1_expired', 'AUTH_KEY_EXPIRED'],
  ]) {
    for (const address of addresses()) {
      await assert.rejects(client(address, name).events({ identifiers }).next(), { code }, `${name} ${address}`)
    }
  }
  for (const address of addresses()) {
    await assert.rejects(client(address).events({ identifiers: [] }).next(), { code: 'AUTH_INVALID_ARGUMENT' })
    await assert.rejects(client(address).events('app1').next(), { code: 'AUTH_INVALID_ARGUMENT' })
    await assert.rejects(client(address).events({ identifiers }, { onReconnect: 1 }).next(), /must be a function/)
  }
})

test('break, return, a signal and close end them, also while nothing comes', async () => {
  for (const address of addresses()) {
    const used = client(address)
    for await (const { name } of used.events({ identifiers })) {
      assert.equal(name, 'events.stream.start')
      break
    }
    const returned = used.events({ identifiers })
    await returned.next()
    const pending = returned.next()
    await returned.return()
    assert.deepEqual(await pending, { value: undefined, done: true })
    const controller = new AbortController()
    const aborted = used.events({ identifiers }, { signal: controller.signal })
    await aborted.next()
    const waiting = aborted.next()
    controller.abort(new Error('enough'))
    await assert.rejects(waiting, (error) => error.code === 'AUTH_CANCELLED' && error.cause.message === 'enough')
    const closed = used.events({ identifiers })
    await closed.next()
    const last = closed.next()
    used.close()
    await assert.rejects(last, { code: 'AUTH_CANCELLED' })
  }
})

test('stream gives the messages of any gRPC method, and the results of any HTTP route', async () => {
  const root = protobuf.parse(`syntax = "proto3"; message Ids { Application application_ids = 1; } message Application { string application_id = 1; }
    message Request { repeated Ids identifiers = 1; } message Event { string name = 1; }`, { keepCase: true }).root
  const [Request, Event] = ['Request', 'Event'].map((name) => root.lookupType(name))
  const message = Request.encode(Request.fromObject({ identifiers })).finish()
  const grpc = client(stack.grpcAddress).stream('/ttn.lorawan.v3.Events/Stream', message)
  const http = client(stack.httpAddress).stream({ method: 'POST', path: '/api/v3/events', body: { identifiers } })
  for (const name of ['events.stream.start', 'test.any']) {
    if (name === 'test.any') {
      // The HTTP stream is open before the event is sent.
      stack.emit('app1', { name })
    }
    assert.equal(Event.decode((await grpc.next()).value).name, name)
    assert.equal((await http.next()).value.name, name)
  }
  await Promise.all([grpc.return(), http.return()])
  await assert.rejects(client(stack.httpAddress).stream('/a.B/C', message).next(), { code: 'AUTH_UNIMPLEMENTED' })
  await assert.rejects(client(stack.grpcAddress).stream({ path: '/x' }).next(), { code: 'AUTH_UNIMPLEMENTED' })
  await assert.rejects(client(stack.grpcAddress).stream('/a.B/C', 'text').next(), /must be a Uint8Array/)
  await assert.rejects(client(stack.grpcAddress).stream('/ttn.lorawan.v3.Events/None', message).next(), { code: 'AUTH_UNIMPLEMENTED' })
  await assert.rejects(client(stack.httpAddress).stream({ path: '/api/v3/none' }).next(), { code: 'AUTH_UNIMPLEMENTED' })
})
