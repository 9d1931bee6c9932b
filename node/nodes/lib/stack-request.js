'use strict';

// A message becomes a call of The Things Stack, by name. Requests and answers are V3's documented JSON.

const { randomBytes } = require('node:crypto');

const { invalid } = require('./problem');
const { join, route } = require('./path');
const { present } = require('./setting');
const { STACK_CALLS } = require('./stack-calls');

/** How much a page holds unless msg.query says otherwise, and at most (v3/wire.md, section CRUD). */
const [PAGE, MOST] = [100, 1000];

/** What a list can be asked for. */
const ORDER = /^-?[a-z][a-z_.]*$/;

/**
 * What `plan` returns of a call by name.
 *
 * @param ids gives the ids that are wanted, some of which what is sent may name
 */
function stackCall(name, config, msg, transport, ids) {
  const known = STACK_CALLS[name];
  const sent = known.sends ? sentOf(name, known, msg.payload) : undefined;
  const given = idsOf(known, ids(sent && idsIn(sent[known.sends])));
  if (sent) sent[known.sends] = { ...sent[known.sends], ids: { ...sent[known.sends].ids, ...known.own(given) } };
  const request = { ...known.request?.(given, sent), ...(known.masked && mask(config, msg, sent)) };
  // Without one, the server changes nothing, and says that all went well.
  if (name.endsWith('.update') && !request.field_mask) throw invalid('field-mask-missing', { name });
  const list = known.lists ? listing(msg.query, config) : undefined;
  const [service, method] = name.split('.');

  const call = async (client, options, emit) => {
    const path = transport === 'grpc' ? `/ttn.lorawan.v3.${known.rpc}` : route(known.route, given);
    const code = transport === 'grpc' ? { grpcCode: 0 } : { statusCode: 200 };
    const about = { ...code, responseUrl: join(client.address, path) };
    if (!method) return { payload: await client.authInfo(options), ...about };
    if (!list) return { payload: (await client[service][method](request, options)) ?? {}, ...about };
    const { each, limit, order } = list;
    const items = client[service].list({ ...request, limit, ...(order && { order }) }, options);
    return { ...(each ? await pages(items, limit, msg.parts, (page) => emit({ ...page, ...about })) : await whole(items)), ...about };
  };
  return { appId: given.app_id, call };
}

/** What is sent: the documented request, or just the device or application that it is about. */
function sentOf(name, { sends }, payload) {
  if (!isPlain(payload)) throw invalid('payload-object', { name });
  return isPlain(payload[sends]) ? { ...payload } : { [sends]: payload };
}

/** The ids in a device or an application. */
function idsIn({ ids }) {
  const { device_id, application_id, application_ids } = isPlain(ids) ? ids : {};
  return { dev_id: device_id, app_id: application_id ?? application_ids?.application_id };
}

function idsOf({ ids, lists }, given) {
  const found = {};
  for (const key of ids) {
    const value = given[key];
    if (!value) throw invalid('id-missing', { name: key });
    found[key] = value;
  }
  // Applications are listed of a user if one is named.
  if (lists && ids.length === 0) found.user_id = given.user_id;
  return found;
}

/** Which fields are wanted, or changed: a comma text, a list of names, or V3's `{ paths }`. */
function mask(config, msg, sent) {
  const given = msg.field_mask ?? (present(config.fieldMask) || sent?.field_mask);
  const paths = typeof given === 'string' ? given.split(',').map((path) => path.trim()).filter(Boolean) : (given?.paths ?? given);
  if (paths === undefined || paths === null || paths.length === 0) return {};
  if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string' && path)) throw invalid('field-mask');
  return { field_mask: paths.join(',') };
}

function listing(query, { pages: each }) {
  const { limit = PAGE, order } = isPlain(query) ? query : {};
  if (query !== undefined && query !== null && !isPlain(query)) throw invalid('query');
  const number = typeof limit === 'number' || typeof limit === 'string' ? Number(limit) : NaN;
  if (!Number.isInteger(number) || number < 1 || number > MOST) throw invalid('page-size', { most: MOST });
  if (order !== undefined && !(typeof order === 'string' && ORDER.test(order))) throw invalid('query');
  return { each: each === 'each', limit: number, order };
}

async function whole(items) {
  const all = [];
  for await (const item of items) all.push(item);
  return { payload: all };
}

/**
 * Emits each page when it is there, but for the last, which is returned. `msg.parts` is as Node-RED's split node has it for
 * a list cut into lists, so that a join node can make one list of them; how many there are is known with the last.
 */
async function pages(items, size, before, emit) {
  const id = randomBytes(8).toString('hex');
  // A join node would put a list of 1 into the list as it is.
  const len = Math.max(size, 2);
  const parts = (index, more) => ({ ...(before && { parts: before }), id, type: 'array', len, index, ...more });
  let [page, index] = [[], 0];
  for await (const item of items) {
    if (page.length === size) {
      emit({ payload: page, parts: parts(index) });
      [page, index] = [[], index + 1];
    }
    page.push(item);
  }
  return { payload: page, parts: parts(index, { count: index + 1 }) };
}

const isPlain = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

module.exports = { stackCall };
