// One case of number 3: a network and an account server's proxy of its own, a client for each transport, and what its calls
// must end with.
import { atOnce, Client, Credentials, failures, kinds, readDevice, TRANSPORTS } from './calls.mjs'

/** What all cases together did. */
export const total = { cases: 0, calls: 0, unexpected: 0, errors: new Map(), exchanges: 0 }

export class Scene {
  static async start(t, name, options = {}, settings = {}) {
    const scene = new Scene()
    const network = await t.network({ rateLimit: false, ...options })
    Object.assign(scene, { t, name, network, settings, proxy: await t.proxy(network.accountServer) })
    total.cases += 1
    return scene
  }

  /** What the network can be told to do. */
  tell = (command, ...args) => this.network.child.ask('call', command, ...args)

  /** A fresh client over this transport: it has no token yet. */
  client(transport, settings = {}) {
    const { accessKey, appId } = this.network
    const client = new Client({
      address: this.network[`${transport}Address`],
      credentials: Credentials.accessKey(accessKey, { appId }),
      exchange: { accountServer: this.proxy.address, appId },
      ...this.settings,
      ...settings,
    })
    this.t.after(() => client.close())
    return client
  }

  clients = (settings) => TRANSPORTS.map((transport) => this.client(transport, settings))

  /** Calls that must all succeed, because a good token can be had. */
  async succeed(client, count = 20, step = '') {
    const failed = failures(this.t, await this.#calls(client, count))
    total.unexpected += failed.length
    this.check(failed.length === 0, `${client.transport} ${step}: ${failed.length} of ${count} calls failed: ${kinds(failed)}`)
  }

  /** Calls that cannot succeed, and must all end with the same clear error. */
  async fail(client, code, count = 20, step = '') {
    const ends = await this.#calls(client, count)
    const failed = failures(this.t, ends)
    for (const { error } of failed) {
      total.errors.set(error.code, (total.errors.get(error.code) ?? 0) + 1)
      this.check(error.hint, `${client.transport} ${step}: an error without a hint: ${error.message}`)
    }
    this.check(failed.length === count, `${client.transport} ${step}: ${count - failed.length} of ${count} calls succeeded`)
    const codes = [...new Set(failed.map(({ error }) => error.code))]
    this.check(codes.join() === code, `${client.transport} ${step}: ${kinds(failed)} instead of ${code}`)
    return ends
  }

  /** How many exchanges a step asks the account server for. */
  async exchanges(step) {
    const before = this.proxy.requests()
    await step()
    return this.proxy.requests() - before
  }

  check(holds, why) {
    return this.t.check(holds, `${this.name}: ${why}`)
  }

  end() {
    total.exchanges += this.proxy.requests()
    this.check(this.proxy.strays === 0, `${this.proxy.strays} redirects were followed`)
    this.t.progress(this.name)
  }

  async #calls(client, count) {
    total.calls += count
    return atOnce([client], count, readDevice(this.network))
  }
}
