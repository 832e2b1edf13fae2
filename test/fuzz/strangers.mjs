// @ts-check
/** First frames, and bytes that need not be frames at all. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { LIMITS } from '@relay/protocol';
import { frameText, named, opening } from './frames.mjs';
import { faultOf, fieldsOf, isOpening, isReason } from './oracle.mjs';
import { encodeRaw, OPCODE, Peer } from './peer.mjs';
import { insist, newAddress } from './world.mjs';

/** @typedef {import('./world.mjs').World} World */

export const firstFrame = fc.record({ text: frameText, then: frameText, isEarly: fc.boolean() });

/** @type {(world: World, first: { text: string, then: string, isEarly: boolean }) => Promise<void>} */
export async function meet(world, { text: template, then, isEarly }) {
  const people = { self: newAddress(), other: newAddress() };
  const text = named(template, people);
  const frame = encodeRaw({ opcode: OPCODE.text, payload: text });
  const peer = await Peer.open(world.port, isEarly ? frame : undefined);
  world.sent.frames += 2;
  try {
    if (!isEarly) peer.write(frame);
    await peer.until(() => peer.texts.length > 0 || peer.isOver, 'answer to a first frame');
    const faults = peer.texts.map(faultOf).filter((fault) => fault !== null);
    insist(faults.length === 0, () => faults.join('\n'));
    await insistOnAnswer(peer, text);
    // The answer to a challenge, or the second frame of somebody who is in: no proof that was made up is one.
    peer.text(named(then, people));
    peer.text('{"type":"ping"}');
    await peer.until(() => peer.isOver || peer.texts.length > 1, 'answer to a second frame');
  } finally {
    peer.destroy();
  }
}

/** @type {(peer: Peer, text: string) => Promise<void>} */
async function insistOnAnswer(peer, text) {
  const first = fieldsOf(peer.texts[0] ?? '');
  if (Buffer.byteLength(text) > LIMITS.frameBytesBeforeSignIn) {
    insist(peer.closeCode === 1009 && peer.texts.length === 0, () => `a large first frame: ${peer.closeCode}`);
  } else if (isOpening(fieldsOf(text))) {
    insist(['auth_success', 'challenge'].includes(String(first?.type)), () => `an opening: ${peer.texts[0]}`);
  } else if (first?.type !== 'auth_success' || fieldsOf(text)?.signature === undefined) {
    await peer.until(() => peer.isOver, 'a close');
    insist(first?.type === 'error' && peer.closeCode === 4401, () => `no opening: ${peer.texts[0]}, ${peer.closeCode}`);
  }
}

/** A right frame with some of its bytes wrong, or none that was ever right. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .tuple(
      fc.constantFrom(0x01, 0x81, 0x82, 0x00, 0x80, 0x88, 0x89, 0x8a),
      fc.nat(127),
      fc.uint8Array({ maxLength: 140 }),
    )
    .map(([first, length, rest]) => Uint8Array.from([first, 0x80 | length, ...rest])),
  fc
    .tuple(
      frameText,
      fc.array(fc.tuple(fc.nat(400), fc.nat(255), fc.constantFrom('set', 'insert', 'drop')), { maxLength: 3 }),
    )
    .map(([text, changes]) => {
      const frame = [...encodeRaw({ opcode: OPCODE.text, payload: text.slice(0, 4_000) })];
      for (const [at, byte, how] of changes) {
        frame.splice(at % frame.length, how === 'insert' ? 0 : 1, ...(how === 'drop' ? [] : [byte]));
      }
      return Uint8Array.from(frame);
    }),
);

export const rawBytes = fc.record({
  parts: fc.array(bytes, { minLength: 1, maxLength: 4 }),
  opening: fc.option(opening, { nil: null }),
});

/** @type {(world: World, raw: { parts: Uint8Array[], opening: Record<string, unknown> | null }) => Promise<void>} */
export async function pour(world, { parts, opening: first }) {
  const peer = await Peer.open(world.port);
  world.sent.frames += parts.length;
  try {
    if (first !== null) {
      peer.text(named(JSON.stringify(first), { self: newAddress() }));
      await peer.until(() => peer.texts.length > 0 || peer.isOver, 'auth_success');
    }
    for (const part of parts) peer.write(Buffer.from(part));
    peer.socket.end();
    await peer.until(() => peer.isOver, 'an end');
    const code = peer.closeCode;
    // Its own code comes back to a peer that closes.
    const isTheirs = code !== null && (code === 1014 || (code >= 3000 && code <= 4999));
    insist(code === null || isTheirs || isReason(code), () => `closed with ${code}`);
    const faults = peer.texts.map(faultOf).filter((fault) => fault !== null);
    insist(faults.length === 0, () => faults.join('\n'));
  } finally {
    peer.destroy();
  }
}
