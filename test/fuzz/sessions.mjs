// @ts-check
/** Whole conversations: what a client does on its connections, one step after the other, and how each must end. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { frameText, named, opening } from './frames.mjs';
import { encodeRaw, OPCODE, Peer } from './peer.mjs';
import { AT_ONCE, expectedOf, faultOf, fieldsOf } from './oracle.mjs';
import { insist, newAddress } from './world.mjs';

/**
 * @typedef {import('./world.mjs').World} World
 * @typedef {{ do: 'frame', text: string, pieces: number }
 *   | { do: 'control', opcode: number, payload: string }
 *   | { do: 'ack', which: 'first' | 'last' | 'ahead' }
 *   | { do: 'answer pings', on: boolean }
 *   | { do: 'read', on: boolean }
 *   | { do: 'settle' }
 *   | { do: 'come again', after: 'a close' | 'a cut' | 'half a frame' | 'nothing' }
 *   | { do: 'break', how: keyof typeof BREAKS }} Step
 * @typedef {{ opening: Record<string, unknown>, steps: Step[] }} Session
 */

/** A few of each kind; hostile-frames.spec.ts has them all. @type {Readonly<Record<string, { code: number, frames: import('./peer.mjs').FrameShape[] }>>} */
const BREAKS = {
  'no mask': { code: 1002, frames: [{ opcode: OPCODE.text, payload: '{}', masked: false }] },
  'a reserved bit': { code: 1002, frames: [{ opcode: OPCODE.text, payload: '{}', rsv: 4 }] },
  'a reserved opcode': { code: 1002, frames: [{ opcode: 0x3 }] },
  'a continuation of nothing': { code: 1002, frames: [{ opcode: OPCODE.continuation, payload: '{}' }] },
  'a fragmented ping': { code: 1002, frames: [{ opcode: OPCODE.ping, fin: false }] },
  'a close code that may not be sent': {
    code: 1002,
    frames: [{ opcode: OPCODE.close, payload: Buffer.from([3, 238]) }],
  },
  binary: { code: 1003, frames: [{ opcode: OPCODE.binary, payload: '{}' }] },
  'invalid UTF-8': { code: 1007, frames: [{ opcode: OPCODE.text, payload: Buffer.from([0x22, 0xff, 0x22]) }] },
  'a length of 2^53': { code: 1009, frames: [{ opcode: OPCODE.text, claimedLength: 2n ** 53n }] },
  'tiny fragments': {
    code: 1008,
    frames: [
      { opcode: OPCODE.text, payload: '{', fin: false },
      ...Array.from({ length: 150 }, () => ({ opcode: OPCODE.continuation, payload: ' ', fin: false })),
    ],
  },
};

const stepOf =
  /** @type {<const T extends string, F extends object>(name: T, fields: { [K in keyof F]: fc.Arbitrary<F[K]> }) => fc.Arbitrary<{ do: T } & F>} */ (
    (name, fields) => fc.record({ do: fc.constant(name), ...fields })
  );

/** @type {fc.Arbitrary<Step>} */
const step = fc.oneof(
  { weight: 40, arbitrary: stepOf('frame', { text: frameText, pieces: fc.constantFrom(1, 1, 1, 2, 5) }) },
  {
    weight: 3,
    arbitrary: stepOf('control', {
      opcode: fc.constantFrom(OPCODE.ping, OPCODE.pong),
      payload: fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom('0-0', '9-9', '/9', '1-1/1')),
    }),
  },
  { weight: 4, arbitrary: stepOf('ack', { which: fc.constantFrom('first', 'last', 'ahead') }) },
  { weight: 1, arbitrary: stepOf('answer pings', { on: fc.boolean() }) },
  { weight: 1, arbitrary: stepOf('read', { on: fc.boolean() }) },
  { weight: 3, arbitrary: fc.constant({ do: /** @type {const} */ ('settle') }) },
  {
    weight: 3,
    arbitrary: stepOf('come again', { after: fc.constantFrom('a close', 'a cut', 'half a frame', 'nothing') }),
  },
  { weight: 1, arbitrary: stepOf('break', { how: fc.constantFrom(...Object.keys(BREAKS)) }) },
);

