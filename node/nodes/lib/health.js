'use strict';

const { isFileError } = require('./problem');

/** Kinds that are about the credential, and so about every call. */
const CREDENTIAL = new Set([
  'invalid-credentials', 'missing-credentials', 'token-expired', 'token-not-yet-valid', 'invalid-token',
  'unknown-issuer', 'invalid-key', 'key-expired', 'exchange-unavailable',
]);

/** Kinds that are about the way to the server, and so about every call over this transport. */
const CONNECTION = new Set(['unavailable', 'tls', 'insecure-transport']);

/** Kinds that a server answers with which has found the credential good: it looks at that first. */
const ACCEPTED = new Set(['permission-denied', 'not-found', 'already-exists']);

/** Other kinds that only a server which was reached answers with. */
const REACHED = new Set(['rate-limited', 'unimplemented', 'server']);

/**
 * What the calls of all nodes have shown about a network: which transports work, and what is wrong that concerns
 * everybody. An error that is a call's own (not found, a right missing, its time over) says nothing here.
 */
class Health {
  #changed;
  #working = new Set();
  #ways = new Map();
  #credential;
  #shared = new WeakSet();
  #unobtained = new WeakSet();

  /** @param changed called when something is different */
  constructor(changed) {
    this.#changed = changed;
  }

  /** Whether the last that was seen of a transport is a server which answers. */
  works(transport) {
    return this.#working.has(transport);
  }

  /** What is wrong for everybody who calls over a transport, or undefined. */
  problem(transport) {
    return this.#ways.get(transport) ?? this.#credential;
  }

  /** Whether an error is, or was, everybody's. */
  concernsAll(error) {
    return this.#shared.has(Object(error));
  }

  /** A call had an answer. */
  succeeded(transport) {
    this.#set(transport, { way: undefined, credential: undefined, works: true });
  }

  /** There was a credential to send. Whether it is good, only a server can say. */
  obtained() {
    const over = this.#unobtained.has(Object(this.#credential)) || isFileError(this.#credential);
    if (over) this.#set(undefined, { way: this.#ways.get(undefined), credential: undefined, works: false });
  }

  /**
   * A call failed.
   *
   * @param transport undefined if there was no credential to send, to wherever
   * @param isSettings there was no client to call with: whatever it is, it is everybody's
   * @param isForeign it was about another application, so a key that is refused may be good for the network's own
   */
  failed(transport, error, { isSettings = false, isForeign = false } = {}) {
    const { kind, grpcCode, httpStatus } = Object(error);
    if (kind === 'cancelled') return;
    if (CREDENTIAL.has(kind) || isFileError(error)) {
      // One without a status was never sent, or is the account server's.
      if ((grpcCode ?? httpStatus) !== undefined) this.#reached(transport);
      if (isForeign && kind === 'invalid-key') return;
      if (isSettings) this.#unobtained.add(Object(error));
      this.#shared.add(Object(error));
      this.#set(transport, { way: this.#ways.get(transport), credential: error, works: this.works(transport) });
    } else if (CONNECTION.has(kind) || isSettings) {
      this.#shared.add(Object(error));
      this.#set(transport, { way: error, credential: this.#credential, works: false });
    } else if (ACCEPTED.has(kind)) {
      this.succeeded(transport);
    } else if (REACHED.has(kind)) {
      this.#reached(transport);
    }
  }

  #reached(transport) {
    this.#set(transport, { way: undefined, credential: this.#credential, works: true });
  }

  #set(transport, { way, credential, works }) {
    const same = way === this.#ways.get(transport) && credential === this.#credential && works === this.works(transport);
    if (same) return;
    if (way) this.#ways.set(transport, way);
    else this.#ways.delete(transport);
    this.#credential = credential;
    if (works) this.#working.add(transport);
    else this.#working.delete(transport);
    this.#changed();
  }
}

module.exports = { Health };
