'use strict';

const { Client } = require('../../index.js');
const { Clients } = require('./clients');
const { credentialOf, refreshTokenOf } = require('./credential');
const { checkDiscovery, discover, isDiscovered } = require('./discovery');
const { isHere, isRefresh, renewedTokens, tokensOf } = require('./exchange');
const { Expiry } = require('./expiry');
const { Health } = require('./health');
const { Problem, invalid } = require('./problem');
const { milliseconds, perSecond, present, whole, withScheme } = require('./setting');
const { IDENTITY, clusterAddress, clusterOf, isStack, stackAddress } = require('./stack');
const { Term } = require('./term');
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
    (way, signal) => this.#make(way, signal),
    (way, error) => MOVED.has(error?.kind) && !this.#address(way),
  );
  #closed = false;
  #health = new Health(() => this.#push());
  #term;
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
    this.#term = new Term(() => this.#push(), clock);
    this.#expiry = new Expiry(() => this.#expiresAt(), () => this.#push(), clock);
  }

  /** Whether it is The Things Stack; V2 else. Throws a `Problem` for a setting that is neither. */
  get isStack() {
    return isStack(this.#settings);
  }

  /** The application that calls mean unless they name another. */
  get appId() {
    return this.#settings.appId || undefined;
  }

  /**
   * The transport's client. Rejects with a `Problem` or an `AuthError` that says what is wrong with the settings, or why
   * its address could not be discovered.
   *
   * @param identity for calls of The Things Stack's Identity Server, which not every public cluster has
   */
  async client(transport, { identity = false } = {}) {
    return this.#clients.get(this.#way(transport, identity));
  }

  /**
   * Makes a call with the transport's client, and learns from what comes of it.
   *
   * @param call is given the client
   * @param appId the application that the call is about, if that is known
   * @param identity as of `client`
   */
  async use(transport, call, { appId, identity = false } = {}) {
    let isSettings = true;
    try {
      const answer = await this.#clients.use(this.#way(transport, identity), (client) => {
        isSettings = false;
        return call(client);
      });
      this.answered(transport);
      return answer;
    } catch (error) {
      const isForeign = Boolean(appId && this.appId && appId !== this.appId);
      this.#health.failed(transport, error, { isSettings, isForeign });
      throw error;
    }
  }

  /** A server has answered over this transport, and so has taken the credential. */
  answered(transport) {
    if (this.#closed) return;
    this.#expiry.taken();
    this.#health.succeeded(transport);
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

  /** The Things Stack's server that knows whose a credential is, for who lets callers in. Throws a `Problem` if none is entered. */
  identityServer() {
    const at = (transport) => this.#address(this.#way(transport, true));
    const hasGrpc = clusterOf(this.#settings) || present(this.#settings.grpcAddress);
    return { address: at(hasGrpc ? 'grpc' : 'http'), ca: this.#certificates(), allowInsecure: this.#settings.allowInsecure === true };
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
      this.#askTerm(transport);
    } catch (error) {
      this.#health.failed(transport, error, { isSettings: true });
    }
  }

  /**
   * What there is to show: whether the transport, if one is meant, `works`, the `problem` of everybody, what is `left` of the
   * token, or with `isKey` of the API key.
   */
  state(transport) {
    if (this.#health.works(transport)) this.#askTerm(transport);
    const left = this.#expiry.left();
    const isKey = this.#sent?.credentials?.kind === 'api-key';
    return { works: this.#health.works(transport), problem: this.#health.problem(transport), left: left && isKey ? { ...left, isKey } : left };
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

  #make(way, signal) {
    const [address, options] = [this.#address(way), this.#options()];
    return address ? new Client({ address, ...options }) : discover(this.#settings, { transport: way, signal, ...options });
  }

  #options() {
    const { allowInsecure, rateLimit, timeout } = this.#settings;
    return {
      ...this.#authentication(),
      ca: this.#certificates(),
      timeout: milliseconds(timeout),
      rateLimit: perSecond(rateLimit),
      allowInsecure: allowInsecure === true,
    };
  }

  #certificates() {
    const { ca, tls } = this.#settings;
    return tls ? certificatesOf(this.#host.node(tls)) : present(ca);
  }

  /** The address that is entered, or chosen; undefined if it is to be discovered. */
  #address(way) {
    const [transport, identity] = way.split(' ');
    const cluster = isStack(this.#settings) && clusterOf(this.#settings);
    if (cluster) return clusterAddress(identity ? IDENTITY : cluster, transport);
    const text = whole(this.#settings[`${transport}Address`]);
    if (text) return isStack(this.#settings) ? stackAddress(text, transport) : withScheme(text, transport);
    if (!isDiscovered(this.#settings)) throw invalid(`${transport}-address-missing`);
    return undefined;
  }

  /** The name of a client: of another one where another cluster has the Identity Server. */
  #way(transport, identity) {
    const cluster = identity && isStack(this.#settings) ? clusterOf(this.#settings) : undefined;
    return cluster && cluster !== IDENTITY ? `${transport} identity` : transport;
  }

  /** What all clients send, made once: a key is exchanged once, a file watched once. */
  #authentication() {
    if (this.#sent) return this.#sent;
    if (isRefresh(this.#settings)) {
      const refreshToken = refreshTokenOf(this.#settings, this.#secrets.secret, this.#host);
      const at = { address: this.#address(this.#way('http', true)), ca: this.#certificates(), host: this.#host };
      this.#sent = { tokenSource: renewedTokens(this.#settings, this.#secrets, refreshToken, at) };
      return this.#sent;
    }
    const credentials = credentialOf(this.#settings, this.#secrets.secret, this.#host);
    const here = isHere(this.#settings);
    this.#sent = here ? { tokenSource: tokensOf(this.#settings, this.#secrets, credentials, this.#host) } : { credentials };
    return this.#sent;
  }

  /** Asks when a credential of The Things Stack ends, which does not tell it itself: of nobody who asks for nothing else. */
  #askTerm(transport) {
    if (this.#closed || !this.#sent?.credentials || !isStack(this.#settings)) return;
    const ask = () => this.use(transport, (client) => client.authInfo(), { identity: true });
    try {
      this.#term.ask(this.#sent.credentials.describe().id, ask);
    } catch {
      // The file cannot be read now: calls say so.
    }
  }

  /** When the token or key ends that is sent: of a file, the one in it now. One that is exchanged for here is renewed. */
  #expiresAt() {
    try {
      const { expiresAt, id } = this.#sent?.credentials?.describe() ?? {};
      return expiresAt ?? this.#term.of(id);
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
