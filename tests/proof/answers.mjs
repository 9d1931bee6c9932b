// Cases of number 3: what the account server answers is wrong, or it does not answer.
import { WRONG_BODIES } from './fault-proxy.mjs'
import { Scene } from './scene.mjs'
import { after, until } from './proof.mjs'

/**
 * An outage passes; a refusal may be put right, and is asked about again after 30 to 60 s. The first is more than the first back-offs
 * take: they are as long as the outage was, which on a busy machine is longer than it was meant to be.
 */
const [SOON, LATER] = [20_000, 62_000]

const UNAVAILABLE = 'AUTH_EXCHANGE_UNAVAILABLE'

/** How the first exchange goes wrong, with which error, and how soon the next one is made. */
const faults = [
  ['down', (proxy) => proxy.down(), UNAVAILABLE, SOON],
  ['500', (proxy) => proxy.status(500), UNAVAILABLE, SOON],
  ['503', (proxy) => proxy.status(503), UNAVAILABLE, SOON],
  ['truncated', (proxy) => proxy.truncated(), UNAVAILABLE, SOON],
  ['reset', (proxy) => proxy.reset(), UNAVAILABLE, SOON],
  ['silent', (proxy) => proxy.silent(), UNAVAILABLE, SOON],
  ['401', (proxy) => proxy.status(401), 'AUTH_INVALID_KEY', LATER],
  ['307', (proxy) => proxy.status(307), 'AUTH_REDIRECT', LATER],
  ...Object.keys(WRONG_BODIES).map((name) => [name, (proxy) => proxy.wrong(name), 'AUTH_PROTOCOL', SOON]),
]

/** One clear error while it lasts, and good calls after it. */
const fault = ([name, set, code, wait]) => async (t) => {
  // The account server itself has 10 s; a call must have more to see it fail.
  const scene = await Scene.start(t, `answer ${name}`, {}, { retry: false, timeout: 20_000 })
  const both = scene.clients()
  await set(scene.proxy)
  await Promise.all(both.map((client) => scene.fail(client, code, 20, 'meanwhile')))
  const asked = scene.proxy.requests()
  scene.check(asked <= 2, `${asked} exchanges for two clients`)
  await scene.proxy.pass()
  if (wait === LATER && t.short) return scene.end()
  await Promise.all(both.map(async (client) => {
    const call = () => client.getDevice({ app_id: scene.network.appId, dev_id: scene.network.devId })
    const back = await until(() => call().then(() => true, () => after(100)), wait)
    scene.check(back, `${client.transport}: still failing ${wait / 1000} s after it was put right`)
    await scene.succeed(client, 20, 'afterwards')
  }))
  scene.end()
}

/** An outage that ends while the client tries again: nobody notices. */
const unnoticed = ([name, set]) => async (t) => {
  const scene = await Scene.start(t, `answer ${name}, for 300 ms`)
  const both = scene.clients()
  await set(scene.proxy)
  const calls = both.map((client) => scene.succeed(client))
  await after(300)
  await scene.proxy.pass()
  await Promise.all(calls)
  scene.end()
}

async function slow(t) {
  const scene = await Scene.start(t, 'answer 2 s late')
  await scene.proxy.slow(2000)
  const exchanges = await scene.exchanges(() => Promise.all(scene.clients().map((client) => scene.succeed(client))))
  scene.check(exchanges === 2, `${exchanges} exchanges for two clients`)
  scene.end()
}

const LIVES = [
  ['missing', undefined], ['null', null], ['0', 0], ['negative', -3600], ['a text', 'soon'], ['a number as text', '3600'],
  ['true', true], ['huge', 1e300], ['too long', 864_000], ['an object', {}],
]

/** The token says itself how long it lives, so one exchange is enough. */
const life = ([name, value]) => async (t) => {
  const scene = await Scene.start(t, `expires_in ${name}`)
  await scene.proxy.alter((answer) => ({ ...answer, expires_in: value }))
  for (const client of scene.clients()) {
    const exchanges = await scene.exchanges(async () => {
      for (let round = 0; round < 3; round += 1) await scene.succeed(client)
    })
    scene.check(exchanges === 1, `${client.transport}: ${exchanges} exchanges`)
  }
  scene.end()
}

/** The token says nothing of itself: it is good until it is refused. */
async function lifeUnknown(t) {
  const scene = await Scene.start(t, 'expires_in and exp missing')
  const { appId } = scene.network
  const token = t.secret('token', await scene.tell('mintToken', { kind: 'noexp', appId }))
  await scene.proxy.alter(() => ({ access_token: token }))
  const exchanges = await scene.exchanges(async () => {
    for (const client of scene.clients()) {
      await scene.succeed(client)
      await scene.succeed(client)
    }
  })
  scene.check(exchanges === 2, `${exchanges} exchanges for two clients`)
  scene.end()
}

/** Tokens of 3 s, whatever is said of them: none ends before it is replaced. */
const wrongLife = (name, expiresIn, most) => async (t) => {
  const seconds = 7
  const scene = await Scene.start(t, `expires_in ${name}`, { tokenLifetime: 3 })
  await scene.proxy.alter((answer) => ({ ...answer, expires_in: expiresIn }))
  await Promise.all(scene.clients().map(async (client) => {
    const end = performance.now() + seconds * 1000
    while (performance.now() < end) {
      await scene.succeed(client, 2)
      await after(50)
    }
  }))
  const exchanges = scene.proxy.requests()
  scene.check(exchanges >= 4 && exchanges <= most * 2, `${exchanges} exchanges of two clients in ${seconds} s`)
  scene.end()
}

/** The token was over before it arrived. */
const expired = (always) => async (t) => {
  const scene = await Scene.start(t, `token expired on arrival, ${always ? 'always' : 'once'}`)
  const { appId } = scene.network
  for (const client of scene.clients()) {
    let left = always ? Infinity : 1
    const token = t.secret('token', await scene.tell('mintToken', { kind: 'expired', appId }))
    await scene.proxy.alter((answer) => (left-- > 0 ? { access_token: token, expires_in: 3600 } : answer))
    const exchanges = await scene.exchanges(async () => {
      if (!always) return scene.succeed(client)
      for (let round = 0; round < 3; round += 1) await scene.fail(client, 'AUTH_TOKEN_EXPIRED')
    })
    scene.check(exchanges <= (always ? 4 : 2), `${client.transport}: ${exchanges} exchanges`)
    if (!always) continue
    left = 0
    const call = () => client.getDevice({ app_id: appId, dev_id: scene.network.devId })
    const back = await until(() => call().then(() => true, () => after(100)), SOON)
    scene.check(back, `${client.transport}: still failing ${SOON / 1000} s after good tokens could be had`)
    await scene.succeed(client, 20, 'afterwards')
  }
  scene.end()
}

/** By the time they take, the longest first: they run beside each other. */
export const answers = [
  ...faults.toSorted((a, b) => b[3] - a[3]).map(fault),
  wrongLife('too long for tokens of 3 s', 864_000, 8),
  wrongLife('too short', 1, 20),
  ...faults.filter(([name]) => ['down', '500', '503', 'truncated', 'reset'].includes(name)).map(unnoticed),
  slow,
  ...LIVES.map(life),
  lifeUnknown,
  expired(false),
  expired(true),
]
