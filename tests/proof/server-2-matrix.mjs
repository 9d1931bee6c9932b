// 2. Every kind of server that this guards, asked by every kind of client that can, with both credentials and none: each is
// told what it should be, and our own client gives one code for it, over gRPC and over HTTP.
import { inspect } from 'node:util'

import { CALLERS } from './callers.mjs'
import { cases } from './cases.mjs'
import { prove } from './proof.mjs'
import { startServers } from './servers.mjs'

const fits = (expected, came) => (expected instanceof RegExp ? expected.test(came ?? '') : expected === came)

/** What of an answer is not as expected. A caller that does not see something says nothing of it. */
function differences({ expect, secret }, device, end) {
  if (!expect.status) {
    const { app_id, dev_id, description } = end.value ?? {}
    const right = app_id === device.appId && dev_id === device.devId && /^read by \S+$/.test(description ?? '')
    return right ? [] : [`the device expected, came ${inspect(end)}`]
  }
  if (end.value) return [`${expect.status} expected, came the device`]
  const seen = { code: end.code, status: end.status, grpc: end.grpc, message: end.message }
  if ('challenge' in end) seen.challenge = end.challenge
  const found = Object.entries(seen)
    .filter(([name, came]) => (came !== undefined || name === 'challenge') && !fits(expect[name], came))
    .map(([name, came]) => `${name}: ${expect[name]} expected, came ${came}`)
  if (end.same === false) found.push('error and message differ')
  if (secret && JSON.stringify(end).includes(secret)) found.push('the answer repeats the credential')
  return found
}

await prove(async (t) => {
  const network = await t.network({ rateLimit: false })
  const servers = await startServers(t, network)
  const all = await cases(network)
  for (const { kind, secret } of all) if (kind) t.secret(kind === 'key' ? 'access key' : 'token', secret)
  let [cells, pairs, right] = [0, 0, 0]
  /** By case: what our own client says, on every server. */
  const codes = new Map()
  for (const server of servers) {
    for (const [name, { transports, call }] of Object.entries(CALLERS)) {
      if (!transports.includes(server.transport)) continue
      pairs += 1
      for (const one of all) {
        if (one.foreign && name === 'ours') continue
        const device = { appId: one.appId ?? network.appId, devId: network.devId }
        const end = await call({ ...device, address: server.address, kind: one.kind, secret: one.secret })
        t.evidence.show(`${server.name} ${name} ${one.name}`, end)
        cells += 1
        const found = differences(one, device, end)
        if (found.length === 0) right += 1
        t.check(found.length === 0, `${server.name}, ${name}, ${one.name}: ${found.join(', ')}`)
        if (name === 'ours') codes.set(one.name, new Set([...(codes.get(one.name) ?? []), end.code]))
      }
    }
    t.progress(server.name)
  }
  const mixed = [...codes].filter(([, found]) => found.size !== 1)
  for (const [name, found] of mixed) t.check(false, `${name}: our client says ${[...found].join(' and ')}`)
  // A health check needs no credential.
  for (const { name, address, transport } of servers) {
    if (transport !== 'http' || name === 'Node-RED') continue
    const answer = await fetch(`${address}/healthz`)
    t.check(answer.status === 200 && (await answer.text()) === 'ok', `${name}: /healthz is ${answer.status}`)
  }
  return [
    `${servers.length} servers (${servers.map(({ name }) => name).join(', ')}) x ${Object.keys(CALLERS).length} clients`,
    `(${Object.keys(CALLERS).join(', ')}), ${pairs} pairs that speak one transport, ${all.length} cases: ${right} of ${cells} as expected;`,
    `${codes.size - mixed.length} of ${codes.size} codes of our client the same on every server`,
  ].join(' ')
})
