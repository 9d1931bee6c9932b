'use strict';

// Whose secret a test of a connection may use. Whoever may edit a node must not be able to have its secret, or the value of
// a variable, sent to an address of their own: what is kept here goes only where it goes already.

const { isHere, isRefresh } = require('./exchange');
const { Problem } = require('./problem');
const { unset } = require('./setting');
const { clusterOf, isStack } = require('./stack');

/** What the editor holds in the place of a stored secret. */
const MASK = '__PWRD__';

/** The settings of a ttn-credentials node, but its name; those with a value that a flow older than them stands for. */
const SETTINGS = {
  network: 'v2', cluster: 'own', tenant: '',
  kind: 'bearer-token', source: 'stored', variable: '', file: '', appId: '', exchange: 'server', accountServer: '', clientId: '',
  storeFile: '', accountCa: '', grpcAddress: '', httpAddress: '', discovery: '', tls: '', ca: '', allowInsecure: 'false', timeout: '',
  rateLimit: '',
};
const SECRETS = ['secret', 'clientSecret', 'storeKey'];

/** What of an exchange a refresh token has, too. */
const OF_CLIENT = ['clientId', 'storeFile'];

/** They decide neither where a secret goes nor whom it trusts. All others do, also those that come later. */
const HARMLESS = new Set(['timeout', 'rateLimit']);

/** The ttn-credentials node of the deployed flow as it is in the file, and as it runs; undefined if there is none. */
function deployedNode(RED, id) {
  let settings;
  RED.nodes.eachNode((node) => {
    if (node.id === id && node.type === 'ttn-credentials') settings = node;
  });
  if (!settings) return undefined;
  // In a subflow each instance runs a node of its own, under another id. A disabled node does not run.
  return { settings, secrets: RED.nodes.getCredentials(id) ?? {}, node: RED.nodes.getNode(id) ?? undefined };
}

/** Whether what decides where a secret goes, and whom it trusts, is what is deployed. Compared as it stands in the flow's file. */
function goesAlike(settings, deployed) {
  const text = (of, name) => String(of[name] ?? '') || SETTINGS[name];
  // Anything else than true is no.
  if ((settings.allowInsecure === true) !== (deployed.settings.allowInsecure === true)) return false;
  const decides = (name) => !HARMLESS.has(name) && (name !== 'appId' || text(settings, 'discovery') !== '');
  return Object.keys(SETTINGS).every((name) => !decides(name) || text(settings, name) === text(deployed.settings, name));
}

/**
 * What a Network is made of for what is in a dialog: settings without variables, secrets, and what Node-RED knows. Throws a
 * `Problem` for what would have to be taken from the deployed node, unless the dialog sends it nowhere else.
 *
 * @param dialog `{ id, settings, secrets }`; a secret is MASK if it was not typed
 * @param hostOf gives what Node-RED knows of a node, as `Network` takes it
 */
function resolve(RED, { id, settings, secrets }, hostOf) {
  const deployed = deployedNode(RED, id);
  const alike = deployed !== undefined && goesAlike(settings, deployed);

  const read = (name) => {
    if (!alike) throw undeployed(name, known(RED, deployed?.node, name));
    if (!deployed.node) throw new Problem('AUTH_MISSING_CREDENTIALS', 'variable-not-running', { name });
    return RED.util.getSetting(deployed.node, name);
  };
  /** A value as the running node has it: Node-RED puts a variable's in the place of its name. */
  const filled = (text, before) => {
    const name = typeof text === 'string' && text === text.trim() ? unset(text) : undefined;
    if (name === undefined) return text;
    if (text !== before) throw undeployed(name, known(RED, deployed?.node, name));
    // One that is not set stays as it is, and is refused by its name.
    return read(name) ?? text;
  };
  const stored = (name) => {
    if (secrets[name] !== MASK) return filled(secrets[name], deployed?.secrets[name]);
    if (!alike) throw new Problem('AUTH_MISSING_CREDENTIALS', 'secret-elsewhere');
    return filled(deployed.secrets[name], deployed.secrets[name]);
  };

  const used = inUse(settings);
  if (used.source !== 'stored' && !alike) throw new Problem('AUTH_MISSING_CREDENTIALS', 'source-elsewhere');
  const own = Object.fromEntries(used.secrets.map((name) => [name, stored(name)]));
  const plain = Object.fromEntries(used.settings.map((name) => [name, filled(settings[name], deployed?.settings[name])]));
  return { settings: { ...settings, ...plain }, secrets: own, host: { ...hostOf(deployed?.node), variable: read } };
}

/** The settings and secrets that count: what another choice has hidden in the dialog does not. */
function inUse(settings) {
  const here = [...OF_CLIENT, 'accountServer', 'accountCa'];
  const source = settings.source || SETTINGS.source;
  const unused = new Set(['variable', 'file'].filter((name) => name !== { environment: 'variable', file: 'file' }[source]));
  const refresh = isRefresh(settings);
  if (!isHere(settings)) for (const name of here) if (!refresh || !OF_CLIENT.includes(name)) unused.add(name);
  if (!isStack(settings)) unused.add('tenant');
  else for (const name of ['exchange', 'discovery', ...(clusterOf(settings) ? ['grpcAddress', 'httpAddress'] : [])]) unused.add(name);
  return {
    source,
    settings: Object.keys(SETTINGS).filter((name) => !unused.has(name)),
    secrets: [...(source === 'stored' ? ['secret'] : []), ...(refresh || isHere(settings) ? ['clientSecret', 'storeKey'] : [])],
  };
}

const undeployed = (name, isSet) =>
  isSet
    ? new Problem('AUTH_MISSING_CREDENTIALS', 'variable-undeployed', { name })
    : new Problem('AUTH_MISSING_CREDENTIALS', 'variable-undeployed-unset', { name });

/** Whether a variable is set, as the running node sees it, or else in the process. */
function known(RED, node, name) {
  if (node && RED.util.getSetting(node, name) !== undefined) return true;
  return inProcess(RED, name);
}

/** Whether Node-RED's process has a variable that flows may see. */
function inProcess(RED, name) {
  if (RED.settings.envVarExcludes?.includes?.(name)) return false;
  return Object.hasOwn(process.env, name) && process.env[name].trim() !== '';
}

module.exports = { MASK, SECRETS, SETTINGS, deployedNode, inProcess, resolve };
