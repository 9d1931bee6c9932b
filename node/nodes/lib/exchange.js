'use strict';

const { TokenSource } = require('../../index.js');
const { invalid } = require('./problem');
const { present, whole } = require('./setting');
const { isStack } = require('./stack');

/** Whether an access key is exchanged for a token here. Flows that are older than the setting leave it to the server. */
const isHere = (settings) => settings.kind === 'access-key' && settings.exchange === 'here' && !isStack(settings);

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

/** Whether a refresh token of The Things Stack is traded for access tokens here. */
const isRefresh = (settings) => settings.kind === 'refresh-token' && isStack(settings);

/**
 * Where the access tokens come from that a refresh token is traded for. Each trade brings the next refresh token and makes
 * the last one worthless, so there has to be a file that it is written to before it is used.
 *
 * @param refreshToken the first one: the file knows the later ones by it
 * @param address of the Identity Server, over HTTP
 * @param ca its certificate, if that is given
 */
function renewedTokens(settings, secrets, refreshToken, { address, ca, host }) {
  const [clientId, clientSecret] = pair(settings.clientId, secrets.clientSecret) ?? [];
  if (!clientId) throw invalid('client-needed');
  const [file, key] = pair(settings.storeFile, secrets.storeKey) ?? [];
  if (!file) throw invalid('store-needed');
  return TokenSource.refreshToken({ accountServer: address, clientId, clientSecret, refreshToken, ca, store: { file: host.path(file), key } });
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

module.exports = { accountServer, isHere, isRefresh, pair, renewedTokens, tokensOf };
