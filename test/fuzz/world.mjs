// @ts-check
/** A relay under test, and what a property needs to know of it. */
import { Peer } from './peer.mjs';
import { faultOf } from './oracle.mjs';
import { addressOf } from './values.mjs';

/**
 * @typedef {object} World
 * @property {number} port
 * @property {boolean} keepsHistory
 * @property {number} maxFrameBytes
 * @property {() => string[]} faults  of the relay itself since the last call: it ended, it failed, it stood still
 * @property {{ frames: number, requests: number }} sent
 */

let people = 0x10_000;

/** An address that nothing has been done to. */
export const newAddress = () => addressOf(++people);

/** @param {boolean} condition @param {() => string} fault @returns {asserts condition} */
export function insist(condition, fault) {
  if (!condition) throw new Error(fault());
}

/** @param {World} world */
export function insistOnHealth(world) {
  const faults = world.faults();
  insist(faults.length === 0, () => faults.join('\n'));
}

/** @type {(world: World, address: string) => Promise<Peer>} */
async function signIn(world, address) {
  const peer = await Peer.open(world.port);
  peer.text(JSON.stringify({ type: 'auth', address }));
  await peer.until(() => peer.texts.length > 0 || peer.isOver, 'auth_success');
  return peer;
}

/** Two people who have nothing to do with any of it. */
export class Bystanders {
  #exchanges = 0;

  /** @param {World} world @param {string} alice @param {string} bob @param {readonly [Peer, Peer]} peers */
  constructor(world, alice, bob, peers) {
    this.world = world;
    this.alice = alice;
    this.bob = bob;
    this.peers = peers;
  }

  /** @param {World} world */
  static async arrive(world) {
    const [alice, bob] = [newAddress(), newAddress()];
    return new Bystanders(world, alice, bob, [await signIn(world, alice), await signIn(world, bob)]);
  }

  /** They get their messages, whatever else goes on. */
  async insistUntouched() {
    const [sender, recipient] = this.peers;
    const messageId = `sane-${++this.#exchanges}`;
    const has = (/** @type {Peer} */ peer, /** @type {string} */ start) =>
      peer.texts.some((text) => text.startsWith(start) && text.includes(`"${messageId}"`));
    sender.text(JSON.stringify({ type: 'message', to: this.bob, content: messageId, messageId }));
    await recipient.until(() => has(recipient, '{"type":"message"'), `${messageId} at a bystander`);
    await sender.until(() => has(sender, '{"type":"delivered"'), `delivered for ${messageId} of a bystander`);
    for (const peer of this.peers) {
      const faults = peer.texts.map(faultOf).filter((fault) => fault !== null);
      peer.texts.length = 0;
      insist(faults.length === 0, () => faults.join('\n'));
    }
    insistOnHealth(this.world);
  }

  leave() {
    for (const peer of this.peers) peer.destroy();
  }
}
