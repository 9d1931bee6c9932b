// 1. Any number of first callers make one exchange. While the account server is down they make one attempt, then one per
// back-off step, and each gets the same clear error within its time limit.
import { attemptsAllowed } from './back-off.mjs'
import { after, prove, until } from './proof.mjs'
import { atOnce, clients, Credentials, failures, kinds, readDevice, slowest, TokenSource } from './calls.mjs'

const CALLERS = 1000
const UNAVAILABLE = 'AUTH_EXCHANGE_UNAVAILABLE'

/** The account server's own limit for one answer is 10 s. */
const [SHORT_LIMIT, LONG_LIMIT] = [1000, 20_000]

/** How late a timer may be on a busy machine. */
const LATE = 5000

await prove(async (t) => {
  const network = await t.network({ rateLimit: false })
  const rights = ['settings', 'devices']

  /** An account server that can fail, and clients over both transports with one source of tokens in front of them. */
  async function setup() {
    const key = t.secret('access key', await network.child.ask('call', 'addAccessKey', network.appId, rights))
    const proxy = await t.proxy(network.accountServer)
    const credentials = Credentials.accessKey(key, { appId: network.appId })
    const source = TokenSource.keyExchange({ credentials, accountServer: proxy.address, appId: network.appId })
    t.evidence.show('source', source)
    const exchange = { accountServer: proxy.address, appId: network.appId }
    return { proxy, shared: clients(t, network, { tokenSource: source, retry: false }), own: { credentials, exchange } }
  }

  async function healthy() {
    const { proxy, shared, own } = await setup()
    // Late enough that everyone waits for it.
    await proxy.slow(500)
    const ends = await atOnce(shared, CALLERS, readDevice(network, { timeout: 30_000 }))
    t.check(failures(t, ends).length === 0, `first calls failed: ${kinds(failures(t, ends))}`)
    const exchanges = proxy.requests()
    t.check(exchanges === 1, `${CALLERS} callers of one source made ${exchanges} exchanges`)
    for (const client of clients(t, network, own)) {
      const before = proxy.requests()
      const calls = await atOnce([client], CALLERS, readDevice(network, { timeout: 30_000 }))
      t.check(failures(t, calls).length === 0, `first calls failed: ${kinds(failures(t, calls))}`)
      const made = proxy.requests() - before
      t.check(made === 1, `${CALLERS} callers of one ${client.transport} client made ${made} exchanges`)
    }
    return `${CALLERS} callers, ${exchanges} exchange (one source over both transports, and each client by itself)`
  }

  /** Down in one way, first with everyone at once, then with calls all the time. */
  async function down(name, fail, counted) {
    const { proxy, shared } = await setup()
    await fail(proxy)
    const before = counted(proxy)
    const limit = 10_000
    const begun = performance.now()
    const ends = await atOnce(shared, CALLERS, readDevice(network, { timeout: limit }))
    const failed = failures(t, ends)
    const attempts = counted(proxy) - before
    t.check(failed.length === CALLERS, `${name}: ${CALLERS - failed.length} calls succeeded`)
    t.check(failed.every(({ error }) => error.code === UNAVAILABLE), `${name}: ${kinds(failed)}`)
    t.check(kinds(failed).length === 1, `${name}: not one error but ${kinds(failed)}`)
    t.check(slowest(ends) <= limit + LATE, `${name}: an error came after ${slowest(ends)} ms, later than the limit`)
    t.check(attempts === 1, `${name}: ${attempts} attempts for the first callers`)

    const seconds = t.size(30, 6)
    const started = performance.now()
    const errors = []
    while (performance.now() - started < seconds * 1000) {
      errors.push(...(await atOnce(shared, 10, readDevice(network, { timeout: limit }))))
      await after(50)
    }
    const all = counted(proxy) - before
    const [fewest, most] = attemptsAllowed(seconds, (performance.now() - begun) / 1000)
    t.check(failures(t, errors).length === errors.length, `${name}: calls succeeded while it was down`)
    t.check(all >= fewest && all <= most, `${name}: ${all} attempts in ${seconds} s, back-off allows ${fewest} to ${most}`)

    await proxy.pass()
    const recovered = await until(async () => {
      const [end] = await atOnce(shared, 1, readDevice(network, { timeout: limit }))
      return !end.error
    }, 33_000)
    t.check(recovered, `${name}: no call succeeds after the account server is back`)
    t.check(proxy.requests('pass') === 1, `${name}: ${proxy.requests('pass')} exchanges once it was back`)
    return { name, ms: slowest(ends), all, seconds, fewest, most }
  }

  /** Waiters with less time and with more time than the attempt takes. */
  async function silent() {
    const { proxy, shared } = await setup()
    await proxy.silent()
    const [hasty, patient] = await Promise.all(
      [SHORT_LIMIT, LONG_LIMIT].map((timeout) => atOnce(shared, CALLERS / 2, readDevice(network, { timeout }))),
    )
    for (const [ends, limit, code] of [[hasty, SHORT_LIMIT, 'AUTH_TIMEOUT'], [patient, LONG_LIMIT, UNAVAILABLE]]) {
      const failed = failures(t, ends)
      t.check(failed.length === CALLERS / 2, `silent: ${ends.length - failed.length} calls succeeded`)
      t.check(kinds(failed).length === 1, `silent: not one error but ${kinds(failed)}`)
      t.check(failed[0]?.error.code === code, `silent: ${kinds(failed)} instead of ${code}`)
      t.check(slowest(ends) <= limit + LATE, `silent: limit ${limit} ms, error after ${slowest(ends)} ms`)
    }
    t.check(proxy.requests() === 1, `silent: ${proxy.requests()} attempts`)
    return `never answering: ${CALLERS} errors, limit ${SHORT_LIMIT} ms: in <= ${slowest(hasty)} ms, limit ${LONG_LIMIT} ms: in <= ${slowest(patient)} ms`
  }

  const first = await healthy()
  // A closed port counts nobody: there the events do, which agree with the proxy where both can count.
  let refused = 0
  const failed = () => t.evidence.of('exchange').filter(({ outcome }) => outcome !== 'ok').length
  const rows = [await down('refused', (proxy) => proxy.down(), failed)]
  refused = failed()
  const [last, ...more] = await Promise.all([
    silent(),
    down('500', (proxy) => proxy.status(500), (proxy) => proxy.requests('500')),
    down('reset', (proxy) => proxy.reset(), (proxy) => proxy.requests('reset')),
  ])
  rows.push(...more)
  // The one that was never answered among them.
  const counted = 1 + rows[1].all + rows[2].all
  t.check(failed() - refused === counted, `${failed() - refused} events of failed exchanges, ${counted} at the account server`)
  const told = rows.map(({ name, ms, all, seconds, fewest, most }) =>
    `${name} ${CALLERS} errors of one code in <= ${ms} ms, ${all} attempts in ${seconds} s (back-off allows ${fewest} to ${most})`)
  return `${first}; account server down: ${told.join(', ')}; ${last}`
})