/** People at the same time, who know each other. @type {fc.Arbitrary<Session[]>} */
export const sessions = fc.array(fc.record({ opening, steps: fc.array(step, { minLength: 1, maxLength: 16 }) }), {
  minLength: 1,
  maxLength: 3,
});

/** @type {(world: World, all: readonly Session[], bystanders: { alice: string, bob: string }) => Promise<void>} */
export async function playAll(world, all, { alice, bob }) {
  const addresses = all.map(() => newAddress());
  const at = (/** @type {number} */ i) => addresses[i % addresses.length] ?? alice;
  const results = await Promise.allSettled(
    all.map((session, i) => {
      const people = { self: at(i), other: at(i + 1), third: at(i + 2), alice, bob };
      return new Player(world, session, people).play();
    }),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** One person, on one connection after the other. */
class Player {
  /** @type {Peer} */
  #peer = /** @type {Peer} */ (/** @type {unknown} */ (null));
  /** Texts of this connection, as they arrive. @type {string[]} */
  #sent = [];
  #pings = 0;
  /** The close code that what was sent must bring about. @type {number | null} */
  #ending = null;
  #isBroken = false;

  /** @param {World} world @param {Session} session @param {Readonly<Record<string, string>>} people */
  constructor(world, session, people) {
    this.world = world;
    this.session = session;
    this.people = people;
  }

  async play() {
    try {
      await this.#open();
      for (const step of this.session.steps) await this.#take(step);
      await this.#judge();
    } finally {
      this.#peer?.destroy();
    }
  }

  async #open() {
    const peer = await Peer.open(this.world.port);
    this.#peer = peer;
    this.#sent = [];
    this.#pings = 0;
    this.#ending = null;
    this.#isBroken = false;
    this.world.sent.frames++;
    peer.text(named(JSON.stringify(this.session.opening), this.people));
    await peer.until(() => peer.texts.length > 0 || peer.isOver, 'an answer to a right opening');
    insist(
      peer.texts[0]?.startsWith('{"type":"auth_success"') === true,
      () => `an opening was answered ${peer.texts[0]}, ${peer.closeCode}`,
    );
  }

  /** @param {Step} step */
  async #take(step) {
    switch (step.do) {
      case 'frame':
        return this.#say(named(step.text, this.people), step.pieces);
      case 'control':
        return this.#write(encodeRaw(step));
      case 'ack':
        return this.#acknowledge(step.which);
      case 'answer pings':
        this.#peer.answersPings = step.on;
        return;
      case 'read':
        return void (step.on ? this.#peer.socket.resume() : this.#peer.socket.pause());
      case 'settle':
        return this.#settle();
      case 'come again':
        return this.#comeAgain(step.after);
      case 'break': {
        const { code, frames } = /** @type {(typeof BREAKS)[string]} */ (BREAKS[step.how]);
        this.#write(Buffer.concat(frames.map(encodeRaw)));
        this.#ending ??= code;
        this.#isBroken = true;
      }
    }
  }

  /** @type {(text: string, pieces?: number) => void} */
  #say(text, pieces = 1) {
    const bytes = Buffer.from(text);
    const size = Math.max(1, Math.ceil(bytes.length / pieces));
    const frames = [];
    for (let at = 0; at === 0 || at < bytes.length; at += size) {
      const opcode = at === 0 ? OPCODE.text : OPCODE.continuation;
      frames.push(encodeRaw({ opcode, payload: bytes.subarray(at, at + size), fin: at + size >= bytes.length }));
    }
    if (this.#ending === null) this.#expect(text, bytes.length);
    this.#write(Buffer.concat(frames));
  }

  /** @type {(text: string, bytes: number) => void} */
  #expect(text, bytes) {
    if (bytes > this.world.maxFrameBytes) {
      this.#ending = 1009;
      this.#isBroken = true;
      return;
    }
    this.#sent.push(text);
    if (this.#verdictOf(text) === 'ping') this.#pings++;
    const bad = this.#sent.filter((one) => ['bad_message', 'too_large'].includes(this.#verdictOf(one)));
    if (bad.length >= 5) this.#ending = 4400;
  }

  /** @param {string} text */
  #verdictOf(text) {
    const version = this.session.opening.type === 'hello' ? 2 : 1;
    return expectedOf(text, { version, keepsHistory: this.world.keepsHistory });
  }

  /** @param {Buffer} bytes */
  #write(bytes) {
    this.world.sent.frames++;
    this.#peer.write(bytes);
  }

  /** @param {'first' | 'last' | 'ahead'} which */
  #acknowledge(which) {
    const ids = this.#peer.texts.map((text) => fieldsOf(text)?.id).filter((id) => typeof id === 'string');
    const upTo = which === 'ahead' ? '999999999999999-1' : ((which === 'first' ? ids[0] : ids.at(-1)) ?? '0-0');
    this.#say(JSON.stringify({ type: 'ack', upTo }));
  }

  /** Everything up to here has been answered as far as it is at once. */
  async #settle() {
    const peer = this.#peer;
    peer.socket.resume();
    this.#say('{"type":"ping"}');
    const pongs = () => peer.texts.filter((text) => text.startsWith('{"type":"pong"')).length;
    await peer.until(() => peer.isOver || pongs() >= this.#pings, `${this.#pings} pongs`);
  }

  /** @param {Extract<Step, { do: 'come again' }>['after']} after */
  async #comeAgain(after) {
    const old = this.#peer;
    if (after === 'a close') {
      await this.#judge();
      if (!old.isOver) old.write(encodeRaw({ opcode: OPCODE.close, payload: Buffer.from([3, 232]) }));
      await old.until(() => old.isOver, 'an end of a closing handshake');
    } else if (after === 'half a frame') {
      const whole = encodeRaw({ opcode: OPCODE.text, payload: '{"type":"ping","x":"half"}' });
      old.write(whole.subarray(0, 9));
    }
    if (after !== 'nothing') old.destroy();
    await this.#open();
    // A device has one connection, and the older is told; classic ones live side by side.
    if (after === 'nothing' && this.session.opening.type === 'hello') {
      old.socket.resume();
      await old.until(() => old.isOver, 'a close of the replaced connection');
    }
    old.destroy();
  }

  async #judge() {
    await this.#settle();
    const peer = this.#peer;
    if (this.#ending !== null) await peer.until(() => peer.isOver, `a close with ${this.#ending}`);
    for (const text of this.#sent) {
      if (this.#verdictOf(text) === 'message') await this.#awaitVerdict(fieldsOf(text)?.messageId);
    }
    const faults = peer.texts.map(faultOf).filter((fault) => fault !== null);
    insist(faults.length === 0, () => faults.join('\n'));
    insist(peer.closeCode === this.#ending && (this.#ending !== null || !peer.hasEnded), () => {
      return `closed with ${peer.closeCode} (ended: ${peer.hasEnded}) instead of ${this.#ending}`;
    });
    this.#insistOnAnswers();
  }

  /** @param {unknown} messageId */
  async #awaitVerdict(messageId) {
    const peer = this.#peer;
    const isVerdict = (/** @type {string} */ text) => {
      if (!/^\{"type":"(queued|delivered|error)"/.test(text)) return false;
      return fieldsOf(text)?.messageId === messageId;
    };
    await peer.until(() => peer.isOver || peer.texts.some(isVerdict), `verdict for ${JSON.stringify(messageId)}`);
  }

  /** Each wrong frame has its error, in the order of the frames, and nothing else has one. */
  #insistOnAnswers() {
    const expected = this.#sent.map((text) => this.#verdictOf(text)).filter((code) => AT_ONCE.includes(code));
    const errors = this.#peer.texts.map(fieldsOf).filter((fields) => fields?.type === 'error');
    const codes = errors.map((fields) => fields?.code).filter((code) => AT_ONCE.includes(code));
    // Whoever breaks RFC 6455 is closed at once, whatever it is still owed.
    const owed = this.#isBroken ? expected.slice(0, codes.length) : expected;
    insist(codes.join() === owed.join(), () => `answered ${codes.join()} instead of ${expected.join()}`);
  }
}
