'use strict';

/** From how long before its end on a token's expiry is shown, in ms. */
const SOON = 7 * 86_400_000;

/** What is left is told in the largest of these, in ms, of which there is a whole one. */
const UNITS = { d: 86_400_000, h: 3_600_000, min: 60_000 };

/** How long nothing is looked at, at most, in ms: the machine's clock may be set, a file may have another token in it. */
const LONGEST = 3_600_000;

const CLOCK = { now: Date.now, setTimeout, clearTimeout };

/**
 * How long a network's token is still good, for a person. What is to be shown changes as time passes: one timer for all who
 * show it, and none when nothing expires.
 */
class Expiry {
  #read;
  #changed;
  #clock;
  #timer;
  #expired;
  #taken;

  /**
   * @param read tells the Date when the token expires, or undefined
   * @param changed called when `left` will say something else
   */
  constructor(read, changed, clock = CLOCK) {
    this.#read = read;
    this.#changed = changed;
    this.#clock = clock;
  }

  /** `{ expired: true }`, or what is left as `{ unit, count }`; undefined if that is a while, or not known. */
  left() {
    this.close();
    this.#expired = undefined;
    const end = this.#read()?.getTime();
    if (end === undefined || end === this.#taken) return undefined;
    const left = end - this.#clock.now();
    if (left <= 0) {
      this.#expired = end;
      this.#wake(LONGEST);
      return { expired: true };
    }
    if (left > SOON) {
      this.#wake(left - SOON);
      return undefined;
    }
    const [unit, length] = Object.entries(UNITS).find(([, ms]) => left >= ms) ?? ['min', UNITS.min];
    this.#wake(Math.min(left, (left % length) + 1));
    return { unit, count: Math.max(1, Math.floor(left / length)) };
  }

  /** A server has taken the token. If it has expired by the clock here, that is wrong, as a Pi's is without a network. */
  taken() {
    if (this.#expired === undefined) return;
    this.#taken = this.#expired;
    this.#expired = undefined;
    this.#changed();
  }

  #wake(ms) {
    this.#timer = this.#clock.setTimeout(this.#changed, Math.min(ms, LONGEST));
    this.#timer.unref();
  }

  close() {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

module.exports = { Expiry };
