'use strict';

/**
 * Runs at most `limit` tasks at once and lets the others wait, in order. A burst of messages must not open hundreds of
 * calls to a server that takes five a second.
 */
class Pool {
  #limit;
  #waiting = [];
  #active = new Set();
  #closed = false;

  constructor(limit) {
    this.#limit = limit;
  }

  get active() {
    return this.#active.size;
  }

  get waiting() {
    return this.#waiting.length;
  }

  /** `task` returns a promise and reports its own failure: one that rejects all the same must not end the process. */
  run(task) {
    if (this.#closed) return;
    this.#waiting.push(task);
    this.#next();
  }

  #next() {
    while (this.#active.size < this.#limit && this.#waiting.length > 0) {
      const ended = () => {
        this.#active.delete(running);
        this.#next();
      };
      const running = this.#waiting.shift()().then(ended, ended);
      this.#active.add(running);
    }
  }

  /** Starts nothing more, and resolves when what runs has ended. Returns how many tasks never started. */
  async close() {
    this.#closed = true;
    const dropped = this.#waiting.splice(0).length;
    await Promise.allSettled(this.#active);
    return dropped;
  }
}

module.exports = { Pool };
