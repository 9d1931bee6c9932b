'use strict';

const { CALLS, rpcMethod } = require('./calls');
const { Problem, invalid } = require('./problem');
const { join, route } = require('./path');
const { milliseconds, present, whole } = require('./setting');
const { STACK_CALLS } = require('./stack-calls');
const { stackCall } = require('./stack-request');

const HTTP_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);
const WITHOUT_BODY = new Set(['GET', 'HEAD']);

/** The transport that a ttn-request node's calls take; no message changes it. */
function transportOf({ call, transport }) {
  if (call === 'http' || call === 'grpc') return call;
  return transport === 'http' ? 'http' : 'grpc';
}

/**
 * Reads what a message asks for. Returns `{ transport, timeout, appId, identity, call }`, where `call(client, options, emit)` resolves to
 * the properties of the answer, and `appId` is the application that it is about, as far as that is known. Of an answer in
 * several messages, `emit` is given those of all but the last. Throws a `Problem` for what cannot be asked; nothing has been sent then.
 *
 * @param config the ttn-request node's properties
 * @param network its network (for the application id)
 * @param msg the message; the host is the one thing it cannot choose
 */
function plan(config, network, msg) {
  try {
    return read(config, network, msg);
  } catch (error) {
    if (error instanceof Problem) throw error;
    // Only what the message holds can throw here: a getter, a proxy, a toString.
    throw invalid('message', {}, error);
  }
}

function read(config, network, msg) {
  const timeout = milliseconds(msg.timeout ?? config.timeout);
  // Looked up when a call needs them: the network's application may be a variable that is not set.
  const ids = (payload) => ({
    get app_id() {
      return id('app_id', msg.app_id, config.appId, payload?.app_id, network.appId);
    },
    get dev_id() {
      return id('dev_id', msg.dev_id, config.devId, payload?.dev_id);
    },
    get user_id() {
      return id('user_id', msg.user_id, config.userId, payload?.user_id);
    },
  });
  const transport = transportOf(config);
  if (config.call === 'http') return { transport, timeout, call: httpCall(config, msg, ids()) };
  if (config.call === 'grpc') return { transport, timeout, call: grpcCall(config, msg) };
  const name = msg.method ?? config.call;
  const [ours, others] = network.isStack ? [STACK_CALLS, CALLS] : [CALLS, STACK_CALLS];
  const isIn = (calls) => typeof name === 'string' && Object.hasOwn(calls, name);
  if (isIn(others)) throw network.isStack ? invalid('call-of-v2', { name }) : invalid('call-of-stack', { name });
  if (!isIn(ours)) throw invalid('call', { name: shown(name) });
  const planned = network.isStack ? stackCall(name, config, msg, transport, ids) : namedCall(name, msg, transport, ids);
  return { transport, timeout, identity: network.isStack, ...planned };
}

/** One of the ApplicationManager's calls, with documented JSON in and out. */
function namedCall(name, msg, transport, ids) {
  const known = CALLS[name];
  if (transport === 'http' && !known.route) throw invalid('grpc-only', { name });
  let message = {};
  if (known.sends) {
    if (!isPlain(msg.payload)) throw invalid('payload-object', { name });
    message = { ...msg.payload };
  }
  const given = ids(known.sends ? message : undefined);
  for (const key of known.ids) {
    const value = given[key];
    if (!value) throw invalid('id-missing', { name: key });
    message[key] = value;
  }
  const page = known.pages ? paging(msg.query) : {};
  const call = async (client, options) => {
    const payload = await client[name](message, { ...page, ...options });
    const path = transport === 'grpc' ? rpcMethod(name) : route(known.route, message, page);
    const code = transport === 'grpc' ? { grpcCode: 0 } : { statusCode: 200 };
    return { payload: payload ?? {}, ...code, responseUrl: join(client.address, path) };
  };
  return { appId: message.app_id, call };
}

/** Any HTTP route of the network. */
function httpCall(config, msg, ids) {
  const given = msg.method ?? config.httpMethod ?? 'GET';
  const method = typeof given === 'string' ? given.toUpperCase() : undefined;
  if (!HTTP_METHODS.has(method)) throw invalid('http-method', { name: shown(given) });
  const path = route(msg.path ?? whole(config.path), ids, msg.query);
  const body = WITHOUT_BODY.has(method) ? undefined : bodyOf(method, msg.payload);
  return async (client, options) => {
    const responseUrl = join(client.address, path);
    const answer = await client.request({ method, path, body, ...options });
    return { payload: content(answer), statusCode: answer.status, headers: answer.headers, responseUrl };
  };
}

/** Any gRPC method, its message as the caller encoded it. */
function grpcCall(config, msg) {
  const method = msg.method ?? present(config.rpc);
  if (typeof method !== 'string' || !/^\/[A-Za-z0-9_.]+\/[A-Za-z0-9_]+$/.test(method)) throw invalid('rpc-method');
  const message = msg.payload ?? Buffer.alloc(0);
  if (!(message instanceof Uint8Array)) throw invalid('payload-buffer');
  return async (client, options) => {
    const answer = await client.unary(method, message, options);
    const metadata = { ...answer.metadata, ...answer.trailers };
    return { payload: answer.message, grpcCode: 0, metadata, responseUrl: join(client.address, method) };
  };
}

/** The first id that is given: by the message, by the node, by the payload, by the network. */
function id(name, ...candidates) {
  const found = candidates.find((value) => value !== undefined && value !== null && value !== '');
  if (found === undefined) return undefined;
  if (typeof found !== 'string' || !found.isWellFormed()) throw invalid('id-text', { name });
  return present(found);
}

function paging(query) {
  if (query === undefined || query === null) return {};
  if (!isPlain(query)) throw invalid('query');
  const page = {};
  for (const name of ['limit', 'offset']) {
    if (query[name] === undefined) continue;
    if (typeof query[name] !== 'number' && typeof query[name] !== 'string') throw invalid('query');
    const number = Number(query[name]);
    if (!Number.isSafeInteger(number) || number < 0) throw invalid('query');
    page[name] = number;
  }
  return page;
}

/** What is sent: text and bytes as they are, anything else as JSON. */
function bodyOf(method, payload) {
  if (payload === undefined || payload === null) return undefined;
  if (typeof payload === 'string' || payload instanceof Uint8Array) return payload;
  // A DELETE rarely has a body, and an inject node's payload is the time.
  if (method === 'DELETE' && typeof payload !== 'object') return undefined;
  let text;
  try {
    text = JSON.stringify(payload);
  } catch (error) {
    throw invalid('payload-json', {}, error);
  }
  // Functions and symbols have no JSON.
  if (text === undefined) throw invalid('payload-json');
  return text;
}

/** JSON as an object, other text as text, anything else as a Buffer. */
function content({ headers, body }) {
  const type = String(headers?.['content-type'] ?? '');
  if (/[/+]json\b/.test(type)) {
    try {
      return JSON.parse(body.toString('utf8'));
    } catch {
      return body.toString('utf8');
    }
  }
  return type.startsWith('text/') ? body.toString('utf8') : body;
}

/** A name for a message; of anything but text, its type. */
const shown = (value) => (typeof value === 'string' ? value.slice(0, 40) : typeof value);

const isPlain = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

module.exports = { plan, transportOf };
