'use strict';

const { Client } = require('../../index.js');
const { credentialOf } = require('./credential');
const { isHere, tokensOf } = require('./exchange');
const { Problem, invalid } = require('./problem');
const { milliseconds, perSecond, present } = require('./setting');

const SCHEMES = { grpc: /^grpcs?:\/\//, http: /^https?:\/\// };

/**
 * What a ttn-credentials node holds: a credential, where it may go, and one client for each transport, shared by all
 * request nodes that use it.
 */
class Network {
  #settings;
  #secrets;
  #host;
  #sent;
  #clients = new Map();
  #closed = false;

  /**
   * Throws nothing; `client` does.
   *
   * @param settings the node's properties
   * @param secrets its password credentials
   * @param host what Node-RED knows: `variable(name)`, an environment variable as this node sees it, undefined if it is
   *   not set; `path(text)`, where a relative path leads
   */
  constructor(settings, secrets, host) {
    this.#settings = settings;
    this.#secrets = secrets;
    this.#host = host;
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
    const { ca, allowInsecure, rateLimit, timeout } = this.#settings;
    const client = new Client({
      address: this.#address(transport),
      ...this.#authentication(),
      ca: present(ca),
      timeout: milliseconds(timeout),
      rateLimit: perSecond(rateLimit),
      allowInsecure: allowInsecure === true,
    });
    this.#clients.set(transport, client);
    return client;
  }

  /**
   * What carries the credentials: `authorization` as a header, `token` or `key` as metadata. It holds the secret; of a key
   * that is exchanged here, the token that is good now.
   *
   * @param form 'header' or 'metadata'
   */
  async headers(form) {
    if (this.#closed) throw new Problem('AUTH_CANCELLED', 'closed');
    const { credentials, tokenSource } = this.#authentication();
    const sent = tokenSource ?? credentials;
    return form === 'header' ? sent.headers() : sent.metadata();
  }

  /** Throws what would make `headers` fail, as far as that can be told without asking, and if a transport has no address. */
  ready(transport) {
    this.#authentication();
    if (transport) this.#address(transport);
  }

  /** Throws if no credential may be sent to this address; connects to nothing. */
  admit(address) {
    new Client({ address, allowInsecure: this.#settings.allowInsecure === true }).close();
  }

  #address(transport) {
    const text = present(this.#settings[`${transport}Address`]);
    if (!text) throw invalid(`${transport}-address-missing`);
    return withScheme(text, transport);
  }

  /** What all clients send, made once: a key is exchanged once, a file watched once. */
  #authentication() {
    if (this.#sent) return this.#sent;
    const credentials = credentialOf(this.#settings, this.#secrets.secret, this.#host);
    const here = isHere(this.#settings);
    this.#sent = here ? { tokenSource: tokensOf(this.#settings, this.#secrets, credentials, this.#host) } : { credentials };
    return this.#sent;
  }

  /** Aborts what is in flight and drops the connections. */
  close() {
    this.#closed = true;
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
    this.#sent = undefined;
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
