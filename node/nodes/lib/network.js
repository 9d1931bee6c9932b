'use strict';

const { Client, Credentials } = require('../../index.js');
const { Problem, invalid } = require('./problem');
const { milliseconds, present, unset } = require('./setting');

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
    const client = new Client({
      address: this.#address(transport),
      credentials: this.#credentials(),
      ca: present(ca),
      timeout: milliseconds(timeout),
      allowInsecure: allowInsecure === true,
    });
    this.#clients.set(transport, client);
    return client;
  }

  #address(transport) {
    const text = present(this.#settings[`${transport}Address`]);
    if (!text) throw invalid(`${transport}-address-missing`);
    return withScheme(text, transport);
  }

  #credentials() {
    const secret = present(this.#secret, 'AUTH_MISSING_CREDENTIALS');
    if (!secret) throw new Problem('AUTH_MISSING_CREDENTIALS', 'secret-missing');
    if (this.#settings.kind !== 'access-key') return Credentials.bearerToken(secret);
    // It only describes the key. Calls that need an application refuse an unset variable; others work without one.
    const appId = unset(this.appId) === undefined ? this.appId : undefined;
    return Credentials.accessKey(secret, { appId });
  }

  /** Aborts what is in flight and drops the connections. */
  close() {
    this.#closed = true;
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }
}

/** People paste `host:1904` or `https://host` here. Without a scheme it is TLS: the safe guess, never plaintext. */
function withScheme(text, transport) {
  const address = text.trim().replace(/^[a-z][a-z0-9+.-]*:\/\//i, (scheme) => scheme.toLowerCase());
  if (SCHEMES[transport].test(address)) return address;
  const swapped = transport === 'grpc' ? address.replace(/^http/, 'grpc') : address.replace(/^grpc/, 'http');
  if (SCHEMES[transport].test(swapped)) return swapped;
  return address.includes('://') ? address : `${transport === 'grpc' ? 'grpcs' : 'https'}://${address}`;
}

module.exports = { Network, withScheme };
