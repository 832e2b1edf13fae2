import { setTimeout as wait } from 'node:timers/promises';
import { expect, Unmet } from '../expect.mjs';
import { World } from '../world.mjs';
import { DrivenClient } from './driven-client.mjs';
import { Link } from './link.mjs';

/** @typedef {import('./link.mjs').Fate} Fate */
/** @typedef {import('../peer.mjs').Frame} Frame */

/** Long enough that what a client does wrong by itself has happened. */
const BY_ITSELF_MS = 400;

/** One client under test on a link that may break, and somebody whom it writes to. */
export class ClientWorld {
  /** Whether a message that is handed over is saved at once. */
  saves = true;
  /** Each message that was handed over and answered as saved, in order. @type {string[]} */
  savedIds = [];
  /** @type {Set<string>} */
  toldToSend = new Set();
  /** @type {Link | null} */
  #link = null;
  /** @type {DrivenClient | null} */
  #client = null;
  /** @type {import('../peer.mjs').Peer | null} */
  #peer = null;

  /** @param {import('../relay.mjs').Relay} relay @param {string} command */
  constructor(relay, command) {
    this.relay = relay;
    this.command = command;
    this.world = new World(relay, 2);
    this.me = this.world.person();
    this.bob = this.world.person();
  }

  get link() {
    return started(this.#link);
  }

  get client() {
    return started(this.#client);
  }

  /** Bob's. */
  get peer() {
    return started(this.#peer);
  }

  /** The client runs, is told where to connect, and is let in. @param {{ isLetIn?: boolean }} [options] */
  async start({ isLetIn = true } = {}) {
    this.#link = await Link.to(this.relay.wsUrl);
    this.#client = new DrivenClient(this.command, (event) => this.#heard(event));
    // Who knows each other has no bounds for strangers; and Bob has a mailbox.
    this.#peer = await this.bob.join();
    const { domain } = this.relay.facts.auth;
    this.client.tell('connect', { url: this.link.url, address: this.me.address, domain });
    if (isLetIn) await this.until(() => this.link.all('to-client', 'auth_success').length > 0, 'the client signs in');
    const { link, client, peer } = this;
    return { link, client, peer };
  }

  /** @param {() => boolean} condition @param {string} expected */
  until(condition, expected) {
    return this.client.until(condition, expected, [this.link]);
  }

  /** @param {string} messageId */
  tellToSend(messageId) {
    this.toldToSend.add(messageId);
    this.client.tell('send', { to: this.bob.address, messageId, content: `content of ${messageId}` });
  }

  /** Bob writes to the client. @param {string} messageId */
  write(messageId) {
    this.peer.send(this.world.message(this.me.address, { messageId, content: `content of ${messageId}` }));
  }

  /** @param {string} messageId */
  save(messageId) {
    this.savedIds.push(messageId);
    this.client.tell('saved', { from: this.bob.address, messageId });
  }

  /** What the client handed to its application, in order. */
  get handedOver() {
    return this.client.all('message').map(({ messageId }) => messageId);
  }

  /** What it said of one message, in order. @param {string} messageId */
  ticksOf(messageId) {
    return this.client.all('status', { messageId }).map(({ status }) => status);
  }

  /** The first frame that this fits has this fate, all others pass. @param {(frame: Frame, direction: string) => boolean} fits @param {Fate} fate */
  once(fits, fate) {
    let isOver = false;
    this.link.fate = (frame, direction) => {
      if (isOver || !fits(frame, direction)) return 'pass';
      isOver = true;
      return fate;
    };
  }

  /** Acknowledgements went only to what was sent on that connection, and only when everything up to it had been saved. */
  checkAcknowledgements() {
    for (const { frame, connection } of this.link.all('to-relay', 'ack')) {
      const sent = this.link.seen.filter((one) => one.direction === 'to-client' && one.connection === connection);
      const upTo = sent.findIndex((one) => one.frame.id === frame.upTo);
      if (upTo < 0)
        throw new Unmet('an acknowledgement', 'the id of an entry that came on this connection', frame.upTo);
      const unsaved = sent
        .slice(0, upTo + 1)
        .filter(({ frame: { type, messageId } }) => type === 'message' && !this.savedIds.includes(messageId));
      expect(
        'messages up to it that were not saved',
        unsaved.map(({ frame: { messageId } }) => messageId),
        [],
      );
    }
  }

  async end() {
    await this.#client?.end();
    for (const { frame } of this.#link?.all('to-relay', 'hello') ?? []) this.me.devices.add(frame.deviceId);
    await this.#link?.end();
    this.#peer?.kill();
    return this.world.end();
  }

  /** @param {import('./driven-client.mjs').ClientEvent} event */
  #heard({ event, nonce, messageId }) {
    if (event === 'sign') this.client.tell('signature', { scheme: 'idena', signature: this.me.key.sign(nonce) });
    if (event === 'message' && this.saves) this.save(messageId);
  }
}

/** @template Part @param {Part | null} part @returns {Part} */
function started(part) {
  if (part === null) throw new Error('the case has not been started');
  return part;
}

/**
 * @typedef {object} ClientCase
 * @property {string} section
 * @property {string} name
 * @property {(world: ClientWorld) => string | null} skip
 * @property {(world: ClientWorld) => Promise<void>} run
 */

/** @param {string} section @returns {(name: string, run: (world: ClientWorld) => Promise<void>, needs?: (world: ClientWorld) => string | null) => ClientCase} */
const casesOf =
  (section) =>
  (name, run, skip = () => null) => ({ section, name, run, skip });

const opening = casesOf('4. Opening');
const sending = casesOf('5. What a client sends › message');
const once = casesOf('2. Promises');
const ack = casesOf('5. What a client sends › ack');
const ticks = casesOf('9. Receipts');
const errors = casesOf('11. Errors');
const closes = casesOf('12. Close codes');
const others = casesOf('6. What the relay sends');

const isSigned = (/** @type {ClientWorld} */ { relay }) => (relay.isSigned ? null : 'addresses are believed here');
const isSend = (/** @type {string} */ messageId) => (/** @type {Frame} */ frame, /** @type {string} */ direction) =>
  direction === 'to-relay' && frame.type === 'message' && frame.messageId === messageId;
const comes = (/** @type {string} */ messageId) => (/** @type {Frame} */ frame, /** @type {string} */ direction) =>
  direction === 'to-client' && frame.type === 'message' && frame.messageId === messageId;
const refusal = (/** @type {string} */ messageId, /** @type {Frame} */ more) => ({
  type: 'error',
  message: 'injected',
  messageId,
  ...more,
});

/** The message is with Bob once, under its id and with its content, and the client knows. @param {ClientWorld} world @param {string} messageId */
async function arrivedOnce(world, messageId) {
  await world.until(() => world.ticksOf(messageId).includes('delivered'), `delivered for ${messageId}`);
  await world.peer.settled();
  expect(
    'what Bob got',
    world.peer.messageIds.filter((id) => id === messageId),
    [messageId],
  );
  const sends = world.link.all('to-relay', 'message').map(({ frame }) => frame);
  const unknown = sends.filter((frame) => !world.toldToSend.has(frame.messageId));
  expect('what it sent and was not told to', unknown, []);
  for (const frame of sends.filter((one) => one.messageId === messageId))
    expect('each send', frame, { content: `content of ${messageId}`, to: world.bob.address });
}

/** @type {ClientCase[]} */
export const CLIENT_CASES = [
  opening('opens with `hello`, the same deviceId on each connection, and nothing before it', async (world) => {
    const { link } = await world.start();
    link.cut();
    await world.until(() => link.all('to-client', 'auth_success').length === 2, 'it connects again');
    const hellos = link.all('to-relay', 'hello').map(({ frame }) => frame);
    expect(
      'both',
      hellos.length >= 2 &&
        hellos.every(
          ({ v, deviceId, address }) => v === 2 && deviceId === hellos[0]?.deviceId && address === world.me.address,
        ),
      true,
    );
    expect('the first frame', link.seen[0]?.frame.type, 'hello');
  }),
  opening(
    'opens again with its token, without a signature',
    async (world) => {
      const { link, client } = await world.start();
      const { token } = link.all('to-client', 'auth_success')[0]?.frame ?? {};
      link.cut();
      await world.until(() => link.all('to-client', 'auth_success').length === 2, 'it connects again');
      expect('its last hello', link.all('to-relay', 'hello').at(-1)?.frame, { token });
      expect('how often it signed', client.all('sign').length, 1);
    },
    isSigned,
  ),
  opening(
    'signs no nonce of another domain',
    async (world) => {
      const { link, client } = await world.start({ isLetIn: false });
      // Some may have passed already: what counts is what is signed.
      link.fate = (frame) =>
        frame.type === 'challenge'
          ? { ...frame, nonce: frame.nonce.replace(/^relay:signin-.+?-0x/, 'relay:signin-evil.example-0x') }
          : 'pass';
      await world.until(() => link.all('to-client', 'challenge').length > 0, 'a challenge comes');
      await wait(BY_ITSELF_MS);
      const evil = client.all('sign').filter(({ nonce }) => nonce.includes('evil.example'));
      expect('what it wanted to sign', evil, []);
      expect('whether it was let in', link.all('to-client', 'auth_success').length, 0);
    },
    isSigned,
  ),

  sending('sends, and tells what becomes of it', async (world) => {
    await world.start();
    world.tellToSend('a');
    await arrivedOnce(world, 'a');
  }),
  sending('sends again what was lost with the connection', async (world) => {
    const { link } = await world.start();
    world.once(isSend('a'), 'cut');
    world.tellToSend('a');
    await arrivedOnce(world, 'a');
    expect('connections', link.connections >= 2, true);
  }),
  sending('sends again, with the same id, what reached the relay before the connection broke', async (world) => {
    const { link } = await world.start();
    world.once(isSend('a'), 'pass, then cut');
    world.tellToSend('a');
    await world.peer.get('message', { messageId: 'a' });
    await world.until(() => link.all('to-relay', 'message').length >= 2, 'it is sent again');
    await arrivedOnce(world, 'a');
  }),
  sending('keeps what it is told to send while it has no connection, and sends it in order', async (world) => {
    const { link } = await world.start();
    world.once((frame) => frame.type === 'hello', 'cut');
    link.cut();
    for (const messageId of ['a', 'b', 'c']) world.tellToSend(messageId);
    for (const messageId of ['a', 'b', 'c']) await arrivedOnce(world, messageId);
    expect('the order', world.peer.messageIds, ['a', 'b', 'c']);
  }),

  once('5: hands over once what comes again because the connection broke before the acknowledgement', async (world) => {
    const { link } = await world.start();
    world.once((frame, direction) => direction === 'to-relay' && frame.type === 'ack', 'cut');
    world.write('a');
    await world.peer.get('delivered', { messageId: 'a' });
    await wait(BY_ITSELF_MS);
    expect('handed over', world.handedOver, ['a']);
    expect('how often it came', link.all('to-client', 'message').length >= 2, true);
    world.checkAcknowledgements();
  }),
  once('5: hands over once what comes again while the application is still saving it', async (world) => {
    const { link } = await world.start();
    world.saves = false;
    world.write('a');
    await world.until(() => world.handedOver.length === 1, 'it is handed over');
    link.cut();
    await world.until(() => link.all('to-client', 'message').length === 2, 'it comes again');
    await wait(BY_ITSELF_MS);
    expect('handed over', world.handedOver, ['a']);
    expect('acknowledgements before it was saved', link.all('to-relay', 'ack').length, 0);
    world.save('a');
    await world.peer.get('delivered', { messageId: 'a' });
    world.checkAcknowledgements();
  }),
  once('4: hands over in the order of the mailbox, whatever breaks in between', async (world) => {
    await world.start();
    const names = Array.from({ length: 12 }, (_, i) => `m${i}`);
    world.once(comes('m5'), 'cut');
    for (const name of names) world.write(name);
    await world.until(() => world.handedOver.length >= names.length, 'all are handed over');
    await world.peer.count('delivered', names.length);
    expect('the order', world.handedOver, names);
    world.checkAcknowledgements();
  }),

  ack('acknowledges after the application has saved, not before', async (world) => {
    const { link } = await world.start();
    world.saves = false;
    world.write('a');
    await world.until(() => world.handedOver.length === 1, 'it is handed over');
    await wait(BY_ITSELF_MS);
    expect('acknowledgements before', link.all('to-relay', 'ack').length, 0);
    world.save('a');
    await world.peer.get('delivered', { messageId: 'a' });
    expect('upTo', link.all('to-relay', 'ack').at(-1)?.frame.upTo, link.all('to-client', 'message')[0]?.frame.id);
  }),
  ack('acknowledges no further than the first message that is not saved', async (world) => {
    const { link } = await world.start();
    world.saves = false;
    for (const messageId of ['a', 'b', 'c']) world.write(messageId);
    await world.until(() => world.handedOver.length > 0 && link.all('to-client', 'message').length === 3, 'they come');
    // Who hands over one at a time is told in that order, too.
    for (const messageId of ['a', 'b', 'c']) {
      await world.until(() => world.handedOver.includes(messageId), `${messageId} is handed over`);
      await wait(BY_ITSELF_MS / 4);
      world.checkAcknowledgements();
      world.save(messageId);
    }
    await world.peer.count('delivered', 3);
    world.checkAcknowledgements();
  }),
  ack('acknowledges receipts that come out of the mailbox, too', async (world) => {
    const { link, peer } = await world.start();
    await peer.close();
    world.tellToSend('a');
    await world.until(() => world.ticksOf('a').includes('queued'), 'queued');
    // It is away while they happen: so they wait for it.
    link.fate = (frame) => (frame.type === 'hello' ? 'cut' : 'pass');
    link.cut();
    await world.until(() => link.connections >= 2, 'it connects again');
    const other = await world.bob.join();
    await other.get('message', { messageId: 'a' });
    other.send({ type: 'read_receipt', to: world.me.address, messageId: 'a' });
    await other.settled();
    link.fate = () => 'pass';
    await world.until(() => world.ticksOf('a').includes('read'), 'read');
    const last = link.seen.filter(({ direction, frame }) => direction === 'to-client' && frame.id !== undefined).at(-1);
    expect('the receipt', last?.frame, { type: 'read', messageId: 'a' });
    const hasIt = () => link.all('to-relay', 'ack').some(({ frame }) => frame.upTo === last?.frame.id);
    await world.until(hasIt, `an acknowledgement up to ${last?.frame.id}`);
  }),

  ticks('never go back: no `delivered` after `read`, nothing twice', async (world) => {
    const { link, peer } = await world.start();
    world.tellToSend('a');
    await peer.get('message', { messageId: 'a' });
    await world.until(() => world.ticksOf('a').includes('delivered'), 'delivered');
    peer.send({ type: 'read_receipt', to: world.me.address, messageId: 'a' });
    await world.until(() => world.ticksOf('a').includes('read'), 'read');
    for (const type of ['queued', 'delivered']) {
      link.inject({ type, messageId: 'a', to: world.bob.address, timestamp: Date.now() });
    }
    link.inject({ type: 'read', messageId: 'a', from: world.bob.address, timestamp: Date.now() });
    world.tellToSend('b');
    await arrivedOnce(world, 'b');
    const told = world.ticksOf('a');
    const ranks = told.map((status) => ['queued', 'delivered', 'read'].indexOf(status));
    expect(
      'what it told',
      [told.at(-1), ranks.every((rank, i) => i === 0 || rank > (ranks[i - 1] ?? -1))],
      ['read', true],
    );
  }),
  ticks('says that it has read, where the application says so', async (world) => {
    const { client, peer } = await world.start();
    world.write('a');
    await world.until(() => world.handedOver.length === 1, 'it is handed over');
    client.tell('read', { from: world.bob.address, messageId: 'a' });
    await peer.get('read', { messageId: 'a', from: world.me.address });
  }),

  errors('sends again, with the same id, what was refused for the moment', async (world) => {
    await world.start();
    world.once(
      isSend('a'),
      refusal('a', { code: 'rate_limited', outcome: 'refused', retryable: true, retryAfterMs: 200 }),
    );
    world.tellToSend('a');
    await arrivedOnce(world, 'a');
  }),
  errors('sends again, with the same id, what has an unknown outcome', async (world) => {
    await world.start();
    world.once(
      isSend('a'),
      refusal('a', { code: 'store_unavailable', outcome: 'unknown', retryable: true, retryAfterMs: 200 }),
    );
    world.tellToSend('a');
    await arrivedOnce(world, 'a');
  }),
  errors('tells its application what was refused for good, and does not send it again', async (world) => {
    const { link } = await world.start();
    world.once(isSend('a'), refusal('a', { code: 'id_conflict', outcome: 'refused', retryable: false }));
    world.tellToSend('a');
    await world.until(() => world.ticksOf('a').includes('failed'), 'failed');
    link.cut();
    await world.until(() => link.all('to-client', 'auth_success').length === 2, 'it connects again');
    world.tellToSend('b');
    await arrivedOnce(world, 'b');
    expect('what Bob got', world.peer.messageIds, ['b']);
  }),

  others('ignores types and fields that it does not know', async (world) => {
    const { link } = await world.start();
    link.inject({ type: 'from_a_later_version', id2: 'x', more: [1] });
    link.inject({ type: 'presence', address: world.bob.address, status: 'online', mood: 'good' });
    world.write('a');
    await world.peer.get('delivered', { messageId: 'a' });
    expect('connections', link.connections, 1);
  }),
  others('comes back when it was told to, after `going_away` and 1012', async (world) => {
    const { link } = await world.start();
    const closedAt = performance.now();
    link.inject({ type: 'going_away', reconnectAfterMs: 700 });
    link.close(1012);
    await world.until(() => link.connections === 2, 'it connects again');
    const afterMs = Math.round((link.openedAt[1] ?? 0) - closedAt);
    // Timers may fire a moment early.
    expect('not before, ms', afterMs >= 690 || afterMs, true);
    world.write('a');
    await world.peer.get('delivered', { messageId: 'a' });
  }),
  ...[4409, 4401, 4403].map((code) =>
    closes(`${code}: it does not connect again as it is`, async (world) => {
      const { link } = await world.start();
      link.close(code);
      await wait(BY_ITSELF_MS * 5);
      expect('connections', link.connections, 1);
    }),
  ),
  ...[1012, 1013, 4408, 4413, 4429].map((code) =>
    closes(`${code}: it connects again`, async (world) => {
      const { link } = await world.start();
      link.close(code);
      await world.until(() => link.all('to-client', 'auth_success').length === 2, 'it is let in again');
    }),
  ),
];
