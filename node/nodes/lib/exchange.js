'use strict';

const { TokenSource } = require('../../index.js');
const { invalid } = require('./problem');
const { present, whole } = require('./setting');

/** Whether an access key is exchanged for a token here. Flows that are older than the setting leave it to the server. */
const isHere = (settings) => settings.kind === 'access-key' && settings.exchange === 'here';

/**
 * Where an access key's tokens come from that is exchanged here. It renews them, and remembers them: one for a network.
 *
 * @param secrets the node's password credentials
 * @param host what Node-RED knows: `path(text)`
 */
function tokensOf(settings, secrets, credentials, host) {
  const appId = present(settings.appId);
  if (!appId) throw invalid('app-id-needed');
  const client = pair(settings.clientId, secrets.clientSecret);
  if (!client) throw invalid('client-both');
  const [clientId, clientSecret] = client;
  const store = pair(settings.storeFile, secrets.storeKey);
  if (!store) throw invalid('store-both');
  const [file, key] = store;
  return TokenSource.keyExchange({
    credentials,
    appId,
    accountServer: accountServer(settings),
    clientId,
    clientSecret,
    ca: present(settings.accountCa),
    store: file && { file: host.path(file), key },
  });
}

/** Two settings that need each other; undefined if one of them is missing. */
function pair(...settings) {
  const both = settings.map((setting) => present(setting));
  return !both[0] === !both[1] ? both : undefined;
}

/** The account server's address; undefined for the one that an issuer is known to have. */
function accountServer(settings) {
  const text = whole(settings.accountServer)?.trim();
  if (!text) return undefined;
  // People paste a host here. It is TLS then: the safe guess.
  const address = text.includes('://') ? text : `https://${text}`;
  // The core takes an OAuth client from there, as V2 does. A flow would hold it in clear.
  if (/^[^/]*\/\/[^/?#]*@/.test(address)) throw invalid('account-user');
  return address;
}

module.exports = { accountServer, isHere, pair, tokensOf };
