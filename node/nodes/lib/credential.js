'use strict';

const { readFileSync } = require('node:fs');

const { Credentials } = require('../../index.js');
const { Problem, invalid } = require('./problem');
const { present, unset } = require('./setting');
const { STACK, isStack } = require('./stack');

/**
 * What an environment variable can be named. No access key or token looks like it: Node-RED puts the variable's value
 * in the place of `${NAME}`, so what stands here may be the secret, and is not shown.
 */
const NAME = /^(?:\$parent\.)*[a-z_]\w*$/i;

/**
 * The credential of a ttn-credentials node, from where its settings say: stored in the node, an environment variable,
 * a file. Throws a `Problem` or an `AuthError` that says what is wrong.
 *
 * @param secret what is stored in the node
 * @param host what Node-RED knows: `variable(name)`, undefined if it is not set, and `path(text)`
 */
function credentialOf(settings, secret, host) {
  const kind = kindOf(settings);
  const appId = kind === 'access-key' ? known(settings.appId) : undefined;
  if (settings.source === 'file') {
    const path = present(settings.file);
    if (!path) throw invalid('file-missing');
    return Credentials.fromFile(host.path(path), { kind, appId });
  }
  const text = secretOf(settings, secret, host);
  if (kind === 'access-key') return Credentials.accessKey(text, { appId });
  const credentials = kind === 'api-key' ? Credentials.apiKey(text) : Credentials.bearerToken(text);
  const { network } = credentials.describe();
  if (network !== STACK && isStack(settings)) throw invalid('secret-of-v2');
  if (network === STACK && !isStack(settings)) throw invalid('secret-of-stack');
  return credentials;
}

/** The refresh token of a ttn-credentials node, from where its settings say. A file has the first one, and is read once. */
function refreshTokenOf(settings, secret, host) {
  if (settings.source !== 'file') return secretOf(settings, secret, host).trim();
  const path = present(settings.file);
  if (!path) throw invalid('file-missing');
  try {
    return readFileSync(host.path(path), 'utf8').trim();
  } catch (error) {
    throw new Problem('AUTH_MISSING_CREDENTIALS', 'file-unreadable', { name: path }, error);
  }
}

/** The secret's text, unless it is in a file. */
const secretOf = (settings, secret, host) => (settings.source === 'environment' ? variable(settings.variable, host) : stored(secret));

/** What a credential is. Of anything else than a key it is a token. */
function kindOf(settings) {
  const key = isStack(settings) ? 'api-key' : 'access-key';
  return settings.kind === key ? key : 'bearer-token';
}

/** It only describes the key. Calls that need an application refuse an unset variable; others work without one. */
const known = (appId) => (unset(appId) === undefined ? appId || undefined : undefined);

function stored(secret) {
  const text = present(secret, 'AUTH_MISSING_CREDENTIALS');
  if (!text) throw new Problem('AUTH_MISSING_CREDENTIALS', 'secret-missing');
  return text;
}

function variable(setting, host) {
  const name = present(setting)?.trim();
  if (!name) throw invalid('variable-missing');
  if (!NAME.test(name)) throw invalid('variable-name');
  // What a shell or a container engine makes of a variable without a value is an empty one.
  const value = String(host.variable(name) ?? '').trim();
  if (!value) throw new Problem('AUTH_MISSING_CREDENTIALS', 'variable', { name });
  return value;
}

module.exports = { credentialOf, refreshTokenOf };
