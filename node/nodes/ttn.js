'use strict';

// Node-RED's nodes for The Things Network. What they do is in lib/; here it meets Node-RED: node creation, messages,
// status, closing. Errors of any kind end in `done(error)`: nothing that is thrown here may end the host process.

const { resolve } = require('node:path');

const { addRoutes } = require('./lib/admin');
const { UNABLE, asMessage, hasCaller, respond } = require('./lib/caller');
const { Events } = require('./lib/events');
const { Guard } = require('./lib/guard');
const { Headers } = require('./lib/headers');
const { Network } = require('./lib/network');
const { plan, transportOf } = require('./lib/request');
const { Pool } = require('./lib/pool');
const { Problem, statusOf, toMessageError, toNodeError } = require('./lib/problem');
const { callsAtOnce, isKept } = require('./lib/setting');
const { NodeStatus } = require('./lib/status');
const { Tally } = require('./lib/tally');

/** How long a guard says nothing more in the log of callers that it cannot check, in ms. */
const QUIET = 60_000;

/** Properties of an answer: what an earlier node left of them would look like this one's. */
const ANSWER = ['statusCode', 'grpcCode', 'headers', 'metadata', 'responseUrl'];

module.exports = function (RED) {
  /** What Node-RED knows and lib/ does not. */
  const hostOf = (node) => ({
    variable: (name) => RED.util.getSetting(node, name),
    // As the core's file nodes do.
    path: (text) => resolve(RED.settings.fileWorkingDirectory || '', text),
    node: (id) => RED.nodes.getNode(id),
  });

  /**
   * Ends a message. Catch and complete nodes get a copy of it; of some that a flow can make there is none, which must not
   * end the process: they get the error alone.
   */
  function finish(node, done, failure) {
    try {
      done(failure);
    } catch (uncopied) {
      node.error(failure ?? toNodeError(RED, uncopied), {});
    }
  }

  addRoutes(RED, hostOf);

  function TtnCredentials(config) {
    RED.nodes.createNode(this, config);
    const network = new Network(config, this.credentials ?? {}, hostOf(this));
    // A node is printed and passed around; the secrets are not needed on it any more.
    this.credentials = {};
    Object.defineProperty(this, 'network', { value: network });
    this.on('close', () => network.close());
  }
  RED.nodes.registerType('ttn-credentials', TtnCredentials, {
    credentials: { secret: { type: 'password' }, clientSecret: { type: 'password' }, storeKey: { type: 'password' } },
  });

  function TtnRequest(config) {
    RED.nodes.createNode(this, config);
    const node = this;
    // Looked up each time: Node-RED leaves a subflow running when the credentials change that one of its properties names.
    const current = () => RED.nodes.getNode(config.network)?.network;
    const { pool, fault } = poolOf(config);
    const closing = new AbortController();

    const status = new NodeStatus(RED, {
      network: current,
      transport: transportOf(config),
      fault,
      waiting: () => pool.waiting,
      show: (shown) => node.status(shown),
    });

    async function ask(msg, emit) {
      try {
        if (fault) throw fault;
        const network = current();
        if (!network) throw new Problem('AUTH_MISSING_CREDENTIALS', 'not-configured');
        const { transport, timeout, appId, identity, call } = plan(config, network, msg);
        const made = (client) => call(client, { timeout, signal: closing.signal }, emit);
        return await status.during(() => network.use(transport, made, { appId, identity }));
      } catch (error) {
        status.failed(error);
        throw error;
      }
    }

    /** What the pool makes of a message: one answer, the last of several messages perhaps, or one error. */
    function jobOf(msg, send, done) {
      const kept = [];
      const emit = (part) => {
        if (closing.signal.aborted) return;
        const message = RED.util.cloneMessage(msg);
        for (const name of ANSWER) delete message[name];
        Object.assign(message, part);
        // What comes of the messages before this one goes first.
        if (isKept(config.order)) kept.push(message);
        else send(message);
      };
      const fail = (error) => {
        try {
          for (const name of ANSWER) delete msg[name];
          if (error?.httpStatus !== undefined) msg.statusCode = error.httpStatus;
          if (error?.grpcCode !== undefined) msg.grpcCode = error.grpcCode;
        } catch {
          // Some messages cannot be written.
        }
        finish(node, done, toNodeError(RED, error));
      };
      return {
        begin: () => ask(msg, emit),
        end(answer) {
          try {
            for (const message of kept) send(message);
            for (const name of ANSWER) delete msg[name];
            send(Object.assign(msg, answer));
          } catch (error) {
            status.failed(error);
            return fail(error);
          }
          finish(node, done);
        },
        fail,
      };
    }

    node.on('input', (msg, send, done) => pool.run(jobOf(msg, send, done)));
    node.on('close', async (done) => {
      status.close();
      closing.abort();
      const failed = await pool.close(new Problem('AUTH_CANCELLED', 'closed'));
      // Each has ended with an error, but in a deployment of all flows their catch nodes are gone as well.
      if (failed > 0) node.warn(RED._('ttn.problem.dropped', { count: failed }));
      done();
    });
  }
  RED.nodes.registerType('ttn-request', TtnRequest);

  function TtnEvents(config) {
    RED.nodes.createNode(this, config);
    const node = this;
    const events = new Events(RED, config, () => RED.nodes.getNode(config.network)?.network, {
      event: (message) => node.send(message),
      failed: (error) => node.error(toNodeError(RED, error), {}),
      show: (status) => node.status(status),
    });
    node.on('close', () => events.close());
  }
  RED.nodes.registerType('ttn-events', TtnEvents);

  function TtnAuthHeaders(config) {
    RED.nodes.createNode(this, config);
    const node = this;
    // Looked up each time, as by a request.
    const network = () => RED.nodes.getNode(config.network)?.network;
    const headers = new Headers(config, hostOf(this));
    const status = new NodeStatus(RED, {
      network,
      transport: headers.needs,
      fault: headers.fault,
      show: (shown) => node.status(shown),
    });

    async function handle(msg, send, done) {
      try {
        await headers.put(msg, network());
      } catch (error) {
        status.failed(error);
        return finish(node, done, toNodeError(RED, error));
      }
      status.did();
      send(msg);
      finish(node, done);
    }

    node.on('input', (msg, send, done) => {
      handle(msg, send, done).catch((error) => finish(node, done, toNodeError(RED, error)));
    });
    node.on('close', () => {
      headers.close();
      status.close();
    });
  }
  RED.nodes.registerType('ttn-auth-headers', TtnAuthHeaders);

  function TtnGuard(config) {
    RED.nodes.createNode(this, config);
    const node = this;
    const guard = new Guard(config, this.credentials ?? {}, hostOf(this));
    this.credentials = {};
    const tally = new Tally((status) => node.status(status));
    const passed = { accepted: 0, rejected: 0 };
    let warnedAt = -Infinity;

    async function handle(msg, send, done) {
      let auth;
      try {
        auth = await guard.admit(msg);
      } catch (error) {
        // Whatever was thrown: not everything that can be is an object.
        return refuse(Object(error), msg, send, done);
      }
      passed.accepted += 1;
      show();
      send(Object.assign(msg, { auth }));
      finish(node, done);
    }

    /** Nothing that comes here is ever sent to output 1. */
    function refuse(error, msg, send, done) {
      delete msg.auth;
      if (hasCaller(msg)) passed.rejected += 1;
      show(error);
      const answer = error.answer ?? UNABLE;
      if (error.answer && elsewhere()) {
        send([null, Object.assign(msg, asMessage(answer), { error: toMessageError(RED, node, error) })]);
        return finish(node, done);
      }
      respond(msg, answer);
      // It is answered: a catch node's flow cannot answer it again.
      if (hasCaller(msg)) delete msg.res;
      finish(node, done, error.answer ? undefined : toNodeError(RED, error));
    }

    /** Whether output 2 answers. Not while the flow is stopped, when nobody may be left behind it. */
    const elsewhere = () => config.outputs === 2 && node.wires[1]?.length > 0 && !guard.closed;

    function show(error) {
      if (!error || error.answer?.status < 500) {
        return tally.set(() => ({ fill: 'green', shape: 'dot', text: RED._('ttn.status.guard', passed) }));
      }
      tally.set(() => statusOf(RED, error));
      // A fault goes to the log by itself. Of an outage the log has to tell as well, but callers must not fill it.
      if (!error.answer || guard.closed || performance.now() - warnedAt < QUIET) return;
      warnedAt = performance.now();
      node.warn(toNodeError(RED, error).message);
    }

    node.on('input', (msg, send, done) => {
      handle(msg, send, done).catch((error) => {
        try {
          respond(msg, UNABLE);
        } catch {
          // There is nobody to answer any more.
        }
        finish(node, done, toNodeError(RED, error));
      });
    });
    node.on('close', () => {
      guard.close();
      tally.close();
    });

    node.status(guard.fault ? statusOf(RED, guard.fault) : {});
  }
  RED.nodes.registerType('ttn-guard', TtnGuard, { credentials: { clientSecret: { type: 'password' } } });

  /** The calls of a node; with a wrong setting, what every message fails with. */
  function poolOf({ atOnce, order }) {
    try {
      return { pool: new Pool(callsAtOnce(atOnce), { kept: isKept(order) }) };
    } catch (fault) {
      return { pool: new Pool(1), fault };
    }
  }
};
