// 6. Processes that share one key through one Redis make one exchange. Redis killed: each goes on, and says so. Redis back:
// they share again.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

import { HOST, freePort } from './port.mjs'
import { after, prove, until } from './proof.mjs'
import { startRedis } from './redis.mjs'

const MEMBERS = 10

await prove(async (t) => {
  // In seconds; one is replaced before its half is over.
  const life = t.size(20, 6)
  const network = await t.network({ rateLimit: false, tokenLifetime: life })
  const proxy = await t.proxy(network.accountServer)
  const password = t.secret('redis password', randomBytes(16).toString('hex'))
  const key = t.secret('store key', randomBytes(32).toString('base64'))
  t.secret('store key', Buffer.from(key, 'base64').toString('hex'))
  const port = await freePort()
  const store = { redis: `redis://:${password}@${HOST}:${port}`, key, prefix: 'proof:' }

  let redis
  async function startOne(name) {
    redis = await startRedis({ port, password, folder: join(t.evidenceFolder, name), onLine: (line) => t.evidence.line(line) })
    t.after(redis.kill)
  }
  async function member(name) {
    const child = t.child('member.mjs')
    const { accessKey } = network
    await child.ask('start', { network, accessKey, accountServer: proxy.address, store, folder: t.evidenceFolder, name })
    return child
  }
  /** What each has done since it was last asked, and all together. */
  async function reports(members) {
    const each = await Promise.all(members.map((child) => child.ask('report')))
    const sum = (count) => each.reduce((all, report) => all + count(report), 0)
    return { each, calls: sum(({ calls }) => calls), exchanges: sum(({ exchanges }) => exchanges), failed: each.flatMap(({ failed }) => failed) }
  }

  await startOne('redis-1')
  const members = await Promise.all(Array.from({ length: MEMBERS }, (_, index) => member(`member-${index}`)))
  t.progress(`${MEMBERS} processes`)
  const firsts = await Promise.all(members.map((child) => child.ask('first')))
  t.check(firsts.every((error) => !error), `first calls failed: ${firsts.filter(Boolean)}`)
  const first = proxy.requests()
  t.check(first === 1, `${MEMBERS} processes made ${first} exchanges`)
  await Promise.all(members.map((child) => child.ask('run')))

  // One of them replaces the token, for all.
  await until(() => proxy.requests() > first, life * 1000)
  await after(life * 250)
  const healthy = await reports(members)
  const replaced = proxy.requests() - first
  t.check(replaced === 1, `${replaced} exchanges replaced the token`)
  t.check(healthy.failed.length === 0, `calls failed: ${healthy.failed}`)

  await redis.kill()
  t.progress('Redis is killed')
  const seen = members.map(() => ({ calls: 0, said: false }))
  let failed = []
  const all = await until(async () => {
    const { each, failed: more } = await reports(members)
    failed = failed.concat(more)
    for (const [index, { calls, store: outcomes }] of each.entries()) {
      seen[index].calls += calls
      seen[index].said ||= outcomes.some((outcome) => outcome !== 'ok')
    }
    await after(200)
    return seen.every(({ said }) => said)
  }, life * 2000)
  const said = seen.filter((one) => one.said).length
  t.check(all, `only ${said} of ${MEMBERS} processes said that Redis is gone`)
  // And on, past the end of what any of them had.
  await after(life * 1000)
  const alone = await reports(members)
  failed = failed.concat(alone.failed)
  const calls = alone.calls + seen.reduce((sum, one) => sum + one.calls, 0)
  t.check(failed.length === 0, `calls failed without Redis: ${failed}`)
  t.check(alone.each.every((report) => report.calls > 0), 'a process makes no calls without Redis')

  await startOne('redis-2')
  t.progress('Redis is back')
  // Each has to come to it once.
  await after(life * 1000)
  const before = await reports(members)
  await after(life * 1000)
  const again = await reports(members)
  // In a life, all of them together replace the token as often as one does: at its half, with what was begun before.
  const allowed = 4
  t.check(again.exchanges <= allowed, `${again.exchanges} exchanges in ${life} s after Redis was back, at most ${allowed} are needed`)
  t.check(again.exchanges >= 1, 'no token was replaced after Redis was back')
  t.check(before.failed.concat(again.failed).length === 0, `calls failed after Redis was back: ${before.failed.concat(again.failed)}`)
  const newcomer = await member('newcomer')
  const late = await newcomer.ask('first')
  const { exchanges } = await newcomer.ask('report')
  t.check(!late, `the newcomer failed: ${late}`)
  t.check(exchanges === 0, 'a newcomer did not find the shared token')
  return [
    `${MEMBERS} processes, ${first} exchange, ${replaced} more when the token was replaced;`,
    `Redis killed: ${said} said so, ${calls} calls, ${failed.length} failed;`,
    `Redis back: ${again.exchanges} exchanges in a token's life of ${life} s (${MEMBERS * 2} without sharing), a newcomer's ${exchanges}`,
  ].join(' ')
})
