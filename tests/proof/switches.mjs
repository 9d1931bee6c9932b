// Cases of number 3: the network itself changes under a client's feet.
import { after, until } from './proof.mjs'
import { Scene } from './scene.mjs'

/** In seconds. */
const TEN_MINUTES = 600

/** In milliseconds: more than the first back-offs take, and than a busy machine adds. */
const SOON = 20_000

const together = (clients, step) => Promise.all(clients.map(step))

/** The account server signs with another key; the Handler comes to know it later. */
async function rotated(t) {
  const scene = await Scene.start(t, 'signing key rotated')
  const old = scene.clients()
  await together(old, (client) => scene.succeed(client, 20, 'before'))
  await scene.tell('rotateSigningKey')
  // What was signed before is still good.
  await together(old, (client) => scene.succeed(client, 20, 'with an old token'))
  const fresh = scene.clients()
  const exchanges = await scene.exchanges(() => together(fresh, (client) => scene.fail(client, 'AUTH_INVALID_TOKEN', 20, 'unknown to the Handler')))
  scene.check(exchanges <= 4, `${exchanges} exchanges of two clients for tokens that the Handler cannot check`)
  await scene.tell('reloadKeys')
  await together(fresh, (client) => scene.succeed(client, 20, 'known to the Handler'))
  const more = await scene.exchanges(() => together(old, (client) => scene.succeed(client, 100, 'old token refused')))
  scene.check(more === 2, `${more} exchanges of two clients for 100 refused calls each`)
  scene.end()
}

async function revoked(t) {
  const scene = await Scene.start(t, 'tokens revoked')
  const both = scene.clients()
  for (let round = 0; round < 3; round += 1) {
    await together(both, (client) => scene.succeed(client, 20, 'before'))
    await scene.tell('revokeTokens')
    // Each token was good, so none is held back however quickly they are taken away.
    const exchanges = await scene.exchanges(() => together(both, (client) => scene.succeed(client, 100, 'after')))
    scene.check(exchanges === 2, `${exchanges} exchanges of two clients for 100 refused calls each`)
  }
  scene.end()
}

/** A token that is good for an hour is good by any of these clocks; one of five minutes never is. */
const clock = (whose, offset) => async (t) => {
  const ahead = whose === 'handler' ? offset : -offset
  const scene = await Scene.start(t, `clock of the ${whose} ${offset > 0 ? '+' : '-'}10 min`)
  await scene.tell('setClock', { [whose]: offset })
  const exchanges = await scene.exchanges(() => together(scene.clients(), async (client) => {
    for (let round = 0; round < 3; round += 1) await scene.succeed(client)
  }))
  scene.check(exchanges === 2, `${exchanges} exchanges for two clients`)
  // By the Handler's clock they are over when they are issued, or live the longer.
  await scene.tell('setTokenLifetime', TEN_MINUTES / 2)
  const both = scene.clients()
  if (ahead < 0) {
    await together(both, (client) => scene.succeed(client, 20, 'short tokens'))
    return scene.end()
  }
  const wasted = await scene.exchanges(() => together(both, async (client) => {
    for (let round = 0; round < 3; round += 1) await scene.fail(client, 'AUTH_TOKEN_EXPIRED', 20, 'short tokens')
  }))
  scene.check(wasted <= 8, `${wasted} exchanges of two clients for tokens that are over on arrival`)
  await scene.tell('setClock', { [whose]: 0 })
  await together(both, async (client) => {
    const call = () => client.getDevice({ app_id: scene.network.appId, dev_id: scene.network.devId })
    const back = await until(() => call().then(() => true, () => after(100)), SOON)
    scene.check(back, `${client.transport}: still failing ${SOON / 1000} s after the clock was put right`)
    await scene.succeed(client, 20, 'clock put right')
  })
  scene.end()
}

/** Everything stops, and goes on. */
async function stopped(t) {
  const scene = await Scene.start(t, 'network stopped', {}, { timeout: 5000, retry: false })
  const both = scene.clients()
  await together(both, (client) => scene.succeed(client, 20, 'before'))
  await scene.network.child.pause()
  await together(both, (client) => scene.fail(client, 'AUTH_TIMEOUT', 20, 'stopped'))
  scene.network.child.resume()
  await together(both, (client) => scene.succeed(client, 20, 'afterwards'))
  scene.end()
}

export const switches = [
  rotated,
  revoked,
  ...['accountServer', 'handler'].flatMap((whose) => [TEN_MINUTES, -TEN_MINUTES].map((offset) => clock(whose, offset))),
  stopped,
]
