'use strict';

const { Client } = require('../../index.js');
const { Clients } = require('./clients');
const { credentialOf } = require('./credential');
const { checkDiscovery, discover, isDiscovered } = require('./discovery');
const { isHere, tokensOf } = require('./exchange');
const { Expiry } = require('./expiry');
const { Health } = require('./health');
const { Problem, invalid } = require('./problem');
const { milliseconds, perSecond, present, whole, withScheme } = require('./setting');
const { certificatesOf } = require('./tls');

/** Kinds of errors after which a Handler that was discovered may be elsewhere, or have another certificate. */
const MOVED = new Set(['unavailable', 'tls']);

/**
 * What a ttn-credentials node holds: a credential, where it may go, one client for each transport, shared by all request
 * nodes that use it, and what their calls have shown.
 */
class Network {
  #settings;
  #secrets;
  #host;
  #sent;
  #users = new Set();
  #clients = new Clients(
    (transport, signal) => this.#make(transport, signal),
    (transport, error) => MOVED.has(error?.kind) && !this.#address(transport),
  );
  #closed = false;
  #health = new Health(() => this.#push());
  #expiry;

  /**
   * Throws nothing; `client` does.
   *
   * @param settings the node's properties
   * @param secrets its password credentials
   * @param host what Node-RED knows: `variable(name)`, an environment variable as this node sees it, undefined if it is
   *   not set; `path(text)`, where a relative path leads; `node(id)`, another config node, null if there is none
   * @param clock `now`, `setTimeout` and `clearTimeout`
   */
  constructor(settings, secrets, host, clock) {
    this.#settings = settings;
    this.#secrets = secrets;
    this.#host = host;
    this.#expiry = new Expiry(() => this.#expiresAt(), () => this.#push(), clock);
  }

  /** The application that calls mean unless they name another. */
  get appId() {
    return this.#settings.appId || undefined;
  }

  /**
   * The transport's client. Rejects with a `Problem` or an `AuthError` that says what is wrong with the settings, or why
   * its address could not be discovered.
   */
  client(transport) {
    return this.#clients.get(transport);
  }

  /**
   * Makes a call with the transport's client, and learns from what comes of it.
   *
   * @param call is given the client
   * @param appId the application that the call is about, if that is known
   */
  async use(transport, call, { appId } = {}) {
    let isSettings = true;
    try {
      const answer = await this.#clients.use(transport, (client) => {
        isSettings = false;
        return call(client);
      });
      this.#expiry.taken();
      this.#health.succeeded(transport);
      return answer;
    } catch (error) {
      const isForeign = Boolean(appId && this.appId && appId !== this.appId);
      this.#health.failed(transport, error, { isSettings, isForeign });
      throw error;
    }
  }

  /**
   * What carries the credentials: `authorization` as a header, `token` or `key` as metadata. It holds the secret; of a key
   * that is exchanged here, the token that is good now.
   *
   * @param form 'header' or 'metadata'
   */
  async headers(form) {
    if (this.#closed) throw new Problem('AUTH_CANCELLED', 'closed');
    try {
      const { credentials, tokenSource } = this.#authentication();
      const sent = tokenSource ?? credentials;
      const headers = await (form === 'header' ? sent.headers() : sent.metadata());
      this.#health.obtained();
      return headers;
    } catch (error) {
      this.#health.failed(undefined, error, { isSettings: true });
      throw error;
    }
  }

  /** Throws if no credential may be sent to this address; connects to nothing. */
  admit(address) {
    new Client({ address, allowInsecure: this.#settings.allowInsecure === true }).close();
  }

  /** Sees what would make `headers` fail, or with a transport its client, without asking anybody, for `state` to tell. */
  check(transport) {
    if (this.#closed) return;
    try {
      if (!transport) return void this.#authentication();
      const [address, options] = [this.#address(transport), this.#options()];
      if (address) new Client({ address, ...options }).close();
      else checkDiscovery(this.#settings, options);
    } catch (error) {
      this.#health.failed(transport, error, { isSettings: true });
    }
  }

  /**
   * What there is to show: whether the transport, if one is meant, `works`, the `problem` of everybody, what is `left` of the
   * token.
   */
  state(transport) {
    return { works: this.#health.works(transport), problem: this.#health.problem(transport), left: this.#expiry.left() };
  }

  /** Whether an error concerns everybody, and is told by `state` as long as it does. */
  concernsAll(error) {
    return this.#health.concernsAll(error);
  }

  /** Calls `user` whenever `state` has changed, until it leaves or the network is closed. */
  join(user) {
    this.#users.add(user);
  }

  leave(user) {
    this.#users.delete(user);
    if (this.#users.size === 0) this.#expiry.close();
  }

  #push() {
    for (const user of this.#users) user();
  }

  #make(transport, signal) {
    const [address, options] = [this.#address(transport), this.#options()];
    return address ? new Client({ address, ...options }) : discover(this.#settings, { transport, signal, ...options });
  }

  #options() {
    const { ca, tls, allowInsecure, rateLimit, timeout } = this.#settings;
    return {
      ...this.#authentication(),
      ca: tls ? certificatesOf(this.#host.node(tls)) : present(ca),
      timeout: milliseconds(timeout),
      rateLimit: perSecond(rateLimit),
      allowInsecure: allowInsecure === true,
    };
  }

  /** The address that is entered; undefined if it is to be discovered. */
  #address(transport) {
    const text = whole(this.#settings[`${transport}Address`]);
    if (text) return withScheme(text, transport);
    if (!isDiscovered(this.#settings)) throw invalid(`${transport}-address-missing`);
    return undefined;
  }

  /** What all clients send, made once: a key is exchanged once, a file watched once. */
  #authentication() {
    if (this.#sent) return this.#sent;
    const credentials = credentialOf(this.#settings, this.#secrets.secret, this.#host);
    const here = isHere(this.#settings);
    this.#sent = here ? { tokenSource: tokensOf(this.#settings, this.#secrets, credentials, this.#host) } : { credentials };
    return this.#sent;
  }

  /** When the token ends that is sent: of a file, the one in it now. One that is exchanged for here is renewed. */
  #expiresAt() {
    try {
      return this.#sent?.credentials?.describe().expiresAt;
    } catch {
      // The file cannot be read now: calls say so.
      return undefined;
    }
  }

  /** Aborts what is in flight and drops the connections. Nobody is called any more. */
  close() {
    this.#closed = true;
    this.#users.clear();
    this.#expiry.close();
    this.#clients.close();
    this.#sent = undefined;
  }
}

module.exports = { Network };
