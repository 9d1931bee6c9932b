'use strict';

const { Problem } = require('./problem');

const closed = () => new Problem('AUTH_CANCELLED', 'closed');

/**
 * One client for each transport, shared by all who call: made once, also for many first callers at the same time. One
 * that could not be made is made again for the next caller.
 */
class Clients {
  #make;
  #isOver;
  #current = new Map();
  #all = new Set();
  #closing = new AbortController();

  /**
   * @param make `(transport, signal)` makes a client, or a promise of one
   * @param isOver `(transport, error)` tells whether a client whose call failed so has to be replaced
   */
  constructor(make, isOver) {
    this.#make = make;
    this.#isOver = isOver;
  }

  /** The transport's client. Rejects with the Problem `closed` after `close`. */
  async get(transport) {
    return this.#entry(transport).client;
  }

  /** Makes a call with it. */
  async use(transport, call) {
    const entry = this.#entry(transport);
    const client = await entry.client;
    entry.calls += 1;
    try {
      return await call(client);
    } catch (error) {
      if (this.#isOver(transport, error)) this.#replace(transport, entry);
      throw error;
    } finally {
      entry.calls -= 1;
      // Other calls may still have an answer to come.
      if (entry.replaced && entry.calls === 0) this.#end(entry, client);
    }
  }

  #entry(transport) {
    if (this.#closing.signal.aborted) throw closed();
    const held = this.#current.get(transport);
    if (held) return held;
    const entry = { calls: 0, replaced: false, client: this.#made(transport) };
    this.#current.set(transport, entry);
    this.#all.add(entry);
    entry.client.catch(() => {
      this.#replace(transport, entry);
      this.#all.delete(entry);
    });
    return entry;
  }

  async #made(transport) {
    const { signal } = this.#closing;
    try {
      const client = await this.#make(transport, signal);
      if (!signal.aborted) return client;
      client.close();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    throw closed();
  }

  #replace(transport, entry) {
    entry.replaced = true;
    if (this.#current.get(transport) === entry) this.#current.delete(transport);
  }

  #end(entry, client) {
    client.close();
    this.#all.delete(entry);
  }

  /** Aborts what is in flight and drops the connections. */
  close() {
    this.#closing.abort();
    for (const entry of this.#all) entry.client.then((client) => client.close(), () => {});
    this.#current.clear();
    this.#all.clear();
  }
}

module.exports = { Clients };
