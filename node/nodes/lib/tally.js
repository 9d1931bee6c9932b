'use strict';

/** The shortest time between two statuses in ms: each one goes to every open editor. */
const PACE = 1000;

/** Shows the newest of many statuses: the first at once, and then at most one in each `pace`. The last one is always shown. */
class Tally {
  #show;
  #pace;
  #next;
  #timer;
  #closed = false;

  constructor(show, pace = PACE) {
    this.#show = show;
    this.#pace = pace;
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
    this.#timer = setTimeout(() => this.#flush(), this.#pace);
    this.#show(status());
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

module.exports = { Tally };
