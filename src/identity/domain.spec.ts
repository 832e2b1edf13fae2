import { type Address, isDomain, keyStatement, parseSignInNonce, signInNonce } from '@relay/protocol';

const ALICE = `0x${'a1'.repeat(20)}` as Address;
const BOB = `0x${'b0'.repeat(20)}` as Address;

describe('what relays may be called in what is signed', () => {
  it.each(['relay.example', 'localhost:3002', '127.0.0.1:3002', '[::1]:3002', 'my-0x.example', 'a-0x12-1-b.example'])(
    'takes %s',
    (domain) => expect(isDomain(domain)).toBe(true),
  );

  it.each([
    '',
    'Relay.example',
    'relay.example/',
    'a b',
    'x'.repeat(256),
    `relay.example-${ALICE}-1-x.evil.example`,
    `relay.example-${ALICE}-1`,
    `relay-${ALICE}`,
    `relay-${ALICE}0`,
  ])('does not take %j', (domain) => expect(isDomain(domain)).toBe(false));

  it('lets no key statement be read as one for another relay, or with another key', () => {
    const read = keyStatement({ domain: 'relay.example', address: ALICE, version: 1, publicKey: `x-${BOB}-2-key` });
    expect(read).toBe(`key-relay.example-${ALICE}-1-x-${BOB}-2-key`);
    // The other way to say the same.
    const domain = `relay.example-${ALICE}-1-x`;
    expect(() => keyStatement({ domain, address: BOB, version: 2, publicKey: 'key' })).toThrow(RangeError);
  });

  it('needs no more for nonces, which can be read from their end', () => {
    const nonce = { domain: 'relay.example', address: ALICE, expiresAtSeconds: 5, random: '0'.repeat(32) };
    expect(parseSignInNonce(signInNonce(nonce))).toEqual(nonce);
  });
});
