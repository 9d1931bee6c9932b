'use strict';

// Whether a network can be reached and takes the credential: one cheap call over each transport, which changes nothing.

const { applicationOf, attempt, attemptStack } = require('../../check.js');
const { credentialOf } = require('./credential');
const { isRefresh, pair } = require('./exchange');
const { Network } = require('./network');
const { Problem, invalid, toReport } = require('./problem');
const { milliseconds, perSecond, present } = require('./setting');
const { clusterOf, isStack } = require('./stack');

const TRANSPORTS = ['grpc', 'http'];

/** The longest time limit of an attempt, in ms: somebody sits in front of it. */
const LONGEST = 10_000;

/**
 * Tries each transport that has an address, both at once. Resolves to a list of what became of them: `{ transport, good, … }`.
 * Throws a `Problem` or an `AuthError` for what is wrong with all of them before anything is sent.
 *
 * @param signal ends it
 */
async function test({ settings, secrets, host }, signal) {
  const timeout = Math.min(milliseconds(settings.timeout) ?? LONGEST, LONGEST);
  perSecond(settings.rateLimit);
  // Each trade makes the last refresh token worthless, and a test writes none down.
  if (isRefresh(settings)) throw invalid('test-refresh');
  const credentials = credentialOf(settings, secrets.secret, host);
  if (!pair(settings.storeFile, secrets.storeKey)) throw invalid('store-both');
  const stack = isStack(settings);
  const elsewhere = stack ? clusterOf(settings) : present(settings.discovery);
  const found = (transport) => elsewhere || present(settings[`${transport}Address`]);
  const transports = TRANSPORTS.filter(found);
  if (transports.length === 0) throw invalid('address-missing');
  const appId = present(settings.appId) ?? (stack ? undefined : applicationOf(credentials));
  if (!appId && !stack) throw invalid('test-app-needed');

  // The file of tokens is not for a test to write to.
  const network = new Network({ ...settings, timeout, rateLimit: '', storeFile: '' }, { ...secrets, storeKey: '' }, host);
  const close = () => network.close();
  signal.addEventListener('abort', close);
  try {
    const late = () => new Problem('AUTH_TIMEOUT', 'test-timeout');
    const attempted = stack ? attemptStack : attempt;
    const row = async (transport) => ({ transport, appId, ...(await attempted(() => network.client(transport, { identity: stack }), { appId, timeout, late })) });
    return atOnce(await Promise.all(transports.map(row)));
  } finally {
    signal.removeEventListener('abort', close);
    network.close();
  }
}

/** What is the same for all transports, and of the settings rather than of a server, is said once. */
function atOnce(rows) {
  const [{ error: first, good }] = rows;
  const alike = ({ error, address }) =>
    error?.message === first.message && (address === undefined || error.code === 'AUTH_INVALID_ARGUMENT') &&
    error.grpcCode === undefined && error.httpStatus === undefined;
  if (first && !good && rows.length > 1 && rows.every(alike)) throw first;
  return rows.map(({ error, ...row }) => (error ? { ...row, ...toReport(error) } : row));
}

module.exports = { test };
