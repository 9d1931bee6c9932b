'use strict';

/** The shortest time between two statuses in ms: each one goes to every open editor. */
const PACE = 1000;

/**
 * Shows the newest of many statuses: the first at once, and then at most one in each `pace`. The last one is always shown,
 * and none twice in a row.
 */
class Tally {
  #show;
  #pace;
  #next;
  #shown;
  #timer;
  #closed = false;

  constructor(show, pace = PACE) {
    this.#show = show;
    this.#pace = pace;
  }

  /** Shows a status, if it is another one than the last; returns whether it is. The next one need not wait for its turn. */
  now(status) {
    const text = JSON.stringify(status);
    if (text === this.#shown) return false;
    this.#shown = text;
    this.#show(status);
    return true;
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
    if (this.now(status())) this.#timer = setTimeout(() => this.#flush(), this.#pace);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

module.exports = { Tally };
