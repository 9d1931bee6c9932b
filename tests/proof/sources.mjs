// Cases of number 3: every kind of source, when its token is taken back and when the account server is away.
import { randomBytes } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { Client, Credentials, TokenSource } from './calls.mjs'
import { Scene } from './scene.mjs'
import { after, until } from './proof.mjs'

const CLIENT = { clientId: 'proof', clientSecret: randomBytes(12).toString('hex') }

const together = (clients, step) => Promise.all(clients.map(step))

/** Good at first, taken back, and good again; once more while the account server is away. */
async function lives(scene, tokenSource) {
  const { t } = scene
  t.evidence.show('source', tokenSource)
  const both = scene.clients({ credentials: undefined, exchange: undefined, tokenSource })
  await together(both, (client) => scene.succeed(client, 20, 'at first'))
  await scene.tell('revokeTokens')
  await together(both, (client) => scene.succeed(client, 20, 'revoked'))
  await scene.proxy.down()
  await together(both, (client) => scene.succeed(client, 20, 'account server down'))
  await scene.proxy.pass()
  return both
}

/** What a person gets who signs in to the sandbox: it has one, with a published password. */
async function signIn(t, scene) {
  const { clientId, clientSecret } = CLIENT
  const answer = await fetch(`${scene.network.accountServer}/users/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'password', username: 'sandbox', password: 'sandbox' }),
  })
  const { access_token: access, refresh_token: refresh } = await answer.json()
  t.secret('token', access)
  t.secret('client secret', clientSecret)
  return t.secret('refresh token', refresh)
}

/** Its key is told to number 7, and the file itself is evidence. */
function fileStore(t, name) {
  const key = t.secret('store key', randomBytes(32).toString('base64'))
  t.secret('store key', Buffer.from(key, 'base64').toString('hex'))
  return { file: join(t.evidenceFolder, name), key }
}

async function keyExchange(t) {
  const scene = await Scene.start(t, 'source: an access key, a file store, an OAuth client', CLIENT)
  const { accessKey, appId } = scene.network
  const credentials = Credentials.accessKey(accessKey, { appId })
  const store = fileStore(t, 'store-key')
  const options = { credentials, accountServer: scene.proxy.address, appId, store, ...CLIENT }
  t.secret('client secret', CLIENT.clientSecret)
  await lives(scene, TokenSource.keyExchange(options))
  // As after a restart: the token is in the store, and nobody has to be asked.
  await scene.proxy.down()
  await together(
    scene.clients({ credentials: undefined, exchange: undefined, tokenSource: TokenSource.keyExchange(options) }),
    (client) => scene.succeed(client, 20, 'from the store'),
  )
  scene.end()
}

async function refreshToken(t) {
  const scene = await Scene.start(t, 'source: a refresh token', CLIENT)
  const first = await signIn(t, scene)
  const store = fileStore(t, 'store-refresh')
  let rotations = 0
  const onRotate = (token) => {
    rotations += 1
    t.secret('refresh token', token)
  }
  const options = { accountServer: scene.proxy.address, refreshToken: first, store, ...CLIENT }
  await lives(scene, TokenSource.refreshToken({ ...options, onRotate }))
  scene.check(await until(() => rotations === 2, 2000), `${rotations} refresh tokens were told instead of 2`)
  // As after a restart: the first one is used up, the store has the last one.
  await scene.tell('revokeTokens')
  const [again] = scene.clients({ credentials: undefined, exchange: undefined, tokenSource: TokenSource.refreshToken(options) })
  await scene.succeed(again, 20, 'from the store')
  scene.end()
}

async function restricted(t) {
  const scene = await Scene.start(t, 'source: a restricted token', CLIENT)
  const accountServer = scene.proxy.address
  const from = TokenSource.refreshToken({ accountServer, refreshToken: await signIn(t, scene), ...CLIENT })
  await lives(scene, TokenSource.restricted({ accountServer, from, appIds: [scene.network.appId] }))
  scene.end()
}

async function callback(t) {
  const scene = await Scene.start(t, 'source: a function')
  const { appId } = scene.network
  let asked = 0
  const get = async () => {
    asked += 1
    return { token: t.secret('token', await scene.tell('mintToken', { appId, subject: 'function' })), expiresIn: 3600 }
  }
  await lives(scene, TokenSource.callback(get))
  scene.check(asked === 2, `the function was called ${asked} times instead of 2`)
  const failing = scene.client('grpc', { credentials: undefined, exchange: undefined, tokenSource: () => Promise.reject(new Error('vault closed')) })
  await failing.getDevice({ app_id: appId, dev_id: scene.network.devId }).then(
    () => scene.check(false, 'a call succeeded without a token'),
    (error) => {
      t.evidence.error(error)
      scene.check(error.cause?.message.includes('vault closed'), `the function's own error is lost: ${error.message}`)
    },
  )
  scene.end()
}

/** The credentials in a file, which is replaced as careful programs do it; and in the environment. */
async function elsewhere(t) {
  const scene = await Scene.start(t, 'source: a file and the environment')
  const { appId, accessKey, devId } = scene.network
  // Not among the evidence: it is the one file that must hold the key.
  const path = join(t.folder, 'key')
  writeFileSync(path, `${accessKey}\n`)
  const exchange = { accountServer: scene.proxy.address, appId }
  const credentials = Credentials.fromFile(path, { appId })
  t.evidence.show('credentials', credentials)
  const fromFile = scene.clients({ credentials, exchange })
  await together(fromFile, (client) => scene.succeed(client, 20, 'file'))

  // Another key, and the old one is worth nothing.
  const key = t.secret('access key', await scene.tell('addAccessKey', appId, ['settings', 'devices']))
  writeFileSync(`${path}.new`, key)
  renameSync(`${path}.new`, path)
  await scene.tell('removeAccessKey', accessKey)
  // The file is looked at once a second.
  await after(1100)
  await scene.tell('revokeTokens')
  await together(fromFile, (client) => scene.succeed(client, 20, 'file replaced'))

  process.env.TTN_PROOF_KEY = key
  const fromEnvironment = Credentials.fromEnvironment('TTN_PROOF_KEY', { appId })
  delete process.env.TTN_PROOF_KEY
  t.evidence.show('credentials', fromEnvironment)
  await together(scene.clients({ credentials: fromEnvironment, exchange }), (client) => scene.succeed(client, 20, 'environment'))
  // Not exchanged here: the key itself is sent, and the Handler exchanges it.
  const client = new Client({ address: scene.network.httpAddress, credentials })
  t.after(() => client.close())
  await client.getDevice({ app_id: appId, dev_id: devId }).catch((error) => scene.check(false, `file, not exchanged: ${error.message}`))
  scene.end()
}

export const sources = [keyExchange, refreshToken, restricted, callback, elsewhere]
