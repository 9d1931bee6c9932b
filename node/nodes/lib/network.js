'use strict';

const { Client, Credentials } = require('../../index.js');
const { Problem, invalid } = require('./problem');

const SCHEMES = { grpc: /^grpcs?:\/\//, http: /^https?:\/\// };

/**
 * What a ttn-credentials node holds: a credential, where it may go, and one client for each transport, shared by all
 * request nodes that use it.
 */
class Network {
  #settings;
  #secret;
  #clients = new Map();
  #closed = false;

  /** `settings` are the node's properties, `secret` its password credential. Throws nothing; `client` does. */
  constructor(settings, secret) {
    this.#settings = settings;
    this.#secret = secret;
  }

  /** The application that calls mean unless they name another. */
  get appId() {
    return this.#settings.appId || undefined;
  }

  /** The transport's client. Throws a `Problem` or an `AuthError` that says what is wrong with the settings. */
  client(transport) {
    if (this.#closed) throw new Problem('AUTH_CANCELLED', 'closed');
    const made = this.#clients.get(transport);
    if (made) return made;
    const { ca, allowInsecure, timeout } = this.#settings;
    const limit = timeout === '' || timeout === undefined ? undefined : Number(timeout);
    if (limit !== undefined && !(limit > 0 && limit <= 2 ** 31)) throw invalid('timeout');
    const client = new Client({
      address: this.#address(transport),
      credentials: this.#credentials(),
      ca: present(ca, 'ca'),
      timeout: limit,
      allowInsecure: allowInsecure === true,
    });
    this.#clients.set(transport, client);
    return client;
  }

  #address(transport) {
    const text = present(this.#settings[`${transport}Address`], 'address');
    if (!text) throw invalid(`${transport}-address-missing`);
    return withScheme(text, transport);
  }

  #credentials() {
    const secret = present(this.#secret, 'secret');
    if (!secret) throw new Problem('AUTH_MISSING_CREDENTIALS', 'secret-missing');
    return this.#settings.kind === 'access-key'
      ? Credentials.accessKey(secret, { appId: present(this.#settings.appId, 'appId') })
      : Credentials.bearerToken(secret);
  }

  /** Aborts what is in flight and drops the connections. */
  close() {
    this.#closed = true;
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }
}

/**
 * The text, or undefined if it is empty. Node-RED leaves `${NAME}` as it is when the variable is not set; used literally
 * it would be sent to the network as the secret.
 */
function present(value, what) {
  if (value === undefined || value === null || value === '') return undefined;
  const text = String(value);
  const unset = /^\$(?:\{([^}]+)\}|\(([^)]+)\))$/.exec(text.trim());
  if (unset) throw new Problem(what === 'secret' ? 'AUTH_MISSING_CREDENTIALS' : 'AUTH_INVALID_ARGUMENT', 'variable', {
    name: unset[1] || unset[2],
  });
  return text;
}

/** People paste `host:1904` or `https://host` here. Without a scheme it is TLS: the safe guess, never plaintext. */
function withScheme(text, transport) {
  const address = text.trim();
  if (SCHEMES[transport].test(address)) return address;
  const swapped = transport === 'grpc' ? address.replace(/^http/, 'grpc') : address.replace(/^grpc/, 'http');
  if (SCHEMES[transport].test(swapped)) return swapped;
  return address.includes('://') ? address : `${transport === 'grpc' ? 'grpcs' : 'https'}://${address}`;
}

module.exports = { Network, withScheme };
