'use strict';

/**
 * Something the nodes themselves refuse, before the core is asked. `key` names its text in the locale's
 * `ttn.problem`, so `translate` gives the message; `code` is one of the core's.
 */
class Problem extends Error {
  constructor(code, key, values = {}) {
    super(key);
    this.name = 'AuthError';
    this.code = code;
    this.key = key;
    this.values = values;
  }

  translate(RED) {
    return RED._(`ttn.problem.${this.key}`, this.values);
  }
}

/** An argument that is not valid. */
const invalid = (key, values) => new Problem('AUTH_INVALID_ARGUMENT', key, values);

/** Kinds where the network, not the credential, is the trouble: shown as a ring. */
const NETWORK = new Set(['unavailable', 'timeout', 'tls', 'exchange-unavailable', 'redirect', 'insecure-transport']);

/** The status under a node for an error. Its text is an i18n key; the editor translates it. */
function statusOf(RED, error) {
  if (error instanceof Problem) {
    // The editor translates a bare key only; a text with a value in it is made here.
    const text = error.key === 'variable' ? error.translate(RED) : `ttn.problem-short.${error.key}`;
    return { fill: 'red', shape: 'ring', text };
  }
  const kind = typeof error?.kind === 'string' ? error.kind : 'internal';
  return { fill: 'red', shape: NETWORK.has(kind) ? 'ring' : 'dot', text: `ttn.status.${kind}` };
}

/**
 * What `done` is given. Node-RED copies only own properties `code`, `cause` and `stack` into `msg.error`, so the hint
 * stands at the end of the message, and the rest in `cause`.
 */
function toNodeError(RED, error) {
  const message = error instanceof Problem ? error.translate(RED) : String(error?.message ?? error);
  const failure = new Error(error?.hint ? `${message} (${error.hint})` : message);
  failure.name = 'AuthError';
  failure.code = error?.code || 'AUTH_INTERNAL';
  failure.hint = error?.hint;
  failure.cause = { message, transient: error?.transient === true };
  for (const name of ['kind', 'hint', 'grpcCode', 'httpStatus']) {
    if (error?.[name] !== undefined) failure.cause[name] = error[name];
  }
  return failure;
}

module.exports = { Problem, invalid, statusOf, toNodeError };
