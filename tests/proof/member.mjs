// One of many processes that share a token through a store: it calls all the time, and tells how that went. Started by
// child.mjs.
import { answer } from './commands.mjs'
import { Evidence } from './evidence.mjs'
import { clients, Credentials, failures, kinds, readDevice, TokenSource } from './calls.mjs'
import { closedLoop } from './load.mjs'
import { after } from './proof.mjs'

/** Between a member's calls, in milliseconds: ten members make some 100 calls a second. */
const PAUSE = 100

let evidence
let both
let read
let loop
let told

const commands = {
  start({ network, accessKey, accountServer, store, folder, name }) {
    evidence = new Evidence(folder, name).listen()
    const { appId } = network
    const credentials = Credentials.accessKey(accessKey, { appId })
    const source = TokenSource.keyExchange({ credentials, accountServer, appId, store })
    both = clients({ evidence, after() {} }, network, { tokenSource: source })
    evidence.show('source', source)
    read = readDevice(network)
  },
  /** The first call. */
  async first() {
    const error = await read(both[0]).then(() => undefined, (error) => error)
    if (!error) return undefined
    evidence.error(error)
    return `${error.code}: ${error.message}`
  },
  /** Calls from now on. */
  run() {
    loop = closedLoop(1, async (index) => {
      await after(PAUSE)
      await read(both[index % 2])
    })
    commands.report()
  },
  /** What there was since the last report. */
  report() {
    const ends = loop?.ends ?? []
    const before = told ?? { ends: 0, events: 0 }
    told = { ends: ends.length, events: evidence.events.length }
    const failed = failures({ evidence }, ends.slice(before.ends))
    const events = evidence.events.slice(before.events)
    return {
      calls: told.ends - before.ends,
      failed: kinds(failed),
      exchanges: events.filter(({ channel }) => channel === 'exchange').length,
      store: events.filter(({ channel }) => channel === 'store').map(({ outcome }) => outcome),
    }
  },
}

answer(commands)
