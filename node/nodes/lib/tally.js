'use strict';

/** The shortest time between two statuses in ms: each one goes to every open editor. */
const PACE = 1000;

/** Shows the newest of many statuses: at once, and then at most one a second. */
class Tally {
  #show;
  #next;
  #timer;
  #closed = false;

  constructor(show) {
    this.#show = show;
  }

  /** `status` makes the status when it is shown. */
  set(status) {
    this.#next = status;
    if (!this.#timer) this.#flush();
  }

  #flush() {
    this.#timer = undefined;
    if (!this.#next || this.#closed) return;
    const status = this.#next;
    this.#next = undefined;
    this.#timer = setTimeout(() => this.#flush(), PACE);
    this.#show(status());
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

module.exports = { Tally };
