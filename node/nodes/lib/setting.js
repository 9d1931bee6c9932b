'use strict';

const { Problem, invalid } = require('./problem');

/** Node-RED leaves `${NAME}` as it is when the variable is not set. */
const VARIABLE = /^\$(?:\{([^}]+)\}|\(([^)]+)\))$/;

/** And where it is a part of a text, whether it is set or not. */
const PART = /\$\{([^}]*)\}/;

/** The longest time limit, in ms: what the core's timers take. */
const LONGEST = 2 ** 31;

/** The most calls a second: what the core's number holds. */
const MOST = 2 ** 32 - 1;

/** Calls of one node at once unless it says otherwise. HTTP/2 carries many more; the server's limit of 5 a second does not. */
const AT_ONCE = 16;

/** The most of them. The core has as many HTTP connections to a server, for all nodes together: more would wait there. */
const MOST_AT_ONCE = 256;

/** The name of the environment variable that should have filled a setting and is not set, or undefined. */
function unset(value) {
  const match = typeof value === 'string' ? VARIABLE.exec(value.trim()) : null;
  return match ? match[1] || match[2] : undefined;
}

/**
 * The text of a setting, or undefined if it is empty. Refuses an unset variable by its name: used literally it would be
 * sent to the network, as the secret for one.
 */
function present(value, code = 'AUTH_INVALID_ARGUMENT') {
  if (value === undefined || value === null || value === '') return undefined;
  const name = unset(value);
  if (name !== undefined) throw new Problem(code, 'variable', { name });
  return String(value);
}

/** The same of a setting that is no secret and cannot have `${…}` in it: somebody expects a variable to be put there. */
function whole(value) {
  const text = present(value);
  const match = PART.exec(text ?? '');
  if (match) throw invalid('variable-part', { name: match[1] });
  return text;
}

/** A time limit in ms, of a setting or a message; undefined if none is given. */
function milliseconds(value) {
  if (value === undefined || value === null) return undefined;
  // Number() throws for a symbol, and makes 1 of true and of [1].
  if (typeof value !== 'number' && typeof value !== 'string') throw invalid('timeout');
  const text = present(value);
  if (text === undefined) return undefined;
  const ms = Number(text);
  if (!(ms > 0 && ms <= LONGEST)) throw invalid('timeout');
  return ms;
}

/** A number of calls a second; undefined if there is no limit. */
function perSecond(value) {
  const text = present(value);
  if (text === undefined) return undefined;
  const calls = Number(text);
  if (!Number.isInteger(calls) || calls < 1 || calls > MOST) throw invalid('rate-limit');
  return calls;
}

/** How many calls a node makes at once. */
function callsAtOnce(value) {
  const text = present(value);
  if (text === undefined) return AT_ONCE;
  const calls = Number(text);
  if (!Number.isInteger(calls) || calls < 1 || calls > MOST_AT_ONCE) throw invalid('at-once', { most: MOST_AT_ONCE });
  return calls;
}

/** Whether answers leave in the order of their messages. Flows that are older than the setting let them go as they come. */
function isKept(value) {
  const text = present(value);
  if (text !== undefined && text !== 'kept') throw invalid('order');
  return text === 'kept';
}

const SCHEMES = { grpc: /^grpcs?:\/\//, http: /^https?:\/\// };

/** People paste `host:1904` or `https://host` here. Without a scheme it is TLS: the safe guess, never plaintext. */
function withScheme(text, transport) {
  const address = text.trim().replace(/^[a-z][a-z0-9+.-]*:\/\//i, (scheme) => scheme.toLowerCase());
  if (SCHEMES[transport].test(address)) return address;
  const swapped = transport === 'grpc' ? address.replace(/^http/, 'grpc') : address.replace(/^grpc/, 'http');
  if (SCHEMES[transport].test(swapped)) return swapped;
  return address.includes('://') ? address : `${transport === 'grpc' ? 'grpcs' : 'https'}://${address}`;
}

module.exports = { callsAtOnce, isKept, milliseconds, perSecond, present, unset, withScheme, whole };
