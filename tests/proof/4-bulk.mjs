// 4. Many writes at once against the limit of 5 a second: all succeed, each is carried out once, and memory stays flat.
import { prove } from './proof.mjs'
import { openJournal } from './journal.mjs'
import { atOnce, bulk, clients, Credentials, failures, kinds } from './calls.mjs'

const PER_SECOND = 5

/** What Node's and the allocator's own coming and going takes, with room; 500 kept answers or errors would be more. */
const GROWTH = 32 << 20

/** Growth is counted from when this part of the calls has ended: until then buffers, code and connections are new. */
const WARM = 0.2

await prove(async (t) => {
  const count = t.size(500, 40)
  const memory = watchMemory()

  async function job(name, choose, run) {
    const journal = openJournal(t, name)
    const network = await t.network({ rateLimit: PER_SECOND, journal: journal.path })
    const proxy = await t.proxy(network.accountServer)
    const { accessKey, appId } = network
    const settings = {
      credentials: Credentials.accessKey(accessKey, { appId }),
      exchange: { accountServer: proxy.address, appId },
      ...(name.startsWith('bulk') && { rateLimit: PER_SECOND }),
    }
    const used = choose(clients(t, network, settings))
    const set = (index, signal) => used[index % used.length].setDevice(device(appId, index), { signal })
    const started = performance.now()
    let done = 0
    const ends = await run(set, used, () => {
      done += 1
      memory.done(name, done / count)
    })
    const seconds = (performance.now() - started) / 1000

    const failed = failures(t, ends)
    t.check(failed.length === 0, `${name}: ${failed.length} of ${count} failed: ${kinds(failed)}`)
    const written = journal.counts('set_device', (device) => device.dev_id)
    const ids = Array.from({ length: count }, (_, index) => device(appId, index).dev_id)
    const missing = ids.filter((id) => !written.has(id))
    const twice = ids.filter((id) => written.get(id) > 1)
    t.check(missing.length === 0, `${name}: ${missing.length} devices are not in the journal`)
    t.check(twice.length === 0, `${name}: ${twice.length} devices were written more than once`)
    // A bucket of 5 may be full at the beginning.
    const least = (count - 2 * PER_SECOND) / PER_SECOND
    t.check(seconds >= least, `${name}: ${count} calls in ${seconds} s is faster than the limit`)
    const { rateLimited } = await network.child.ask('get', 'counts')
    return `${name}: ${count - failed.length} of ${count} in ${Math.round(seconds)} s (${rateLimited} refused and made again), ${twice.length} twice`
  }

  const byBulk = async (set, used, done) => {
    const items = Array.from({ length: count }, (_, index) => index)
    const results = await bulk(items, (index, _, { signal }) => set(index, signal), { concurrency: count, onProgress: done })
    return results.map(({ reason }) => ({ error: reason, ms: 0 }))
  }
  const plain = (set, used, done) => atOnce(used, count, (_, index) => set(index).finally(done))

  const rows = await Promise.all([
    job('bulk over gRPC', ([grpc]) => [grpc], byBulk),
    job('bulk over HTTP', ([, http]) => [http], byBulk),
    job('Promise.all over both, no rateLimit', (both) => both, plain),
  ])
  const { growth, samples } = memory.end()
  t.check(growth <= GROWTH, `memory grew by ${mega(growth)} MB`)
  return `${count} setDevice at once, ${PER_SECOND} a second: ${rows.join('; ')}; memory grew by ${mega(growth)} MB (bound ${mega(GROWTH)}, ${samples} samples)`
})

function mega(bytes) {
  return Math.round(bytes / 2 ** 20)
}

function device(appId, index) {
  const ids = { app_id: appId, dev_id: `bulk-${index}` }
  return {
    ...ids,
    description: `device ${index}`,
    lorawan_device: {
      ...ids,
      app_eui: '70B3D57ED0000001',
      dev_eui: (0x1000 + index).toString(16).padStart(16, '0').toUpperCase(),
    },
  }
}

/** This process's resident memory, sampled from when every job is warm until the first one ends. */
function watchMemory() {
  const samples = []
  const shares = new Map()
  const timer = setInterval(() => {
    const all = [...shares.values()]
    if (all.length === 3 && all.every((share) => share >= WARM)) samples.push(process.memoryUsage.rss())
  }, 250)
  return {
    done: (name, share) => shares.set(name, share),
    end() {
      clearInterval(timer)
      return { growth: Math.max(0, ...samples) - (samples[0] ?? 0), samples: samples.length }
    },
  }
}
