'use strict';

const { setImmediate: turn, setTimeout: wait } = require('node:timers/promises');

const { Problem, invalid, statusOf } = require('./problem');
const { present } = require('./setting');
const { timeLeft } = require('./status');
const { Tally } = require('./tally');

/** How long after an error that does not pass by itself the stream is opened again, in ms: a key may be given the right. */
const AGAIN = 60_000;

/** The shortest time between two statuses of which only what is left of the key is new, in ms. */
const PACE = 200;

/** What a server says of the stream, first of all (v3/wire.md, section Events). */
const STARTED = 'events.stream.start';

/**
 * The events of applications or of their devices, one after the other, for as long as the node runs. The next one is read
 * when the flow had its turn with the last: what a flow cannot take waits at the server, and is not kept here.
 */
class Events {
  #RED;
  #config;
  #current;
  #network;
  #appId;
  #handlers;
  #tally;
  #closing = new AbortController();
  #state = {};
  #reported;
  #user = () => this.#tally.set(() => this.#status());

  /**
   * @param RED translates texts with a value in them
   * @param config the node's properties
   * @param network tells its network, undefined for none
   * @param handlers `event(message)`, `failed(error)` and `show(status)`
   * @param again how long after an error the stream is opened again, in ms
   */
  constructor(RED, config, network, handlers, again = AGAIN) {
    this.#RED = RED;
    this.#config = config;
    this.#current = network;
    this.#handlers = handlers;
    this.#tally = new Tally(handlers.show, PACE);
    this.#run(again);
  }

  async #run(again) {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#phase('connecting');
      const failed = await this.#listen(signal).then(() => undefined, (error) => error);
      if (signal.aborted) return;
      // A stream that just ends, which the client should not let it, is opened again as well.
      if (failed) this.#failed(failed);
      await wait(again, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** Until the stream ends for good. */
  async #listen(signal) {
    const network = this.#follow();
    if (!network) throw new Problem('AUTH_MISSING_CREDENTIALS', 'not-configured');
    if (!network.isStack) throw invalid('events-of-v2');
    const { transport, appId, request } = wanted(this.#config, network);
    this.#appId = appId;
    await network.use(transport, async (client) => {
      const onReconnect = () => this.#phase('reconnecting');
      for await (const event of client.events(request, { signal, reconnect: true, onReconnect })) {
        if (signal.aborted) return;
        network.answered(transport);
        this.#reported = undefined;
        this.#phase('connected');
        if (event.name === STARTED) continue;
        this.#handlers.event(messageOf(event));
        await turn();
      }
    }, { appId });
  }

  /** Says it once, however often it is tried again. */
  #failed(error) {
    this.#enter({ error });
    const said = `${error?.code} ${error?.message}`;
    if (said === this.#reported) return;
    this.#reported = said;
    this.#handlers.failed(error);
  }

  #follow() {
    const network = this.#current();
    if (network !== this.#network) {
      this.#network?.leave(this.#user);
      this.#network = network;
      network?.join(this.#user);
      network?.check(transportOf(this.#config));
    }
    return network;
  }

  #phase(phase) {
    if (phase !== this.#state.phase) this.#enter({ phase });
  }

  /** Shows it at once: a stream that was opened again a moment later was broken all the same. */
  #enter(state) {
    this.#state = state;
    this.#tally.now(this.#status());
  }

  #status() {
    return statusFor(this.#RED, this.#state, this.#network?.state(transportOf(this.#config)).left, this.#appId);
  }

  /** Ends the stream. Nobody is called any more. */
  close() {
    this.#closing.abort();
    this.#network?.leave(this.#user);
    this.#network = undefined;
    this.#tally.close();
  }
}

const transportOf = ({ transport }) => (transport === 'http' ? 'http' : 'grpc');

/** Names with commas or blanks between. */
const words = (text) => (present(text) ?? '').split(/[\s,]+/).filter(Boolean);

/** What the settings ask for. Throws a `Problem` for what cannot be asked. */
function wanted(config, network) {
  const apps = words(config.appId || network.appId);
  const devices = words(config.devId);
  if (apps.length === 0) throw invalid('id-missing', { name: 'app_id' });
  if (devices.length > 0 && apps.length > 1) throw invalid('events-devices');
  const applications = apps.map((application_id) => ({ application_ids: { application_id } }));
  const ofDevice = (device_id) => ({ device_ids: { device_id, ...applications[0] } });
  const identifiers = devices.length > 0 ? devices.map(ofDevice) : applications;
  const names = words(config.names);
  return { transport: transportOf(config), appId: apps[0], request: { identifiers, ...(names.length > 0 && { names }) } };
}

/** An event as a message. Its ids are where a ttn-request node looks for them. */
function messageOf(event) {
  const { device_ids, application_ids = device_ids?.application_ids } = event.identifiers?.[0] ?? {};
  const message = { topic: event.name, payload: event };
  if (application_ids?.application_id) message.app_id = application_ids.application_id;
  if (device_ids?.device_id) message.dev_id = device_ids.device_id;
  return message;
}

function statusFor(RED, { phase, error }, left, appId) {
  if (error?.kind === 'permission-denied') {
    return { fill: 'red', shape: 'dot', text: RED._('ttn.status.events-right', { app: appId }) };
  }
  if (error instanceof Problem && error.key === 'not-configured') return { fill: 'grey', shape: 'ring', text: 'ttn.status.not-configured' };
  if (error) return statusOf(RED, error);
  if (phase === 'connecting') return { fill: 'yellow', shape: 'ring', text: 'ttn.status.connecting' };
  if (phase === 'reconnecting') return { fill: 'yellow', shape: 'ring', text: 'ttn.status.reconnecting' };
  if (left && !left.expired) {
    return { fill: 'yellow', shape: 'dot', text: RED._('ttn.status.connected-expires', { time: timeLeft(RED, left) }) };
  }
  return { fill: 'green', shape: 'dot', text: 'ttn.status.connected' };
}

module.exports = { Events };
