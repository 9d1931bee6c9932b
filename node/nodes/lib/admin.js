'use strict';

// What the editor asks the server for: a test of what is in the dialog, what a deployed credential is, whether a variable is
// set. Secrets come in, and never go out.

const { credentialOf, refreshTokenOf } = require('./credential');
const { SECRETS, SETTINGS, deployedNode, inProcess, resolve, MASK } = require('./deployed');
const { isRefresh } = require('./exchange');
const { Problem, invalid, toReport } = require('./problem');
const { test } = require('./connection');

/** Tests at once. Each makes this machine connect to where somebody wants it to. */
const TESTS = 4;

/** The longest text of a dialog, in characters: two lists of certificates, and the longest token. */
const LONGEST = 256 * 1024;

/**
 * Adds the routes. All are behind a permission of Node-RED's.
 *
 * @param hostOf gives what Node-RED knows of a node, as `Network` takes it
 */
function addRoutes(RED, hostOf) {
  const { httpAdmin } = RED;
  let running = 0;

  httpAdmin.post('/ttn-credentials/test', allowed(RED, 'ttn-credentials.write'), answering(async (req, res) => {
    if (!req.is('application/json')) return refuse(res, 415, invalid('test-request'));
    const dialog = dialogOf(req.body);
    if (!dialog) return refuse(res, 400, invalid('test-request'));
    if (sizeOf(dialog) > LONGEST) return refuse(res, 413, invalid('test-size'));
    if (running >= TESTS) return refuse(res, 429, new Problem('AUTH_RATE_LIMITED', 'test-busy'));
    // A dialog that is closed, or tests anew, hangs up.
    const hungUp = new AbortController();
    res.on('close', () => hungUp.abort());
    running += 1;
    try {
      res.json({ rows: await test(resolve(RED, dialog, hostOf), hungUp.signal) });
    } catch (error) {
      res.json({ problem: toReport(error) });
    } finally {
      running -= 1;
    }
  }));

  httpAdmin.get('/ttn-credentials/:id/about', allowed(RED, 'ttn-credentials.read'), answering(async (req, res) => {
    const { id } = req.params;
    const deployed = deployedNode(RED, id);
    if (!deployed) return refuse(res, 404, invalid('test-unknown'));
    try {
      const settings = Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, deployed.settings[name]]));
      const asDeployed = { id, settings, secrets: Object.fromEntries(SECRETS.map((name) => [name, MASK])) };
      const own = resolve(RED, asDeployed, hostOf);
      res.json(aboutOf(own));
    } catch (error) {
      res.json({ problem: toReport(error) });
    }
  }));

  httpAdmin.get('/ttn-credentials/variable', allowed(RED, 'ttn-credentials.write'), answering(async (req, res) => {
    const { name } = req.query;
    if (typeof name !== 'string' || name === '') return refuse(res, 400, invalid('test-request'));
    res.json({ set: inProcess(RED, name) });
  }));
}

/** What a credential is, without the secret. Of a refresh token that is its id, too. */
function aboutOf({ settings, secrets, host }) {
  if (isRefresh(settings)) return { kind: settings.kind, id: refreshTokenOf(settings, secrets.secret, host).split('.')[1] };
  const { kind, id, issuer, subject, apps, expiresAt } = credentialOf(settings, secrets.secret, host).describe();
  return { kind, id, issuer, subject, apps, expiresAt };
}

/** Node-RED answers 401 also those who are logged in and may not. For them it is 403: to log in again would not help. */
function allowed(RED, permission) {
  const check = RED.auth.needsPermission(permission);
  return (req, res, next) => {
    const { status } = res;
    res.status = (code) => status.call(res, code === 401 && req.user && !req.user.anonymous ? 403 : code);
    check(req, res, (error) => {
      res.status = status;
      next(error);
    });
  };
}

/** A handler that ends in an answer whatever is thrown, and whose answers are kept nowhere. */
const answering = (handler) => async (req, res) => {
  res.set('Cache-Control', 'no-store');
  try {
    await handler(req, res);
  } catch {
    if (!res.headersSent) res.status(500).end();
  }
};

const refuse = (res, status, error) => res.status(status).json({ problem: toReport(error) });

/** What a dialog holds; undefined if that is not what was sent. */
function dialogOf(body) {
  if (!isPlain(body) || typeof body.id !== 'string' || !isPlain(body.settings) || !isPlain(body.secrets)) return undefined;
  const { id, settings: { allowInsecure = false, ...texts }, secrets } = body;
  const known = typeof allowInsecure === 'boolean' && isText(texts, Object.keys(SETTINGS)) && isText(secrets, SECRETS);
  return known ? { id, settings: { ...texts, allowInsecure }, secrets } : undefined;
}

const isPlain = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (values, names) =>
  Object.entries(values).every(([name, value]) => names.includes(name) && typeof value === 'string');
const sizeOf = ({ id, settings, secrets }) =>
  [id, ...Object.values(settings), ...Object.values(secrets)].reduce((sum, value) => sum + String(value).length, 0);

module.exports = { addRoutes };
