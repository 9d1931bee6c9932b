// What the contestants that make calls share: a round of them.

/** The device that is asked for. */
export const APP_ID = 'test-app'
export const DEV_ID = 'dev-1'

/** Its route. */
export const PATH = `/applications/${APP_ID}/devices/${DEV_ID}`

/** A contestant, of what makes one call and gives the decoded device, and of where such a device has its id. */
export const caller = (call, idOf = (device) => device.dev_id) => ({ run: (round) => run(call, idOf, round) })

/** So many callers call one time after the other until the time is up. */
async function run(call, idOf, { ms, inflight }) {
  let calls = 0
  let time = true
  const one = async () => {
    while (time) {
      const device = await call()
      if (idOf(device) !== DEV_ID) throw new Error(`another device: ${idOf(device)}`)
      calls += 1
    }
  }
  const timer = setTimeout(() => (time = false), ms)
  const started = performance.now()
  const cpu = process.cpuUsage()
  try {
    await Promise.all(Array.from({ length: inflight }, one))
  } finally {
    clearTimeout(timer)
  }
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - started) / 1000
  return { calls, seconds, cpu: (user + system) / 1e6, rss: process.memoryUsage.rss() }
}
