import { randomUUID } from 'node:crypto';
import { Peer } from './peer.mjs';
import { Key } from './signing.mjs';

/** @typedef {{ deviceId?: string, window?: number, acks?: boolean, pongs?: boolean, version?: 1 | 2 }} JoinOptions */

/** Somebody with an address of their own, whom nobody knows. */
export class Person {
  key = new Key();
  /** Session tokens by device. @type {Map<string, string>} */
  tokens = new Map();
  /** Devices that have a place in the mailbox. @type {Set<string>} */
  devices = new Set();
  /** @type {Peer[]} */
  peers = [];

  /** @param {import('./relay.mjs').Relay} relay @param {1 | 2} version */
  constructor(relay, version) {
    this.relay = relay;
    this.version = version;
  }

  get address() {
    return this.key.address;
  }

  /** For REST: of any device; null where the relay goes without. */
  get token() {
    return [...this.tokens.values()].at(-1) ?? null;
  }

  /** Open, and nothing said. @param {import('ws').ClientOptions} [options] */
  async connect(options) {
    const peer = await Peer.connect(this.relay.wsUrl, options);
    this.peers.push(peer);
    return peer;
  }

  /** Signed in, by the version that is tested; acknowledges what comes unless told not to. @param {JoinOptions} [options] */
  async join({ deviceId = 'd1', window, acks = true, pongs = true, version = this.version } = {}) {
    const peer = await this.connect({ autoPong: pongs });
    if (version === 1) {
      this.devices.add('classic');
      peer.send({ type: 'auth', address: this.address });
      await peer.get('auth_success');
      return peer;
    }
    this.devices.add(deviceId);
    if (acks) peer.socket.on('message', () => this.#acknowledge(peer));
    const token = this.tokens.get(deviceId);
    const more = { ...(window && { window }), ...(token && { token }) };
    peer.send({ type: 'hello', v: 2, address: this.address, deviceId, ...more });
    await peer.until(() => peer.frames.length > 0, 'a challenge or auth_success');
    if (peer.frames[0]?.type === 'challenge') this.answer(peer);
    this.#welcomed(deviceId, await peer.get('auth_success'));
    return peer;
  }

  /** Proves the address, also where the relay would believe it. @param {string} [deviceId] @param {import('./signing.mjs').Scheme} [scheme] */
  async prove(deviceId = 'd1', scheme = 'idena') {
    const peer = await this.challenged(deviceId);
    this.answer(peer, scheme);
    this.#welcomed(deviceId, await peer.get('auth_success'));
    return peer;
  }

  /** Has got a challenge. @param {string} [deviceId] @param {Record<string, unknown>} [more] */
  async challenged(deviceId = 'd1', more = {}) {
    const peer = await this.connect();
    this.devices.add(deviceId);
    peer.send({ type: 'hello', v: 2, address: this.address, deviceId, challenge: true, ...more });
    await peer.get('challenge');
    return peer;
  }

  /** @param {Peer} peer @param {import('./signing.mjs').Scheme} [scheme] */
  answer(peer, scheme = 'idena') {
    const { nonce } = peer.all('challenge')[0] ?? {};
    peer.send({ type: 'auth', address: this.address, scheme, signature: this.key.sign(nonce, scheme) });
  }

  /** Takes everything that waits, on every device, so that nothing stays behind. */
  async leave() {
    for (const peer of this.peers) peer.kill();
    for (const device of [...this.devices]) {
      const peer = await this.join(device === 'classic' ? { version: 1 } : { version: 2, deviceId: device });
      if (device === 'classic') await this.#emptied(peer);
      else await peer.get('sync_complete');
      // The last acknowledgement has come before the answer to this.
      await peer.settled();
      await peer.close();
    }
  }

  /** Version 1 does not say when everything has come; a device of version 2 is told. @param {Peer} peer */
  async #emptied(peer) {
    if (!this.relay.facts.protocol.versions.includes(2)) return this.#quiet(peer);
    const device = await this.join({ version: 2, deviceId: 'suite-end' });
    await device.get('sync_complete');
    await device.settled();
    await device.close();
  }

  /** No frame came between two round trips. @param {Peer} peer */
  async #quiet(peer) {
    let before = -1;
    while (peer.frames.length - before > 1) {
      before = peer.frames.length;
      await peer.settled();
    }
  }

  /** @param {Peer} peer */
  #acknowledge(peer) {
    const { id } = peer.frames.at(-1) ?? {};
    if (id !== undefined) peer.send({ type: 'ack', upTo: id });
  }

  /** @param {string} deviceId @param {import('./peer.mjs').Frame} welcome */
  #welcomed(deviceId, { token }) {
    if (token !== undefined) this.tokens.set(deviceId, token);
  }
}

/** What one case has: a relay, and people made for it. */
export class World {
  /** @type {Person[]} */
  people = [];

  /** @param {import('./relay.mjs').Relay} relay @param {1 | 2} version */
  constructor(relay, version) {
    this.relay = relay;
    this.version = version;
  }

  get facts() {
    return this.relay.facts;
  }

  person() {
    const person = new Person(this.relay, this.version);
    this.people.push(person);
    return person;
  }

  /** Two who know each other, so that no bound for strangers is in the way; both connected. @param {JoinOptions} [ofBob] */
  async pair(ofBob = {}) {
    const [alice, bob] = [this.person(), this.person()];
    const [a, b] = [await alice.join(), await bob.join(ofBob)];
    return { alice, bob, a, b };
  }

  /** @param {string} to @param {Record<string, unknown>} [more] */
  message(to, more = {}) {
    return {
      type: 'message',
      to,
      content: 'ciphertext',
      messageId: `m-${randomUUID()}`,
      timestamp: Date.now(),
      ...more,
    };
  }

  async end() {
    const left = await Promise.allSettled(this.people.map((person) => person.leave()));
    return left.every(({ status }) => status === 'fulfilled');
  }
}
