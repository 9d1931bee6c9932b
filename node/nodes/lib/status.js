'use strict';

const { statusOf } = require('./problem');
const { Tally } = require('./tally');

/** The shortest time between two statuses of a node, in ms. It does not make anybody wait for that of a single call. */
const PACE = 200;

/**
 * The status of a node. What it does itself comes first, then what is wrong for everybody, then a token that is no
 * good any more, then what its last call came to, and when the token will end.
 *
 * @param RED translates texts with a value in them; a bare key is translated by the editor
 * @param state `calls` in flight and messages `waiting`; whether the transport `works`; `problem`, everybody's; `left`, what is
 *   left of the token; `last`, `{ ms }`, `{}` or `{ error }` of what the node did last
 */
function choose(RED, { calls, waiting, works, problem, left, last }) {
  if (calls > 0 && !works) return { fill: 'yellow', shape: 'ring', text: 'ttn.status.connecting' };
  if (calls > 0) {
    const text = waiting > 0 ? RED._('ttn.status.requesting-many', { active: calls, waiting }) : 'ttn.status.requesting';
    return { fill: 'blue', shape: 'dot', text };
  }
  if (problem) return statusOf(RED, problem);
  if (left?.expired) return { fill: 'red', shape: 'dot', text: left.isKey ? 'ttn.status.key-expired' : 'ttn.status.token-expired' };
  if (last?.error) return statusOf(RED, last.error);
  if (left) {
    const [ok, what] = [last?.ms === undefined ? '' : 'ok-', left.isKey ? 'key-expires' : 'expires'];
    return { fill: 'yellow', shape: 'dot', text: RED._(`ttn.status.${ok}${what}`, { ms: last?.ms, time: timeLeft(RED, left) }) };
  }
  if (!last) return {};
  return { fill: 'green', shape: 'dot', text: last.ms === undefined ? 'ttn.status.attached' : RED._('ttn.status.ok', { ms: last.ms }) };
}

/** What is left of a token or a key, as text. */
const timeLeft = (RED, { unit, count }) => RED._(`ttn.time.${unit}`, { count });

/** What a node shows of itself and of its network. */
class NodeStatus {
  #RED;
  #current;
  #network;
  #transport;
  #waiting;
  #tally;
  #calls = 0;
  #last;
  #closed = false;
  #user = () => this.#changed();

  /**
   * @param network tells its network, undefined for none. It can be another one from one message to the next.
   * @param transport whose state is shown; undefined for that of the credential alone
   * @param fault what is wrong with the node's own settings, if anything is
   * @param waiting tells how many messages wait, if they can
   * @param show shows a status
   */
  constructor(RED, { network, transport, fault, waiting = () => 0, show }) {
    this.#RED = RED;
    this.#current = network;
    this.#transport = transport;
    if (fault) this.#last = { error: fault };
    this.#waiting = waiting;
    this.#tally = new Tally(show, PACE);
    this.#tally.now(this.#now());
  }

  /** Makes a call, and shows that it is made and what it comes to. */
  async during(call) {
    const started = performance.now();
    this.#calls += 1;
    this.#changed();
    try {
      const answer = await call();
      this.#last = { ms: Math.round(performance.now() - started) };
      return answer;
    } catch (error) {
      this.failed(error);
      throw error;
    } finally {
      this.#calls -= 1;
      this.#changed();
    }
  }

  /** Shows that something that is no call was done. */
  did() {
    this.#last = {};
    this.#changed();
  }

  /** Shows that a message failed. What concerns everybody is shown as long as it does, and not as this node's. */
  failed(error) {
    this.#last = this.#follow()?.concernsAll(error) ? undefined : { error };
    this.#changed();
  }

  /** Shows nothing any more. */
  close() {
    this.#closed = true;
    this.#network?.leave(this.#user);
    this.#tally.close();
  }

  #follow() {
    const network = this.#current();
    if (network === this.#network || this.#closed) return this.#network;
    this.#network?.leave(this.#user);
    this.#network = network;
    network?.check(this.#transport);
    network?.join(this.#user);
    return network;
  }

  #changed() {
    this.#tally.set(() => this.#now());
  }

  #now() {
    const network = this.#follow();
    if (!network) return { fill: 'grey', shape: 'ring', text: 'ttn.status.not-configured' };
    return choose(this.#RED, {
      calls: this.#calls,
      waiting: this.#waiting(),
      last: this.#last,
      ...network.state(this.#transport),
    });
  }
}

module.exports = { NodeStatus, choose, timeLeft };
