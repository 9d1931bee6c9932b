'use strict';

/** How many jobs fail in one go when the pool is closed. Then everything else in the process has its turn. */
const AT_A_STRETCH = 100;

/**
 * Runs at most `limit` jobs at once and lets the others wait, in order. A burst of messages must not open hundreds of
 * calls to a server that takes five a second.
 *
 * With `kept`, what came of the jobs is handed over in the order in which they came. What is early waits, and keeps its
 * place among the `limit`: else one slow call would let thousands of answers gather behind it.
 *
 * A job has `begin()`, which returns a promise, and `end(answer)` and `fail(error)`, of which one is called, once. They
 * report their own failures: what they throw all the same ends neither the process nor the other jobs.
 */
class Pool {
  #limit;
  #kept;
  #waiting = new Queue();
  /** What was begun and has not been handed over, in order: its outcome, or nothing yet. */
  #begun = new Map();
  #reason;
  #failed = 0;

  constructor(limit, { kept = false } = {}) {
    this.#limit = limit;
    this.#kept = kept;
  }

  get active() {
    return this.#begun.size;
  }

  get waiting() {
    return this.#waiting.size;
  }

  run(job) {
    this.#waiting.add(job);
    if (this.#reason) this.#failWaiting();
    else this.#next();
  }

  #next() {
    while (this.#begun.size < this.#limit && this.#waiting.size > 0) {
      const job = this.#waiting.take();
      this.#begun.set(job, undefined);
      job.begin().then((answer) => this.#ended(job, 'end', answer), (error) => this.#ended(job, 'fail', error));
    }
  }

  #ended(job, how, value) {
    // It has failed already: the pool was closed.
    if (!this.#begun.has(job)) return;
    this.#begun.set(job, { how, value });
    for (const [next, outcome] of this.#kept ? this.#begun : [[job, { how, value }]]) {
      if (!outcome) break;
      this.#begun.delete(next);
      handOver(next, outcome);
    }
    if (!this.#reason) this.#next();
  }

  /**
   * Begins nothing more, and hands over no answer any more: whatever has not left fails with `reason`, in order, and so
   * does what comes later. Resolves to how many.
   */
  async close(reason) {
    this.#reason = reason;
    for (const [job, outcome] of this.#begun) {
      this.#begun.delete(job);
      this.#fail(job, outcome?.how === 'fail' ? outcome.value : reason);
    }
    await this.#failWaiting();
    return this.#failed;
  }

  async #failWaiting() {
    while (this.#waiting.size > 0) {
      this.#fail(this.#waiting.take(), this.#reason);
      if (this.#failed % AT_A_STRETCH === 0) await new Promise(setImmediate);
    }
  }

  #fail(job, error) {
    this.#failed += 1;
    handOver(job, { how: 'fail', value: error });
  }
}

function handOver(job, { how, value }) {
  try {
    job[how](value);
  } catch {
    // Said above.
  }
}

/** First in, first out. `Array.shift` moves all that is left, once there are tens of thousands. */
class Queue {
  #in = [];
  #out = [];

  get size() {
    return this.#in.length + this.#out.length;
  }

  add(item) {
    this.#in.push(item);
  }

  take() {
    if (this.#out.length === 0) [this.#in, this.#out] = [[], this.#in.reverse()];
    return this.#out.pop();
  }
}

module.exports = { Pool };
