'use strict';

const native = require('../../load.js').load();
const { isPlain } = require('../../request.js');
const { invalid } = require('./problem');

/** Where a message carries a credential, and the names that the core finds one under. */
const PLACES = {
  header: { property: 'headers', names: native.credentialNames('header') },
  metadata: { property: 'metadata', names: native.credentialNames('metadata') },
};

/** What carries one of The Things Stack, in either place. */
const STACK = 'authorization';

/** What the core's http request node puts at the end of an answer's headers. */
const ANSWERED = 'x-node-red-request-node';

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && isPlain(value);

/** The properties that are no credentials, as a new object: another message may share the old one. */
const without = (given, names, properties = Object.keys(given)) =>
  Object.fromEntries(properties.filter((name) => !names.includes(name.toLowerCase())).map((name) => [name, given[name]]));

/**
 * What is sent besides a credential. Not the headers of an earlier answer, which an http request node leaves on the
 * message: with a credential beside them, the next one would take them for the request's, content-length included. What
 * the flow has added to them stands behind the mark.
 */
function rest(given, { property, names }) {
  if (given === undefined || given === null) return {};
  if (!isObject(given)) throw invalid('not-object', { name: `msg.${property}` });
  const all = Object.keys(given);
  return without(given, names, all.slice(all.indexOf(ANSWERED) + 1));
}

/**
 * Puts a credential on a message, in the place of any that is there.
 *
 * @param form 'header' or 'metadata'
 * @param carried what carries it, by name
 */
function attach(msg, form, carried) {
  const place = PLACES[form];
  msg[place.property] = { ...rest(msg[place.property], place), ...carried };
  // An answer could lead the http request node from https to plaintext on the same host, and the header would go along.
  if (form === 'header' && msg.followRedirects === undefined) msg.followRedirects = false;
}

/** Takes every credential off a message. */
function detach(msg) {
  for (const { property, names } of Object.values(PLACES)) {
    if (isObject(msg[property])) msg[property] = without(msg[property], [...names, STACK]);
  }
}

module.exports = { attach, detach };
