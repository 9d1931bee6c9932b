// 5. The network is killed and started again under load: reads lose nothing, no acknowledged write is absent, none is
// doubled.
import { openJournal } from './journal.mjs'
import { closedLoop } from './load.mjs'
import { after, prove } from './proof.mjs'
import { clients, Credentials, failures, kinds, readDevice } from './calls.mjs'

/** In milliseconds: how long the network is up and down. */
const UP = [600, 1200]
const DOWN = [0, 300]

/** More than a start takes on a slow machine. */
const TIME_LIMIT = 60_000

const READERS = 8
const WRITERS = 4

await prove(async (t) => {
  const rounds = t.size(20, 4)
  const journal = openJournal(t, 'restarts')
  const options = { rateLimit: false, journal: journal.path }
  let network = await t.network(options)
  const { accessKey, appId, accountServer } = network
  for (const name of ['grpc', 'grpcs', 'http', 'https', 'account', 'discovery']) {
    options[`${name}Port`] = portOf(network[{ account: 'accountServer', discovery: 'discovery' }[name] ?? `${name}Address`])
  }
  const both = clients(t, network, {
    credentials: Credentials.accessKey(accessKey, { appId }),
    exchange: { accountServer, appId },
    retry: { attempts: 1000, maxDelay: 500 },
    timeout: TIME_LIMIT,
  })
  const [grpc, http] = both

  const reads = closedLoop(READERS, (index) => readDevice(network)(both[index % 2]))
  // Idempotent: made again when the answer was lost. Each writer has a device of its own, and writes to it in order.
  const values = Array.from({ length: WRITERS }, () => ({ acknowledged: -1, tried: -1 }))
  const sets = closedLoop(WRITERS, async (index, writer) => {
    values[writer].tried = index
    await both[writer % 2].setDevice(device(appId, `writer-${writer}`, String(index)))
    values[writer].acknowledged = index
  })
  // Not idempotent: each is unique, and made again only if it was surely not carried out.
  const uplinks = closedLoop(WRITERS, (index) => {
    const message = { app_id: appId, dev_id: network.devId, payload: payload(index), port: 1 }
    return grpc.simulateUplink(message, { timeout: 5000 })
  })
  const posts = closedLoop(WRITERS, (index) => {
    const path = `/applications/${appId}/devices`
    return http.request({ method: 'POST', path, body: device(appId, `post-${index}`, 'new'), timeout: 5000 })
  })

  const between = ([least, most]) => least + (most - least) * t.random()
  for (let round = 1; round <= rounds; round += 1) {
    await after(between(UP))
    await network.child.kill()
    await after(between(DOWN))
    network = await t.network(options)
    if (round % 5 === 0) t.progress(`${round} restarts`)
  }
  await after(between(UP))
  const [readEnds, setEnds, uplinkEnds, postEnds] = await Promise.all([reads, sets, uplinks, posts].map((loop) => loop.stop()))

  const lostReads = failures(t, readEnds)
  t.check(lostReads.length === 0, `${lostReads.length} of ${readEnds.length} reads failed: ${kinds(lostReads)}`)
  const lostSets = failures(t, setEnds)
  t.check(lostSets.length === 0, `${lostSets.length} of ${setEnds.length} setDevice failed: ${kinds(lostSets)}`)
  const { devices } = await grpc.getDevices({ app_id: appId })
  for (const [writer, { acknowledged, tried }] of values.entries()) {
    const found = devices.filter((found) => found.dev_id === `writer-${writer}`)
    const value = Number(found[0]?.description)
    t.check(found.length === 1, `writer ${writer}: its device is there ${found.length} times`)
    t.check(value >= acknowledged && value <= tried, `writer ${writer}: ${value} is there, ${acknowledged} was acknowledged`)
  }
  const once = [
    ['uplinks over gRPC', uplinkEnds, journal.counts('simulate_uplink', (uplink) => uplink.payload), payload],
    ['requests over HTTP', postEnds, journal.counts('set_device', (set) => set.dev_id), (index) => `post-${index}`],
  ].map(([name, ends, written, idOf]) => {
    const unacknowledged = new Set(failures(t, ends).map(({ index }) => index))
    const absent = ends.filter(({ index }) => !unacknowledged.has(index) && !written.has(idOf(index)))
    const doubled = ends.filter(({ index }) => written.get(idOf(index)) > 1)
    const carriedOut = [...unacknowledged].filter((index) => written.has(idOf(index)))
    t.check(absent.length === 0, `${absent.length} acknowledged ${name} are absent`)
    t.check(doubled.length === 0, `${doubled.length} ${name} are doubled`)
    t.check(ends.length > unacknowledged.size, `no ${name} were acknowledged`)
    return `${ends.length} ${name}: ${ends.length - unacknowledged.size} acknowledged, ${absent.length} of them absent, ${unacknowledged.size} not (${carriedOut.length} carried out), ${doubled.length} doubled`
  })
  return [
    `${rounds} kills; ${readEnds.length} reads, ${lostReads.length} lost; ${setEnds.length} setDevice, ${lostSets.length} lost;`,
    `${once.join('; ')}; seed ${t.seed}`,
  ].join(' ')
})

function portOf(address) {
  return Number(new URL(address.replace(/^grpc/, 'http')).port)
}

/** Base64 of a number that no other call has. */
function payload(index) {
  return Buffer.from(index.toString(16).padStart(8, '0'), 'hex').toString('base64')
}

function device(appId, devId, description) {
  // The last 8 bytes of its name: no other device has them.
  const eui = Buffer.from(devId.padStart(8, '-').slice(-8)).toString('hex').toUpperCase()
  return {
    app_id: appId,
    dev_id: devId,
    description,
    lorawan_device: { app_id: appId, dev_id: devId, app_eui: '70B3D57ED0000001', dev_eui: eui },
  }
}
