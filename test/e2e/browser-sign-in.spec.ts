import type { Address } from '@relay/protocol';
import { Script } from 'node:vm';
import { linkTokenOf, newVerifier, verifierCookie } from '../../src/auth/browser-sign-in.js';
import { ROUTE_RULES } from '../../src/auth/rules.js';
import { SessionRepository } from '../../src/auth/session.repository.js';
import { SETTLE_MS } from '../../src/auth/sign-in-link.service.js';
import { Browser } from '../support/browser.js';
import { call, expectProblem } from '../support/http-call.js';
import { refused, signAsWallet, WalletCalls } from '../support/idena-wallet.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RunningRelay, startRelay } from '../support/relay.js';
import { SignedDevice } from '../support/signed-device.js';
import { SigningKey } from '../support/signing.js';

const ALICE = SigningKey.of(1);
const MALLORY = SigningKey.of(2);
const TOKEN = '428489af-3ca1-4861-b1c7-5f634f6466e2';
const DOMAIN = 'relay.example';

describe('sign in with Idena in a browser', () => {
  let relay: RunningRelay;
  let clock: ManualClock;

  async function start(env: Record<string, string>): Promise<void> {
    clock = new ManualClock();
    relay = await startRelay({ clock, env: { AUTH_MODE: 'signed', PUBLIC_DOMAIN: DOMAIN, TRUST_PROXY: '1', ...env } });
  }

  afterEach(() => relay.stop());

  const wallet = () => new WalletCalls(relay.port);
  const sessionsOf = (key: SigningKey) => relay.app.get(SessionRepository).list(key.address as Address);

  describe('switched off, as it is by default,', () => {
    beforeEach(() => start({}));

    const routes = [...ROUTE_RULES.keys()].filter((route) => route.includes(' /auth/v1/'));

    it.each(routes)('knows no %s', async (route) => {
      const [method = '', path = ''] = route.split(' ');
      for (const spelled of [path, `${path}/`, path.toUpperCase()]) {
        const body = method === 'POST' ? { token: TOKEN } : undefined;
        const answer = await new Browser(relay.port).fetch(method, spelled, body);
        expectProblem(answer, 404, 'not_found');
        expect(answer.text).toContain('BROWSER_SIGN_IN');
        expect(answer.headers['set-cookie']).toBeUndefined();
      }
    });

    it('gives whoever made a link no session, wherever its callback leads and whatever cookie they write', async () => {
      const attacker = new Browser(relay.port);
      const verifier = newVerifier('evil');
      const [pair = ''] = verifierCookie(verifier, true).split(';');
      attacker.cookie = pair;
      const token = linkTokenOf(verifier);
      await wallet().confirm(token, ALICE);
      for (const waitMs of [0, SETTLE_MS, 60_000, 500_000]) {
        clock.advance(waitMs);
        expectProblem(await attacker.session(token), 404, 'not_found');
      }
      // What the token is good for: it says whose it is.
      expect(await sessionsOf(ALICE)).toEqual([]);
    });
  });

  it('lets no site pass a challenge on to the wallets of its visitors, which sign what begins as theirs', async () => {
    await start({});
    const attacker = await SignedDevice.connect(relay.wsUrl, ALICE, 'evil');
    attacker.hello({ challenge: true });
    const nonce = await attacker.nonce();
    expect(() => signAsWallet(ALICE, nonce)).toThrow('signs no such nonce');
    // Nor is what they do sign an answer, be it as like the challenge as can be.
    const signature = signAsWallet(ALICE, nonce.slice(nonce.indexOf('signin-')));
    attacker.answer(nonce, { signature });
    expect(await attacker.refusal()).toEqual(['auth_failed', 4401]);
    expect(await sessionsOf(ALICE)).toEqual([]);
  });

  describe('in the browser that begins it', () => {
    beforeEach(() => start({ BROWSER_SIGN_IN: 'true' }));

    it('goes to the wallet with the endpoints of this relay, and a cookie that no script and no other site reads', async () => {
      const browser = new Browser(relay.port);
      const { status, headers } = await browser.fetch('GET', '/auth/v1/start');
      expect(status).toBe(302);
      const url = new URL(headers.location!);
      expect(url.host).toBe('app.idena.io');
      expect(url.searchParams.get('nonce_endpoint')).toBe(`https://${DOMAIN}/auth/v1/start-session`);
      const [cookie = ''] = headers['set-cookie'] ?? [];
      expect(cookie).toMatch(/^__Host-relay-sign-in=.*; Path=\/; .*HttpOnly; SameSite=Lax; Secure$/);
      expect(headers['cache-control']).toBe('no-store');
      expect(
        (await new Browser(relay.port, 'http').fetch('GET', '/auth/v1/start')).headers['set-cookie']?.[0],
      ).not.toContain('Secure');
    });

    it('goes to the wallet on the machine where that is asked for, or is told both links', async () => {
      const app = await new Browser(relay.port).fetch('GET', '/auth/v1/start?wallet=app');
      expect(app.headers.location).toMatch(/^dna:\/\/signin\/v1\?token=/);
      const json = await new Browser(relay.port).fetch('GET', '/auth/v1/start', undefined, {
        accept: 'application/json',
      });
      const { token, url, appUrl } = JSON.parse(json.text) as Record<string, string>;
      expect([json.status, url, appUrl]).toEqual([
        200,
        expect.stringContaining(token!),
        expect.stringContaining(token!),
      ]);
    });

    it('ends with a session for that browser, once, which works', async () => {
      const browser = new Browser(relay.port);
      const token = await browser.start('?deviceId=my-browser');
      await wallet().confirm(token, ALICE);
      clock.advance(SETTLE_MS);
      const page = await browser.fetch('GET', `/auth/v1/callback?token=${token}`);
      expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
      expect(page.headers['content-security-policy']).toContain("script-src 'self'");
      const { headers: same } = await browser.fetch('GET', `/AUTH/v1/Callback/?token=${token}`);
      expect(same['content-security-policy']).toBe(page.headers['content-security-policy']);
      const { status, text, headers } = await browser.session(token);
      const session = JSON.parse(text) as Record<string, string>;
      expect([status, headers['cache-control']]).toEqual([200, 'no-store']);
      expect(session).toMatchObject({
        address: ALICE.address,
        deviceId: 'my-browser',
        sessionId: expect.any(String) as string,
      });
      expect(browser.cookie).toBeNull();
      const path = `/api/messages/${ALICE.address}`;
      const mine = await call(relay.port, { path, headers: { authorization: `Bearer ${session.token}` } });
      expect(mine.status).toBe(200);
      expect(await wallet().account(token)).toEqual(refused('no data found'));
      expect(relay.log()).not.toContain(session.token);
    });

    it('is told to the devices of its owner that are connected, and to nobody else', async () => {
      const phone = await SignedDevice.signIn(relay.wsUrl, ALICE);
      const stranger = await SignedDevice.signIn(relay.wsUrl, MALLORY);
      const browser = new Browser(relay.port);
      const token = await browser.start('?deviceId=my-browser');
      await wallet().confirm(token, ALICE);
      clock.advance(SETTLE_MS);
      // No session yet, so there is nothing to tell.
      await phone.client.settled();
      expect(phone.client.ofType('session_opened')).toEqual([]);
      await browser.session(token);
      await phone.client.waitFor('session_opened');
      const [session] = (await sessionsOf(ALICE)).filter(({ device }) => device === 'my-browser');
      expect(phone.client.ofType('session_opened')).toEqual([
        { type: 'session_opened', address: ALICE.address, deviceId: 'my-browser', openedAt: session!.createdAt },
      ]);
      await stranger.client.settled();
      expect(stranger.client.ofType('session_opened')).toEqual([]);
    });

    it('takes no more addresses that sign in for the first time from one network than others may', async () => {
      await relay.stop();
      await start({ BROWSER_SIGN_IN: 'true', MAX_FIRST_SIGN_INS_PER_IP: '1' });
      const exchanges = async (key: SigningKey, from: string) => {
        const browser = new Browser(relay.port);
        const token = await browser.start();
        await wallet().confirm(token, key);
        clock.advance(SETTLE_MS);
        const headers = { 'x-forwarded-for': from };
        return () => browser.fetch('POST', '/auth/v1/session', { token }, headers);
      };
      expect((await (await exchanges(ALICE, '10.0.0.1'))()).status).toBe(200);
      const refusedTwice = await exchanges(MALLORY, '10.0.0.1');
      const answer = await refusedTwice();
      expectProblem(answer, 429, 'rate_limited');
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(3_500);
      expect(await sessionsOf(MALLORY)).toEqual([]);
      // Its sign-in is not over for that, and owners are not hindered.
      expectProblem(await refusedTwice(), 429, 'rate_limited');
      expect((await (await exchanges(ALICE, '10.0.0.1'))()).status).toBe(200);
      expect((await (await exchanges(MALLORY, '10.0.0.2'))()).status).toBe(200);
    });

    it('gives one session where the page is loaded many times at once', async () => {
      const browser = new Browser(relay.port);
      const token = await browser.start();
      await wallet().confirm(token, ALICE);
      clock.advance(SETTLE_MS);
      const { cookie } = browser;
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => {
          const tab = new Browser(relay.port);
          tab.cookie = cookie;
          return tab.session(token);
        }),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(9).fill(404)]);
      expect(await sessionsOf(ALICE)).toHaveLength(1);
    });

    it('waits for the wallet, and a moment longer', async () => {
      const browser = new Browser(relay.port);
      const token = await browser.start();
      expectProblem(await browser.session(token), 404, 'not_found');
      const nonce = await wallet().nonceOf(token, ALICE);
      expect(JSON.parse((await browser.session(token)).text)).toEqual({ pending: true, retryAfterMs: SETTLE_MS });
      await wallet().authenticate(token, ALICE.sign(nonce));
      clock.advance(500);
      expect(JSON.parse((await browser.session(token)).text)).toEqual({ pending: true, retryAfterMs: SETTLE_MS - 500 });
      clock.advance(SETTLE_MS - 500);
      expect(JSON.parse((await browser.session(token)).text)).toMatchObject({ address: ALICE.address });
    });

    it('has a callback that changes nothing: who reads a link signs nobody in', async () => {
      const browser = new Browser(relay.port);
      const token = await browser.start();
      await wallet().confirm(token, ALICE);
      clock.advance(SETTLE_MS);
      for (const method of ['GET', 'HEAD']) await browser.fetch(method, `/auth/v1/callback?token=${token}`);
      expect(await sessionsOf(ALICE)).toEqual([]);
      expect((await browser.session(token)).status).toBe(200);
    });

    it('serves the page without a script of its own, and that script from here', async () => {
      const page = await new Browser(relay.port).fetch('GET', '/auth/v1/callback');
      expect(page.text).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/);
      const script = await new Browser(relay.port).fetch('GET', '/auth/v1/callback.js');
      expect([script.status, script.headers['content-type']]).toEqual([200, 'text/javascript; charset=utf-8']);
      expect(() => new Script(script.text)).not.toThrow();
    });

    it.each(['', 'a b', 'x'.repeat(65), 'a.b', 'classic'])('takes no %j for a device', async (device) => {
      const query = `?deviceId=${encodeURIComponent(device)}`;
      expectProblem(await new Browser(relay.port).fetch('GET', `/auth/v1/start${query}`), 400, 'bad_message');
    });
  });

  describe('is limited by IP address', () => {
    beforeEach(() => start({ BROWSER_SIGN_IN: 'true', RATE_LIMIT_MAX_REQUESTS: '4' }));

    const routes = [...ROUTE_RULES.keys()].filter((route) => route.includes(' /auth/v1/'));
    const request = (route: string, network: string) => {
      const [method = '', path = ''] = route.split(' ');
      const body = method === 'POST' ? { token: TOKEN } : undefined;
      return new Browser(relay.port).fetch(method, path, body, { 'x-forwarded-for': network });
    };

    it.each(routes)('in %s, and says when to come again', async (route) => {
      for (const left of ['3', '2', '1', '0']) {
        const { status, headers } = await request(route, '192.0.2.1');
        expect([status === 429, headers['ratelimit-remaining']]).toEqual([false, left]);
      }
      const refusal = await request(route, '192.0.2.1');
      expectProblem(refusal, 429, 'rate_limited');
      expect(Number(refusal.headers['retry-after'])).toBeGreaterThan(0);
      expect(refusal.headers['set-cookie']).toBeUndefined();
      expect((await request(route, '192.0.2.2')).status).not.toBe(429);
    });

    it('which the calls of wallets are not: their servers make them for many', async () => {
      for (let i = 0; i < 5; i++) await wallet().confirm(`token-${i}`, SigningKey.of(i));
    });
  });

  describe('by a link that an attacker made gives the attacker no session:', () => {
    beforeEach(() => start({ BROWSER_SIGN_IN: 'true' }));

    it('not where the token was made up', async () => {
      const attacker = new Browser(relay.port);
      await wallet().confirm(TOKEN, ALICE);
      clock.advance(SETTLE_MS);
      expectProblem(await attacker.session(TOKEN), 403, 'forbidden');
      await attacker.start();
      await wallet().confirm('another-token', ALICE);
      clock.advance(SETTLE_MS);
      expectProblem(await attacker.session('another-token'), 403, 'forbidden');
      expect((await attacker.fetch('GET', `/auth/v1/callback?token=another-token`)).status).toBe(403);
      expect(await sessionsOf(ALICE)).toEqual([]);
    });

    it('not where the token is that of somebody else’s browser', async () => {
      const [victim, attacker] = [new Browser(relay.port), new Browser(relay.port)];
      const token = await victim.start();
      await attacker.start();
      await wallet().confirm(token, ALICE);
      clock.advance(SETTLE_MS);
      expectProblem(await attacker.session(token), 403, 'forbidden');
      expect(await sessionsOf(ALICE)).toEqual([]);
    });

    it('not where the attacker began, and the wallet brings the victim’s browser back here', async () => {
      const [victim, attacker] = [new Browser(relay.port), new Browser(relay.port)];
      const token = await attacker.start();
      await wallet().confirm(token, ALICE);
      // As fast as the attacker may ask …
      expect(JSON.parse((await attacker.session(token)).text)).toMatchObject({ pending: true });
      // … the page that the wallet opens is there before the session is.
      expect((await victim.fetch('GET', `/auth/v1/callback?token=${token}`)).status).toBe(403);
      expectProblem(await victim.session(token), 403, 'forbidden');
      clock.advance(SETTLE_MS);
      expectProblem(await attacker.session(token), 404, 'not_found');
      expect(await sessionsOf(ALICE)).toEqual([]);
    });

    /** What nobody can tell from an honest sign-in, and why an operator has to ask for all this: decision 0019. */
    it('but does where its callback leads elsewhere, here or on another host, as the decision says', async () => {
      const [victim, attacker] = [new Browser(relay.port), new Browser(relay.port)];
      const token = await attacker.start('?deviceId=evil');
      await wallet().confirm(token, ALICE);
      // The link named this very relay, with another token in the callback.
      expect((await victim.fetch('GET', `/auth/v1/callback?token=${TOKEN}`)).status).toBe(403);
      expectProblem(await victim.session(TOKEN), 403, 'forbidden');
      clock.advance(SETTLE_MS);
      expect(JSON.parse((await attacker.session(token)).text)).toMatchObject({ address: ALICE.address });
      expect(await sessionsOf(ALICE)).toMatchObject([{ device: 'evil' }]);
    });

    it('nor the victim one of the attacker’s, by a cookie that was planted', async () => {
      const [victim, attacker] = [new Browser(relay.port), new Browser(relay.port)];
      const token = await attacker.start();
      await wallet().confirm(token, MALLORY);
      const own = await victim.start();
      victim.cookie = `${victim.cookie}; ${attacker.cookie}`;
      clock.advance(SETTLE_MS);
      expectProblem(await victim.session(token), 403, 'forbidden');
      expectProblem(await victim.session(own), 403, 'forbidden');
      expect(await sessionsOf(MALLORY)).toEqual([]);
    });
  });
});
