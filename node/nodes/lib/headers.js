'use strict';

const { Allowed } = require('./allowed');
const { attach, detach } = require('./attach');
const { Problem } = require('./problem');

/**
 * Puts a network's credentials on messages that go where they may go. A message that is refused keeps none, not even one
 * that it came with.
 */
class Headers {
  #form;
  #withCaller;
  #allowed;
  #fault;
  #waiting = new Set();
  #closed = false;

  /**
   * Throws nothing; `fault` says what is wrong with the settings.
   *
   * @param settings the node's properties
   * @param host what Node-RED knows: `variable(name)`
   */
  constructor(settings, host) {
    this.#form = settings.target === 'metadata' ? 'metadata' : 'header';
    this.#withCaller = settings.withCaller === true;
    try {
      this.#allowed = new Allowed(this.#form, settings.hosts, host.variable);
    } catch (error) {
      this.#fault = error;
    }
  }

  /** What is wrong with the settings, or undefined. */
  get fault() {
    return this.#fault;
  }

  /** The transport whose address the network has to have, or undefined. */
  get needs() {
    return this.#allowed?.needs;
  }

  /** Puts the credentials of a network on a message. Rejects if they must not be there. */
  async put(msg, network) {
    try {
      if (!network) throw new Problem('AUTH_MISSING_CREDENTIALS', 'not-configured');
      if (this.#fault) throw this.#fault;
      // An http response node sends the message's headers to the caller.
      if (msg.res && !this.#withCaller) throw new Problem('AUTH_INVALID_ARGUMENT', 'with-caller');
      attach(msg, this.#form, await this.#untilClosed(this.#carried(msg, network)));
    } catch (error) {
      detach(msg);
      throw error;
    }
  }

  async #carried({ url }, network) {
    await this.#allowed.check(url, network);
    return network.headers(this.#form);
  }

  /** The result, or an error as soon as the node is closed: an account server may take its time. */
  #untilClosed(result) {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      result.then(resolve, reject).finally(() => this.#waiting.delete(reject));
      if (this.#closed) this.close();
    });
  }

  close() {
    this.#closed = true;
    for (const reject of this.#waiting) reject(new Problem('AUTH_CANCELLED', 'closed'));
    this.#waiting.clear();
  }
}

module.exports = { Headers };
