'use strict';

const { Authenticator } = require('../../index.js');
const { UNABLE, hasCaller, takeCredentials } = require('./caller');
const { accountServer, pair } = require('./exchange');
const { Problem, invalid } = require('./problem');
const { milliseconds, present } = require('./setting');

/** What a caller can be asked for on an application (wire.md, section 2). */
const RIGHTS = ['settings', 'delete', 'collaborators', 'devices', 'messages:up:r', 'messages:up:w', 'messages:down:w'];

/** What of The Things Stack's rights a caller can be asked for, and is told. V2's names stand for them, too. */
const STACK_RIGHTS = [
  'INFO', 'SETTINGS_BASIC', 'SETTINGS_API_KEYS', 'SETTINGS_COLLABORATORS', 'SETTINGS_PACKAGES', 'DELETE', 'DEVICES_READ', 'DEVICES_WRITE',
  'DEVICES_READ_KEYS', 'DEVICES_WRITE_KEYS', 'TRAFFIC_READ', 'TRAFFIC_UP_WRITE', 'TRAFFIC_DOWN_WRITE', 'LINK', 'ALL',
].map((name) => `RIGHT_APPLICATION_${name}`);

/** The setting for callers who need no right: whoever they are, they are known. */
const ANY = 'any';

/** The issuer of the public network's credentials. */
const PUBLIC = 'ttn-account-v2';

/** How many callers may wait for an account server. Each holds its request's body, which http in has read already. */
const WAITING = 1000;

/**
 * How long a caller waits, in milliseconds, when that many wait already. A token, and a key that was exchanged before, is
 * checked here, in less.
 */
const BRIEFLY = 250;

/**
 * Who may pass: whoever shows a token or a key of the issuer's with the right. Errors that are the caller's business have
 * an `answer`, as the core's do; any other error is a fault of the flow or of this package.
 */
class Guard {
  #rule;
  #fault;
  #most;
  #waiting = new Set();
  #closed = false;

  /**
   * Throws nothing; `fault` says what is wrong with the settings.
   *
   * @param settings the node's properties
   * @param secrets its password credentials
   * @param host what Node-RED knows: `path(text)`, where a relative path leads; `node(id)`, another config node
   * @param most how many callers may wait at once
   */
  constructor(settings, secrets, host, most = WAITING) {
    this.#most = most;
    try {
      this.#rule = ruleOf(settings, secrets, host);
    } catch (error) {
      this.#fault = error;
    }
  }

  /** What is wrong with the settings, or undefined. Nobody passes then. */
  get fault() {
    return this.#fault;
  }

  get closed() {
    return this.#closed;
  }

  /**
   * Takes the credentials off the message's request. Resolves to `msg.auth` if they are good enough; rejects in every
   * other case.
   */
  async admit(msg) {
    if (!hasCaller(msg)) throw invalid('no-caller');
    const headers = takeCredentials(msg.req);
    if (this.#fault) throw this.#fault;
    if (this.#closed) throw refusal(new Problem('AUTH_CANCELLED', 'closed'));
    const { authenticator, rights, right, fixed } = this.#rule;
    const appId = fixed ? fixed.appId : fromPath(msg.req);
    try {
      const claims = await this.#untilClosed(authenticator.authenticate(headers, right ? { appId, right } : { appId }));
      return authOf(authenticator, claims, appId, rights);
    } catch (error) {
      // Nothing that a caller sends is an invalid argument then.
      if (fixed?.appId && error?.code === 'AUTH_INVALID_ARGUMENT') throw invalid('guard-app-form', { name: appId }, error);
      throw error;
    }
  }

  /** The result, or an error: at once when the node is closed, soon when many wait. */
  #untilClosed(result) {
    return new Promise((resolve, reject) => {
      const tooMany = () => reject(refusal(new Problem('AUTH_RATE_LIMITED', 'callers')));
      const timer = this.#waiting.size >= this.#most ? setTimeout(tooMany, BRIEFLY) : undefined;
      this.#waiting.add(reject);
      result.then(resolve, reject).finally(() => {
        clearTimeout(timer);
        this.#waiting.delete(reject);
      });
    });
  }

  /** Nobody passes any more; whoever waits is turned away. */
  close() {
    this.#closed = true;
    for (const reject of this.#waiting) reject(refusal(new Problem('AUTH_CANCELLED', 'closed')));
    this.#waiting.clear();
  }
}

/** A problem of the moment: the caller may come again. */
const refusal = (problem) => Object.assign(problem, { answer: UNABLE });

/** What the settings say. */
function ruleOf(settings, secrets, host) {
  const stack = stackOf(settings, host);
  const rights = stack ? STACK_RIGHTS : RIGHTS;
  // A setting that is missing asks for nothing as well: it must not open the door.
  if (settings.right !== ANY && ![...RIGHTS, ...rights].includes(settings.right)) throw invalid('right');
  const right = settings.right === ANY ? undefined : settings.right;
  const timeout = milliseconds(settings.timeout);
  const rule = (options) => {
    const authenticator = new Authenticator(options);
    return { authenticator, rights, right, fixed: settings.appFrom === 'fixed' ? fixedApp(settings, right) : undefined };
  };
  if (stack) return rule({ stack: { ...stack, timeout } });
  const client = pair(settings.clientId, secrets.clientSecret);
  if (!client) throw invalid('client-both');
  const [clientId, clientSecret] = client;
  const keyDirectory = present(settings.keyDirectory);
  return rule({
    authServers: {
      [present(settings.issuer)?.trim() || PUBLIC]: {
        address: accountServer(settings),
        ca: present(settings.accountCa),
        clientId,
        clientSecret,
      },
    },
    keyDirectory: keyDirectory && host.path(keyDirectory),
    timeout,
  });
}

/** Who is asked about callers of The Things Stack; undefined for V2's, whose account server the guard names itself. */
function stackOf(settings, host) {
  if (!settings.network) return undefined;
  const network = host.node(settings.network)?.network;
  if (!network) throw new Problem('AUTH_MISSING_CREDENTIALS', 'not-configured');
  return network.isStack ? network.identityServer() : undefined;
}

/** The one application for all callers, or none: a token is known without one, a key is not. */
function fixedApp(settings, right) {
  const appId = present(settings.appId);
  if (!appId && right) throw invalid('guard-app-id');
  return { appId };
}

/** The one that the caller's URL names. */
function fromPath({ params }) {
  const appId = params?.app_id;
  if (typeof appId !== 'string') throw invalid('guard-path');
  return appId;
}

/** What the flow is told of whoever passes. A right counts only as the core counts it, scope included. */
function authOf(authenticator, claims, appId, rights) {
  const { kind, subject, expiresAt } = claims;
  const auth = { kind, subject };
  if (appId) Object.assign(auth, { app_id: appId, rights: rights.filter((right) => authenticator.allows(claims, appId, right)) });
  if (expiresAt) auth.expires_at = expiresAt.toISOString();
  return auth;
}

module.exports = { Guard };
