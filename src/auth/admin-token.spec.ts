import { AdminToken } from './admin-token.js';

const TOKEN = 'a'.repeat(40);

describe('AdminToken', () => {
  it('matches itself and nothing else, of whatever length', () => {
    const admin = new AdminToken(TOKEN);
    expect(admin.isSet).toBe(true);
    expect(admin.matches(TOKEN)).toBe(true);
    for (const other of ['', 'a', TOKEN.slice(1), `${TOKEN}a`, TOKEN.toUpperCase(), 'b'.repeat(40)]) {
      expect(admin.matches(other)).toBe(false);
    }
  });

  it('matches nothing where there is none', () => {
    const none = new AdminToken('');
    expect(none.isSet).toBe(false);
    expect(none.matches('')).toBe(false);
    expect(none.matches('undefined')).toBe(false);
  });

  it('is named in logs without a part of it', () => {
    const { fingerprint } = new AdminToken(TOKEN);
    expect(fingerprint).toMatch(/^[0-9a-f]{8}$/);
    expect(fingerprint).not.toBe(new AdminToken('b'.repeat(40)).fingerprint);
  });
});
