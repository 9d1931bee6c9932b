'use strict';
// The package's entry: loads the addon, gives it what it needs of JavaScript, and dresses its classes.

const { inspect } = require('node:util');
const { AuthError, build } = require('./error.js');
const { version } = require('../package.json');
const native = require('./load.js').load();

// Listeners of the calls in flight, by the call's number (src/promise.rs).
const watched = new Map();

native.register({
  error: build,
  parse: (text) => JSON.parse(text),
  stringify: (value) => JSON.stringify(value),

  /** `{ limit: 1, tag: ['a', 'b'] }` as `limit=1&tag=a&tag=b`. */
  query(object) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(object)) {
      for (const each of Array.isArray(value) ? value : [value]) {
        if (each !== undefined && each !== null) query.append(name, String(each));
      }
    }
    return query.toString();
  },

  entries: (object) => Object.entries(object).map(([name, value]) => [name, String(value)]),

  watch(signal, call) {
    if (typeof signal?.addEventListener !== 'function' || typeof signal.aborted !== 'boolean') {
      throw new TypeError('expected an AbortSignal');
    }
    const listener = () => native.cancel(call);
    watched.set(call, { signal, listener });
    signal.addEventListener('abort', listener, { once: true });
    return signal.aborted;
  },

  unwatch(call) {
    const { signal, listener } = watched.get(call) ?? {};
    watched.delete(call);
    signal?.removeEventListener('abort', listener);
    return signal?.aborted ? signal.reason : undefined;
  },
});

/** What `util.inspect` and `JSON.stringify` show of a class: these properties, and nothing else. */
function show(Class, ...names) {
  const shown = (object) => Object.fromEntries(names.map((name) => [name, object[name]]));
  Object.defineProperties(Class.prototype, {
    [inspect.custom]: {
      value(_depth, options) {
        return `${Class.name} ${inspect(shown(this), options)}`;
      },
    },
    toJSON: {
      value() {
        return shown(this);
      },
    },
  });
}

/** `await using` where there is such a thing. */
function disposable(Class, dispose) {
  if (Symbol.asyncDispose) Object.defineProperty(Class.prototype, Symbol.asyncDispose, { value: dispose });
}

show(native.Credentials, 'kind');
show(native.Client, 'address', 'transport');
disposable(native.Client, async function () {
  this.close();
});

module.exports.AuthError = AuthError;
module.exports.Credentials = native.Credentials;
module.exports.Client = native.Client;
module.exports.version = version;
