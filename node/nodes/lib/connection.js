'use strict';

// Whether a network can be reached and takes the credential: one cheap call over each transport, which changes nothing.

const { credentialOf } = require('./credential');
const { pair } = require('./exchange');
const { Network } = require('./network');
const { Problem, invalid, toReport } = require('./problem');
const { milliseconds, perSecond, present } = require('./setting');

const TRANSPORTS = ['grpc', 'http'];

/** The longest time limit of an attempt, in ms: somebody sits in front of it. */
const LONGEST = 10_000;

/** How long after its time limit a call is given up that has not ended by it, such as one that waits for its turn. */
const GRACE = 500;

/** Answers that come after the credential was accepted, and what they are called in `ttn.remark`. */
const REMARKS = { AUTH_PERMISSION_DENIED: 'right-missing', AUTH_NOT_FOUND: 'no-application' };
const IS_REMARK = { AUTH_PERMISSION_DENIED: /\brights to\b/, AUTH_NOT_FOUND: /\bapplication\b/i };

/**
 * Tries each transport that has an address, both at once. Resolves to a list of what became of them: `{ transport, good, … }`.
 * Throws a `Problem` or an `AuthError` for what is wrong with all of them before anything is sent.
 *
 * @param signal ends it
 */
async function test({ settings, secrets, host }, signal) {
  const timeout = Math.min(milliseconds(settings.timeout) ?? LONGEST, LONGEST);
  perSecond(settings.rateLimit);
  const credentials = credentialOf(settings, secrets.secret, host);
  if (!pair(settings.storeFile, secrets.storeKey)) throw invalid('store-both');
  const found = (transport) => present(settings.discovery) || present(settings[`${transport}Address`]);
  const transports = TRANSPORTS.filter(found);
  if (transports.length === 0) throw invalid('address-missing');
  const appId = present(settings.appId) ?? applicationOf(credentials);
  if (!appId) throw invalid('test-app-needed');

  // The file of tokens is not for a test to write to.
  const network = new Network({ ...settings, timeout, rateLimit: '', storeFile: '' }, { ...secrets, storeKey: '' }, host);
  const close = () => network.close();
  signal.addEventListener('abort', close);
  try {
    const rows = await Promise.all(transports.map((transport) => attempt(network, transport, appId, timeout)));
    return atOnce(rows);
  } finally {
    signal.removeEventListener('abort', close);
    network.close();
  }
}

async function attempt(network, transport, app_id, timeout) {
  const started = performance.now();
  let address;
  const call = async () => {
    const client = await network.client(transport);
    ({ address } = client);
    return client.getDevices({ app_id }, { limit: 1, timeout });
  };
  const took = () => Math.round(performance.now() - started);
  try {
    const { total } = await within(timeout + GRACE, call());
    return { transport, address, good: true, ms: took(), devices: total };
  } catch (error) {
    const row = { transport, address, ms: took(), ...toReport(error) };
    if (!IS_REMARK[error?.code]?.test(error.message)) return { ...row, good: false, error };
    return { ...row, good: true, remark: REMARKS[error.code] };
  }
}

/** What is the same for all transports, and of the settings rather than of a server, is said once. */
function atOnce(rows) {
  const [{ error: first }] = rows;
  const alike = ({ error, address }) =>
    error?.message === first.message && (address === undefined || error.code === 'AUTH_INVALID_ARGUMENT') &&
    error.grpcCode === undefined && error.httpStatus === undefined;
  if (first && rows.length > 1 && rows.every(alike)) throw first;
  return rows.map(({ error, ...row }) => row);
}

/** The first application of a token, one with the right to read devices before others. */
function applicationOf(credentials) {
  const { apps = {}, scope = [] } = credentials.describe();
  const ids = Object.keys(apps);
  const scoped = scope.find((entry) => /^apps:./.test(entry))?.slice('apps:'.length);
  return ids.find((id) => apps[id].includes('devices')) ?? ids[0] ?? scoped;
}

/** Gives up what has not ended in time. */
function within(ms, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Problem('AUTH_TIMEOUT', 'test-timeout')), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

module.exports = { test };
