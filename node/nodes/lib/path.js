'use strict';

const { invalid } = require('./problem');

/** A placeholder host: only the path and query of what is parsed against it are used. */
const ANY = 'http://host.invalid';

/** Types of a value in a query. */
const PLAIN = new Set(['string', 'number', 'boolean', 'bigint']);

/**
 * The path and query of a raw HTTP route. `{app_id}`, `{dev_id}` and `{user_id}` are replaced, percent-encoded.
 *
 * A message decides the path, never the host: the core checks that again, this check names the fault in the editor's
 * language and keeps `msg.responseUrl` honest.
 */
function route(template, ids, query) {
  if (typeof template !== 'string' || template === '') throw invalid('path-missing');
  const filled = template.replace(/\{(app_id|dev_id|user_id)\}/g, (_, name) => {
    // Read once, and only if the path needs it: looking an id up can fail.
    const value = ids[name];
    if (!value) throw invalid('id-missing', { name });
    // encodeURIComponent throws for half a surrogate pair.
    if (!value.isWellFormed()) throw invalid('id-text', { name });
    return encodeURIComponent(value);
  });
  const [path, inline = ''] = filled.split(/\?(.*)/s);
  if (!/^\/(?![/\\])/.test(path)) throw invalid('path-start');
  // URL parsers take a backslash for a slash and drop tabs and line breaks; a fragment would never be sent.
  if (/[\s\\#\0-\x1f\x7f]/.test(filled)) throw invalid('path-characters');
  const segments = path.toLowerCase().replaceAll('%2e', '.').split('/');
  if (segments.some((segment) => segment === '.' || segment === '..')) throw invalid('path-dots');
  const url = new URL(path, ANY);
  if (url.origin !== ANY) throw invalid('path-start');
  url.search = parameters(inline, query).toString();
  return url.pathname + url.search;
}

/** The route's own query, then `msg.query`: an object, whose arrays repeat a name, or a text. */
function parameters(inline, query) {
  const all = new URLSearchParams(inline);
  if (query === undefined || query === null || query === '') return all;
  if (typeof query === 'string') {
    for (const [name, value] of new URLSearchParams(query)) all.append(name, value);
    return all;
  }
  if (typeof query !== 'object' || Array.isArray(query)) throw invalid('query');
  for (const [name, value] of Object.entries(query)) {
    all.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one === undefined || one === null) continue;
      if (!PLAIN.has(typeof one)) throw invalid('query');
      all.append(name, String(one));
    }
  }
  return all;
}

/** `address` with `path`; refuses if that is not on the address's host. */
function join(address, path) {
  const base = new URL(address.replace(/^grpc/, 'http'));
  const url = new URL(path, base);
  if (url.host !== base.host || url.protocol !== base.protocol || url.username || url.password) throw invalid('path-start');
  return address.replace(/\/$/, '') + url.pathname + url.search;
}

module.exports = { route, join };
