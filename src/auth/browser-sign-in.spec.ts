import { clearedCookie, linkTokenOf, newVerifier, readVerifier, verifierCookie, walletUrl } from './browser-sign-in.js';

const pairOf = (cookie: string): string => cookie.split(';')[0]!;

describe('what ties a sign-in to its browser', () => {
  it.each([true, false])('comes back as it was set (secure: %s), beside other cookies', (isSecure) => {
    const verifier = newVerifier('phone');
    const header = `a=b; ${pairOf(verifierCookie(verifier, isSecure))}; c="d"`;
    expect(readVerifier(header, isSecure)).toEqual(verifier);
  });

  it('is kept from scripts and other sites, and under HTTPS from neighbours', () => {
    expect(verifierCookie(newVerifier(null), false)).toMatch(
      /^relay-sign-in=\S+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/,
    );
    expect(verifierCookie(newVerifier(null), true)).toMatch(
      /^__Host-relay-sign-in=\S+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/,
    );
    expect(clearedCookie(true)).toContain('Max-Age=0');
  });

  it('gives each browser a secret and, unless it has one, a device of its own', () => {
    const [one, other] = [newVerifier(null), newVerifier(null)];
    expect(one.secret).not.toBe(other.secret);
    expect(one.device).not.toBe(other.device);
    expect(one.device).toMatch(/^browser-[A-Za-z0-9_-]{12}$/);
    expect(newVerifier('phone').device).toBe('phone');
  });

  it('has the token of its link as digest: a GUID that is another for each secret', () => {
    const verifier = newVerifier(null);
    expect(linkTokenOf(verifier)).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(linkTokenOf(verifier)).toBe(linkTokenOf({ ...verifier, device: 'another' }));
    expect(linkTokenOf(verifier)).not.toBe(linkTokenOf(newVerifier(null)));
    expect(linkTokenOf(verifier)).not.toContain(verifier.secret.slice(0, 8));
  });

  it.each([
    ['none', undefined],
    ['another', 'session=1'],
    ['an empty one', 'relay-sign-in='],
    ['no device', `relay-sign-in=${'a'.repeat(43)}`],
    ['a short secret', `relay-sign-in=${'a'.repeat(42)}.phone`],
    ['two: a neighbour may have set one', `relay-sign-in=${'a'.repeat(43)}.x; relay-sign-in=${'b'.repeat(43)}.x`],
    ['a device that is nobody’s own', `relay-sign-in=${'a'.repeat(43)}.classic`],
    ['that of HTTPS, without it', `__Host-relay-sign-in=${'a'.repeat(43)}.phone`],
  ])('is none where the browser has %s', (_, header) => {
    expect(readVerifier(header, false)).toBeNull();
  });

  it('sends people to either wallet, with endpoints of this relay', () => {
    const url = new URL(walletUrl('web', 'the-token', 'https://relay.example'));
    expect(url.origin + url.pathname).toBe('https://app.idena.io/dna/signin');
    expect(Object.fromEntries(url.searchParams)).toEqual({
      token: 'the-token',
      callback_url: 'https://relay.example/auth/v1/callback?token=the-token',
      nonce_endpoint: 'https://relay.example/auth/v1/start-session',
      authentication_endpoint: 'https://relay.example/auth/v1/authenticate',
    });
    expect(walletUrl('app', 'the-token', 'https://relay.example')).toMatch(/^dna:\/\/signin\/v1\?token=the-token&/);
  });
});
