// 2. Tokens that live 10 s, an account server that is down half of the time, and calls all the time: none fails.
import { openLoop } from './load.mjs'
import { after, prove } from './proof.mjs'
import { clients, Credentials, failures, kinds, readDevice } from './calls.mjs'

const RATE = 200
const TOKEN_LIFE = 10

/** In milliseconds. */
const [SHORTEST_SPELL, LONGEST_SPELL] = [100, 2000]

/** How late a timer may be on a busy machine: no spell comes near to what is left of a token when it is replaced. */
const LATE = 2000

await prove(async (t) => {
  const seconds = t.size(300, 20)
  const network = await t.network({ rateLimit: false, tokenLifetime: TOKEN_LIFE })
  const proxy = await t.proxy(network.accountServer)
  t.progress(`seed ${t.seed}`)
  const credentials = Credentials.accessKey(network.accessKey, { appId: network.appId })
  const both = clients(t, network, { credentials, exchange: { accountServer: proxy.address, appId: network.appId } })
  // The first tokens come while it is up: without any token there is nothing to go on with.
  for (const client of both) await readDevice(network)(client)

  const outages = spells(t, proxy)
  const call = (index) => readDevice(network)(both[index % 2])
  const ends = await openLoop({ rate: RATE, seconds, progress: (text) => t.progress(text), call })
  const { count, share, longest } = await outages.end()

  const failed = failures(t, ends.failed)
  const tried = t.evidence.of('exchange').length
  const succeeded = t.evidence.of('exchange', { outcome: 'ok' }).length
  t.check(failed.length === 0, `${failed.length} calls failed: ${kinds(failed)}`)
  t.check(ends.calls >= RATE * seconds * 0.99, `only ${ends.calls} calls were made`)
  t.check(share > 0.35 && share < 0.65, `it was down ${Math.round(share * 100)} % of the time: no half`)
  t.check(longest <= LONGEST_SPELL + LATE, `a spell lasted ${Math.round(longest)} ms`)
  // In the short run that may be chance.
  t.check(t.short || tried > succeeded, 'no exchange met an outage')
  t.check(succeeded >= (2 * seconds) / TOKEN_LIFE, `${succeeded} exchanges are too few for tokens of ${TOKEN_LIFE} s`)
  t.check(proxy.requests('pass') >= succeeded, `${succeeded} exchanges told, ${proxy.requests('pass')} seen`)
  return [
    `${ends.calls} calls in ${seconds} s at ${RATE}/s over gRPC and HTTP, ${failed.length} failed;`,
    `tokens of ${TOKEN_LIFE} s, account server down ${Math.round(share * 100)} % of the time in ${count} spells of <= ${LONGEST_SPELL / 1000} s,`,
    `${succeeded} of ${tried} exchanges succeeded; seed ${t.seed}`,
  ].join(' ')
})

/** Takes the account server down and up by chance, for as long as nobody ends it. */
function spells(t, proxy) {
  const length = () => SHORTEST_SPELL + (LONGEST_SPELL - SHORTEST_SPELL) * t.random()
  const [started, lengths] = [performance.now(), []]
  const down = () => lengths.reduce((sum, ms) => sum + ms, 0)
  const share = () => down() / (performance.now() - started)
  let ending = false
  const running = (async () => {
    while (!ending) {
      // Of two lengths the longer one is for what there was less of: in the end, each has a half.
      const [shorter, longer] = [length(), length()].toSorted((a, b) => a - b)
      const [up, away] = share() > 0.5 ? [longer, shorter] : [shorter, longer]
      await after(up)
      const since = performance.now()
      await proxy.down()
      await after(away)
      await proxy.pass()
      lengths.push(performance.now() - since)
    }
  })()
  return {
    async end() {
      ending = true
      await running
      return { count: lengths.length, share: share(), longest: Math.max(...lengths) }
    },
  }
}
