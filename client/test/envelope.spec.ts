import { readFileSync } from 'node:fs';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import type { Address } from '@relay/protocol';
import { fromBase64, toBase64 } from '../encryption/base64.js';
import { type Binding, headerOf, seal, unseal } from '../encryption/envelope.js';
import { encryptionKeyPairOf, fingerprintOf, keyIdOf, newEncryptionKeyPair } from '../encryption/key-pair.js';
import { pad, unpad } from '../encryption/padding.js';

interface Vector {
  readonly name: string;
  readonly senderSecret: string;
  readonly recipientSecret: string;
  readonly ephemeralSecret: string;
  readonly senderPublic: string;
  readonly recipientPublic: string;
  readonly binding: Binding;
  readonly padToBytes: number;
  readonly plaintextUtf8: string;
  readonly content: string;
}

const { vectors } = JSON.parse(readFileSync(new URL('./vectors.json', import.meta.url), 'utf8')) as {
  readonly vectors: readonly Vector[];
};
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const address = (digit: string): Address => `0x${digit.repeat(40)}` as Address;

const alice = newEncryptionKeyPair();
const bob = newEncryptionKeyPair();
const binding: Binding = { from: address('a'), to: address('b'), messageId: 'm-1' };
const sealed = (): string => seal(text('hello'), { binding, own: alice, peerKey: bob.publicKey, padToBytes: 64 });
const opened = (content: string, changes: Partial<Parameters<typeof unseal>[1]> = {}) =>
  unseal(content, { binding, own: bob, peerKey: alice.publicKey, ...changes });

describe('test vectors', () => {
  it('are there', () => expect(vectors.length).toBeGreaterThanOrEqual(4));

  it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_, vector) => {
    const sender = encryptionKeyPairOf(hexToBytes(vector.senderSecret));
    const recipient = encryptionKeyPairOf(hexToBytes(vector.recipientSecret));
    expect(bytesToHex(sender.publicKey)).toBe(vector.senderPublic);
    expect(bytesToHex(recipient.publicKey)).toBe(vector.recipientPublic);
    const { padToBytes } = vector;
    const content = seal(text(vector.plaintextUtf8), {
      binding: vector.binding,
      own: sender,
      peerKey: recipient.publicKey,
      padToBytes,
      ephemeralSecret: hexToBytes(vector.ephemeralSecret),
    });
    expect(content).toBe(vector.content);
    const plaintext = unseal(content, { binding: vector.binding, own: recipient, peerKey: sender.publicKey });
    expect(new TextDecoder().decode(plaintext!)).toBe(vector.plaintextUtf8);
  });
});

describe('an envelope', () => {
  it('opens for its recipient, and is another one each time', () => {
    expect(opened(sealed())).toEqual(text('hello'));
    expect(sealed()).not.toBe(sealed());
  });

  it('names the keys it is for', () => {
    expect(headerOf(sealed())).toEqual({
      senderKeyId: keyIdOf(alice.publicKey),
      recipientKeyId: keyIdOf(bob.publicKey),
    });
  });

  it('does not open with one bit changed, in whichever byte', () => {
    const bytes = fromBase64(sealed())!;
    // The curve masks the last bit of the ephemeral key (byte 48): there only the associated data can notice.
    const bits = [...Array.from(bytes, (_, index) => index * 8 + (index % 8)), 48 * 8 + 7];
    const survivors = bits.filter((bit) => {
      const changed = Uint8Array.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      return opened(toBase64(changed)) !== null;
    });
    expect(survivors).toEqual([]);
  });

  it.each<[string, Partial<Parameters<typeof unseal>[1]>]>([
    ['another sender', { binding: { ...binding, from: address('c') } }],
    ['another recipient', { binding: { ...binding, to: address('c') } }],
    ['another message', { binding: { ...binding, messageId: 'm-2' } }],
    ['sender and recipient turned round', { binding: { ...binding, from: binding.to, to: binding.from } }],
    ['another key of the sender', { peerKey: newEncryptionKeyPair().publicKey }],
    ['another key of the recipient', { own: newEncryptionKeyPair() }],
    ['the sender itself', { own: alice, peerKey: bob.publicKey }],
  ])('does not open for %s', (_, changes) => {
    expect(opened(sealed(), changes)).toBeNull();
  });

  it.each([
    ['cut short', (content: string) => toBase64(fromBase64(content)!.slice(0, -1))],
    ['with something behind it', (content: string) => toBase64(Uint8Array.of(...fromBase64(content)!, 0))],
    ['of another version', (content: string) => toBase64(Uint8Array.of(2, ...fromBase64(content)!.slice(1)))],
    ['with a blank in it', (content: string) => `${content} `],
    ['of nothing', () => ''],
    ['of plain text', () => 'hello'],
    ['that is a header alone', (content: string) => toBase64(fromBase64(content)!.slice(0, 49))],
  ])('%s is none', (_, change) => {
    expect(opened(change(sealed()))).toBeNull();
  });

  it('cannot be made for a key of small order', () => {
    const sealing = { binding, own: alice, peerKey: new Uint8Array(32), padToBytes: 1 };
    expect(() => seal(text('x'), sealing)).toThrow();
  });

  it('hides the length of a short text', () => {
    const lengthOf = (content: string): number =>
      seal(text(content), { binding, own: alice, peerKey: bob.publicKey, padToBytes: 64 }).length;
    expect(lengthOf('yes')).toBe(lengthOf('no, and do not ask again'));
  });
});

describe('padding', () => {
  it.each([0, 1, 62, 63, 64, 65])('of %d bytes comes off again', (length) => {
    const plaintext = new Uint8Array(length).fill(0x80);
    expect(pad(plaintext, 64).length % 64).toBe(0);
    expect(unpad(pad(plaintext, 64))).toEqual(plaintext);
  });

  it.each([[[]], [[0, 0]], [[1, 2]]])('that is none (%j) is refused', (bytes) => {
    expect(unpad(Uint8Array.from(bytes))).toBeNull();
  });
});

it('two people compare one fingerprint', () => {
  expect(fingerprintOf(alice.publicKey, bob.publicKey)).toBe(fingerprintOf(bob.publicKey, alice.publicKey));
  expect(fingerprintOf(alice.publicKey, bob.publicKey)).not.toBe(fingerprintOf(alice.publicKey, alice.publicKey));
});
