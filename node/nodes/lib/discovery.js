'use strict';

const { AuthError, Client } = require('../../index.js');
const { invalid } = require('./problem');
const { present, whole, withScheme } = require('./setting');
const { isStack } = require('./stack');

/** Whether the addresses come from a discovery service, unless they are entered. V2 has such. */
const isDiscovered = (settings) => Boolean(settings.discovery) && !isStack(settings);

/** What a discovery service is asked; throws a `Problem` for settings with which it cannot be. */
function question(settings) {
  const discovery = withScheme(whole(settings.discovery), 'grpc');
  const appId = present(settings.appId);
  if (!appId) throw invalid('discovery-app-id');
  return { discovery, appId };
}

/** A client of the Handler that serves the network's application, at the address that is announced. */
async function discover(settings, options) {
  const { discovery, appId } = question(settings);
  try {
    return await Client.discover(appId, { discovery, ...options });
  } catch (error) {
    throw itsError(error);
  }
}

/** Throws what `discover` would, as far as that can be told without asking. */
function checkDiscovery(settings, options) {
  const { discovery } = question(settings);
  try {
    new Client({ address: discovery, ...options }).close();
  } catch (error) {
    throw itsError(error);
  }
}

/** Whoever reads that nothing listens at an address has to know at which. It has no status: it is not the call's answer. */
function itsError(error) {
  const { code, transient, hint, message } = error;
  return new AuthError(`discovery service: ${message}`, { code, transient, hint, cause: error });
}

module.exports = { checkDiscovery, discover, isDiscovered };
