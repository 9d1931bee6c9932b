'use strict'
// Whether servers take a credential: one cheap call to each, which changes nothing. What the command line and the editor's
// button Test connection have in common.

/** How long after its time limit a call is given up that has not ended by it, such as one that waits for its turn, in ms. */
const GRACE = 500

/** Answers that come after the credential was accepted, and what they are called. */
const REMARKS = { AUTH_PERMISSION_DENIED: 'right-missing', AUTH_NOT_FOUND: 'no-application' }
const IS_REMARK = { AUTH_PERMISSION_DENIED: /\brights to\b/, AUTH_NOT_FOUND: /\bapplication\b/i }

/**
 * Tries one server. Resolves to what became of it: `{ address, good, ms }` with the number of `devices`, or an `error`, which
 * of a server that accepted the credential is a `remark`, too.
 *
 * @param connect gives a client, or a promise of one
 * @param timeout in ms
 * @param late makes the error for what has not ended in time
 */
async function attempt(connect, { appId, timeout, late }) {
  const started = performance.now()
  let address
  const call = async () => {
    const client = await connect()
    ;({ address } = client)
    return client.getDevices({ app_id: appId }, { limit: 1, timeout })
  }
  const took = () => Math.round(performance.now() - started)
  try {
    const { total } = await within(timeout + GRACE, call(), late)
    return { address, good: true, ms: took(), devices: total }
  } catch (error) {
    const good = IS_REMARK[error?.code]?.test(error.message) === true
    return { address, good, ms: took(), remark: good ? REMARKS[error.code] : undefined, error }
  }
}

/**
 * Tries one server of The Things Stack, as `attempt` does one of V2: asks what it takes the credential for. `info` is what
 * `client.authInfo` gives; null where the server saw no credential, which to it is no error, and `remark` says so. With an
 * application, the `remark` tells whether its devices may be read.
 */
async function attemptStack(connect, { appId, timeout, late }) {
  const started = performance.now()
  let address
  let info
  const call = async () => {
    const client = await connect()
    ;({ address } = client)
    info = await client.authInfo({ timeout })
    if (info && appId) await firstDevice(client, appId, timeout)
  }
  const took = () => Math.round(performance.now() - started)
  try {
    await within(timeout + GRACE, call(), late)
    const remark = info ? undefined : 'not-seen'
    return { address, good: !remark, ms: took(), info, remark }
  } catch (error) {
    // What comes after auth_info is about the application: the credential is good.
    const remark = info ? REMARKS[error?.code] : undefined
    return { address, good: remark !== undefined, ms: took(), info, remark, error }
  }
}

/** Rejects if the application's devices cannot be read. */
async function firstDevice(client, appId, timeout) {
  const devices = client.endDevices.list({ application_ids: { application_id: appId }, limit: 1 }, { timeout })
  for await (const device of devices) return device
  return undefined
}

/** The first application of a token, one with the right to read devices before others. */
function applicationOf(credentials) {
  const { apps = {}, scope = [] } = credentials.describe()
  const ids = Object.keys(apps)
  const scoped = scope.find((entry) => /^apps:./.test(entry))?.slice('apps:'.length)
  return ids.find((id) => apps[id].includes('devices')) ?? ids[0] ?? scoped
}

/** Gives up what has not ended in time. */
function within(ms, work, late) {
  let timer
  const tooLong = new Promise((_, reject) => {
    timer = setTimeout(() => reject(late()), ms)
  })
  return Promise.race([work, tooLong]).finally(() => clearTimeout(timer))
}

module.exports = { applicationOf, attempt, attemptStack, within }
