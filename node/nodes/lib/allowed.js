'use strict';

const { Client } = require('../../index.js');
const { Problem, invalid } = require('./problem');
const { present, unset } = require('./setting');

/** How the calls travel for which credentials are put in a place. */
const TRANSPORTS = { header: 'http', metadata: 'grpc' };

/**
 * `http://` or `https://` and a host, as the core's http request node passes it on: it would put `http://` in front of
 * anything else, letter case included. Other parsers take a backslash, or a tab, for something else than it does.
 */
const HTTP = /^https?:\/\/[^/?#\\\0-\x1f\x7f][^\\\0-\x1f\x7f]*$/;

/** Without a scheme the port has to be there: what other nodes take for it differs. */
const GRPC = /^(?:grpcs?:\/\/[^\s/\\@?#{}]+|[^\s/\\@?#{}]+:\d+)$/;

/**
 * Where the credentials of a network may go: its own host, and those that are entered. Hosts are compared with their
 * ports, as they are read by whoever connects; `host` alone stands for the port that belongs to the URL's scheme.
 */
class Allowed {
  #form;
  #hosts;
  #read = new Map();

  /**
   * Throws a `Problem` for a host that is none.
   *
   * @param form what the credentials are put on: 'header' or 'metadata'
   * @param hosts text, with commas or blanks between
   * @param variable gives an environment variable's value
   */
  constructor(form, hosts, variable) {
    this.#form = form;
    this.#hosts = words(present(hosts)).flatMap((word) => valuesOf(word, variable)).map(hostOf);
    this.#known(form === 'header' ? 'https' : 'grpcs');
  }

  /** The transport whose address the network has to have: without it nothing could be allowed. */
  get needs() {
    return this.#form === 'header' && this.#hosts.length === 0 ? TRANSPORTS.header : undefined;
  }

  /** Throws unless the network's credentials may be sent to `url`. */
  async check(url, network) {
    const wanted = this.#form === 'header' ? httpAddress(url) : grpcAddress(url);
    if (wanted === undefined) return;
    const [scheme] = wanted.split('://');
    const address = canonical(wanted);
    if (!this.#known(scheme).has(address) && (await this.#ofNetwork(network, scheme)) !== address) {
      throw invalid('host', { name: address.split('://')[1] });
    }
    network.admit(address);
  }

  /** The entered hosts under a scheme. */
  #known(scheme) {
    if (!this.#read.has(scheme)) this.#read.set(scheme, new Set(this.#hosts.map((host) => entry(scheme, host))));
    return this.#read.get(scheme);
  }

  /** The network's own host under a scheme. A network without an address leaves the entered ones. */
  async #ofNetwork(network, scheme) {
    const transport = TRANSPORTS[this.#form];
    try {
      return canonical((await network.client(transport)).address.replace(/^\w+/, scheme));
    } catch (error) {
      if (this.#hosts.length > 0 && error instanceof Problem && error.key === `${transport}-address-missing`) return undefined;
      throw error;
    }
  }
}

const words = (text = '') => text.split(/[\s,;]+/).filter(Boolean);

/** Node-RED puts a variable's value in the place of a whole setting only. */
function valuesOf(word, variable) {
  const name = unset(word);
  return name === undefined ? [word] : words(present(variable(name) || word));
}

/** People paste an address here. */
function hostOf(text) {
  const host = text.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').replace(/\/$/, '');
  // A * would be no host's, and look as if it were all of them.
  if (!host || /[/\\@?#*{}]/.test(host)) throw invalid('host-form', { name: text });
  return host;
}

function entry(scheme, host) {
  try {
    return canonical(`${scheme}://${host}`);
  } catch (error) {
    throw invalid('host-form', { name: host }, error);
  }
}

/**
 * An address as whoever connects reads it, its port written out. The core knows the ports; HTTP clients of JavaScript
 * read the rest as `new URL` does.
 */
function canonical(address) {
  // It connects to nothing.
  const client = new Client({ address: address.startsWith('http') ? new URL(address).origin : address, allowInsecure: true });
  client.close();
  return client.address;
}

/** What the http request node would call. */
function httpAddress(url) {
  if (url === undefined || url === null || url === '') throw invalid('url-missing');
  if (typeof url !== 'string') throw invalid('url-text');
  if (url.includes('{{')) throw invalid('url-template');
  if (!HTTP.test(url)) throw invalid('url-http');
  // The http request node would send these in place of the credentials.
  if (/^[^/]*\/\/[^/?#]*@/.test(url)) throw invalid('url-user');
  try {
    return new URL(url).origin;
  } catch (error) {
    throw invalid('url-http', {}, error);
  }
}

/** What another node would call; undefined if it knows that itself. */
function grpcAddress(url) {
  if (url === undefined || url === null || url === '') return undefined;
  if (typeof url !== 'string') throw invalid('url-text');
  if (!GRPC.test(url)) throw invalid('url-grpc');
  return url.includes('://') ? url : `grpcs://${url}`;
}

module.exports = { Allowed };
