'use strict';

const { AuthError } = require('../../index.js');

/**
 * Something the nodes themselves refuse, before the core is asked. `key` names its text in the locale's
 * `ttn.problem`, so `translate` gives the message; `code` is one of the core's, and gives the kind.
 */
class Problem extends AuthError {
  constructor(code, key, values = {}, cause) {
    super(key, { code, cause });
    this.key = key;
    this.values = values;
  }

  translate(RED) {
    return RED._(`ttn.problem.${this.key}`, this.values);
  }

  /** What to do about it. Most are a wrong value, which the message names. */
  translateHint(RED) {
    return RED._(this.hintKey);
  }

  get hintKey() {
    return `ttn.hint.${HINTS.has(this.key) ? this.key : 'argument'}`;
  }
}

/** Problems with a hint of their own in the locale's `ttn.hint`. */
const HINTS = new Set([
  'not-configured', 'secret-missing', 'variable', 'variable-part', 'variable-name', 'app-id-needed', 'closed', 'no-caller',
  'account-user', 'guard-path', 'callers', 'host', 'url-missing', 'url-template', 'with-caller', 'discovery-app-id',
  'tls-missing', 'tls-invalid', 'tls-unverified', 'tls-client', 'tls-server-name', 'tls-alpn',
  'secret-elsewhere', 'source-elsewhere', 'variable-undeployed', 'variable-undeployed-unset', 'variable-not-running',
  'secret-of-stack', 'secret-of-v2', 'call-of-v2', 'call-of-stack', 'field-mask-missing', 'events-of-v2', 'test-refresh',
  'address-missing', 'test-app-needed', 'test-timeout', 'test-busy', 'test-request', 'test-unknown',
]);

/** An argument that is not valid. */
const invalid = (key, values, cause) => new Problem('AUTH_INVALID_ARGUMENT', key, values, cause);

/** Kinds where the network, not the credential, is the trouble: shown as a ring. */
const NETWORK = new Set(['unavailable', 'timeout', 'tls', 'exchange-unavailable', 'redirect', 'insecure-transport']);

/** How the core begins what it says of a file with a secret in it; the code is that of any wrong argument or secret. */
const FILE = /^the credentials file /;

/** Whether an error is about the file that a secret should be in. */
const isFileError = (error) => FILE.test(error?.message);

/** The status under a node for an error. Its text is an i18n key; the editor translates it. */
function statusOf(RED, error) {
  if (error instanceof Problem) {
    // The editor translates a bare key only; a text with a value in it is made here.
    const text = error.key === 'variable' ? error.translate(RED) : `ttn.problem-short.${error.key}`;
    return { fill: 'red', shape: 'ring', text };
  }
  if (isFileError(error)) return { fill: 'red', shape: 'ring', text: 'ttn.status.file' };
  const { kind } = Object(error);
  return { fill: 'red', shape: NETWORK.has(kind) ? 'ring' : 'dot', text: statusKey(Object(error)) };
}

/** The text of an error's kind. What is refused with details is a key of The Things Stack: V2's errors have none. */
function statusKey({ kind, details }) {
  if (typeof kind !== 'string') return 'ttn.status.internal';
  return kind === 'invalid-key' && details ? 'ttn.status.api-key-refused' : `ttn.status.${kind}`;
}

/**
 * What `done` is given. Node-RED copies only own properties `code`, `cause` and `stack` into `msg.error`, so the hint
 * stands at the end of the message, and the rest in `cause`.
 */
function toNodeError(RED, error) {
  const own = error instanceof Problem;
  // Anything else than an AuthError is a mistake of this package, and gets the kind for it.
  const { code, kind, transient, grpcCode, httpStatus } = error instanceof AuthError ? error : new AuthError('');
  const message = own ? error.translate(RED) : String(error?.message ?? error);
  const hint = own ? error.translateHint(RED) : error?.hint;
  const failure = new Error(hint ? `${message} (${hint})` : message);
  failure.name = 'AuthError';
  failure.code = code;
  failure.hint = hint;
  failure.cause = { message, kind, transient };
  for (const [name, value] of Object.entries({ hint, grpcCode, httpStatus })) {
    if (value !== undefined) failure.cause[name] = value;
  }
  return failure;
}

/** The same as `msg.error`, as a catch node has it. */
function toMessageError(RED, { id, type, name }, error) {
  const { message, code, cause } = toNodeError(RED, error);
  return { message, code, cause, source: { id, type, name } };
}

/** What the editor is told, as keys of the locale where there are such: it has a language of its own. */
function toReport(error) {
  if (error instanceof Problem) {
    const { code, key, values, hintKey } = error;
    return { code, key: `ttn.problem.${key}`, values, hintKey };
  }
  const known = error instanceof AuthError ? error : new AuthError(String(error?.message ?? error));
  const { code, message, hint } = known;
  return { code, key: statusKey(known), message, hint };
}

module.exports = { Problem, invalid, isFileError, statusOf, toMessageError, toNodeError, toReport };
