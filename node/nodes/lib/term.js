'use strict';

/** How long an answer counts, in ms. A key's end can be changed, but rarely is. */
const AGAIN = 6 * 3_600_000;

/** How long after a question that failed the next one is asked, in ms. */
const AFTER_FAILURE = 10 * 60_000;

/**
 * When a credential of The Things Stack ends. An API key and an OAuth token do not tell it themselves, so the server is
 * asked (auth_info): once at the start, for another credential, and then rarely.
 */
class Term {
  #changed;
  #now;
  #id;
  #end;
  #next = -Infinity;

  /** @param changed called when another end is known */
  constructor(changed, { now } = Date) {
    this.#changed = changed;
    this.#now = now;
  }

  /**
   * Asks, unless it is known or was asked a while ago.
   *
   * @param id whose end it is
   * @param question resolves to what `client.authInfo` does
   */
  async ask(id, question) {
    if (id === this.#id && this.#now() < this.#next) return;
    if (id !== this.#id) this.#end = undefined;
    this.#id = id;
    this.#next = this.#now() + AFTER_FAILURE;
    try {
      const info = await question();
      // It is another credential's meanwhile.
      if (id !== this.#id) return;
      this.#next = this.#now() + AGAIN;
      const end = info?.expiresAt;
      if (end?.getTime() === this.#end?.getTime()) return;
      this.#end = end;
      this.#changed();
    } catch {
      // What is wrong, the network's health has learned.
    }
  }

  /** When the credential with this id ends; undefined if it does not, or if that is not known. */
  of(id) {
    return id === this.#id ? this.#end : undefined;
  }
}

module.exports = { Term };
