import { createHash, randomBytes } from 'node:crypto';
import { addressNames } from './address-names.js';

const ALICE = `0x${'a1'.repeat(20)}`;
const BOB = `0x${'b2'.repeat(20)}`;
const TOKEN = 't'.repeat(32);
const withToken = (adminToken: string) => addressNames({ logAddresses: false, adminToken }, randomBytes);

describe('the name of an address in logs', () => {
  it('is one and the same on all nodes that share an ADMIN_TOKEN, however the address is written', () => {
    expect(withToken(TOKEN)(ALICE)).toMatch(/^addr:[0-9a-f]{16}$/);
    expect(withToken(TOKEN)(ALICE.toUpperCase().replace('0X', '0x'))).toBe(withToken(TOKEN)(ALICE));
    expect(withToken(TOKEN)(BOB)).not.toBe(withToken(TOKEN)(ALICE));
  });

  it('cannot be looked up by who does not know that token: another one gives another name, and so does none', () => {
    const names = [withToken(TOKEN), withToken(`${TOKEN}2`), withToken(''), withToken('')].map((name) => name(ALICE));
    expect(new Set(names).size).toBe(4);
    for (const hash of ['sha1', 'sha256', 'md5']) {
      expect(names.join()).not.toContain(createHash(hash).update(ALICE).digest('hex').slice(0, 16));
    }
  });

  it('stays while a process runs that has no token', () => {
    const name = withToken('');
    expect(name(ALICE)).toBe(name(ALICE));
  });

  it('is the address where the operator wants that', () => {
    expect(addressNames({ logAddresses: true, adminToken: TOKEN }, randomBytes)(ALICE)).toBe(ALICE);
  });
});
