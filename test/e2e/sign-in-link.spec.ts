import { parseSignInNonce, type Address } from '@relay/protocol';
import { Script } from 'node:vm';
import { SessionRepository } from '../../src/auth/session.repository.js';
import { SETTLE_MS } from '../../src/auth/sign-in-link.service.js';
import { type Answer, call, expectProblem } from '../support/http-call.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RunningRelay, startRelay } from '../support/relay.js';
import { SigningKey } from '../support/signing.js';

const ALICE = SigningKey.of(1);
const MALLORY = SigningKey.of(2);
const TOKEN = '428489af-3ca1-4861-b1c7-5f634f6466e2';
const DOMAIN = 'relay.example';
const SECONDS = 1000;

interface WalletAnswer {
  readonly success: boolean;
  readonly data?: Record<string, unknown>;
  readonly error?: string;
}

describe('sign in with Idena', () => {
  let relay: RunningRelay;
  let clock: ManualClock;

  beforeEach(async () => {
    clock = new ManualClock();
    relay = await startRelay({ clock, env: { AUTH_MODE: 'signed', PUBLIC_DOMAIN: DOMAIN, TRUST_PROXY: '1' } });
  });

  afterEach(() => relay.stop());

  /** As a wallet's server does, and insists on 200. */
  async function wallet(path: string, body?: unknown): Promise<WalletAnswer> {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const method = body === undefined ? 'GET' : 'POST';
    const { status, text } = await call(relay.port, {
      method,
      path,
      headers,
      body: body === undefined ? body : JSON.stringify(body),
    });
    expect(status).toBe(200);
    return JSON.parse(text) as WalletAnswer;
  }

  const startSession = (token: unknown = TOKEN, address: unknown = ALICE.address) =>
    wallet('/auth/v1/start-session', { token, address });
  const authenticate = (signature: unknown, token: unknown = TOKEN) =>
    wallet('/auth/v1/authenticate', { token, signature });
  const account = (token = TOKEN) => wallet(`/auth/v1/get-account?token=${token}`);
  const logout = (token: unknown = TOKEN) => wallet('/auth/v1/logout', { token });
  const said = (data: object): WalletAnswer => ({ success: true, data: data as Record<string, unknown> });
  const refused = (error: string): WalletAnswer => ({ success: false, error });

  async function nonceOf(token = TOKEN, key = ALICE): Promise<string> {
    return String((await startSession(token, key.address)).data?.nonce);
  }

  /** All that a wallet does. */
  async function confirm(token: string, key = ALICE): Promise<void> {
    expect(await authenticate(key.sign(await nonceOf(token, key)), token)).toEqual(said({ authenticated: true }));
  }

  describe('as wallets call it', () => {
    it('gives a nonce that names this relay and the address, for 120 s', async () => {
      const { success, data } = await startSession();
      expect(success).toBe(true);
      const nonce = parseSignInNonce(String(data?.nonce));
      expect(nonce).toMatchObject({ domain: DOMAIN, address: ALICE.address });
      expect(nonce?.expiresAtSeconds).toBe(Math.floor(clock.now() / SECONDS) + 120);
    });

    it('takes the signature of its nonce, once, and then says whose token it is', async () => {
      const signature = ALICE.sign(await nonceOf());
      expect(await authenticate(signature)).toEqual(said({ authenticated: true }));
      expect(await account()).toEqual(said({ address: ALICE.address }));
      expect(await authenticate(signature)).toEqual(refused('already authenticated'));
    });

    it('takes addresses as wallets write them, in any case', async () => {
      const { data } = await startSession(TOKEN, `0x${ALICE.address.slice(2).toUpperCase()}`);
      expect(await authenticate(ALICE.sign(String(data?.nonce)))).toEqual(said({ authenticated: true }));
    });

    it.each([
      ['start-session', { token: TOKEN, address: ALICE.address }],
      ['authenticate', { token: TOKEN, signature: `0x${'1'.repeat(130)}` }],
      ['logout', { token: TOKEN }],
      [`get-account?token=${TOKEN}`, undefined],
    ])('knows no other version: %s', async (path, body) => {
      for (const version of ['v2', 'V1', 'bad_version', '1']) {
        expect(await wallet(`/auth/${version}/${path}`, body)).toEqual(refused('unsupported version'));
      }
    });

    it('takes a token once, whoever comes with it', async () => {
      await startSession();
      expect(await startSession()).toEqual(refused('duplicate token'));
      expect(await startSession(TOKEN, MALLORY.address)).toEqual(refused('duplicate token'));
    });

    it('may be tried again after the signature of another nonce, by another key, or of nobody', async () => {
      const nonce = await nonceOf();
      const other = await nonceOf('another-token', MALLORY);
      const wrong = {
        'another nonce': ALICE.sign(other),
        'another key': MALLORY.sign(nonce),
        'another scheme': ALICE.sign(nonce, 'eip191'),
      };
      for (const signature of Object.values(wrong)) {
        expect(await authenticate(signature)).toEqual(said({ authenticated: false }));
      }
      expect(await account()).toEqual(refused('no data found'));
      expect(await authenticate(ALICE.sign(nonce))).toEqual(said({ authenticated: true }));
    });

    it.each([
      'wrong signature',
      '',
      '0x',
      `0x${'0'.repeat(130)}`,
      `0x${'f'.repeat(130)}`,
      5,
      null,
      ['0x'],
      { a: 1 },
      undefined,
    ])('is not authenticated by a malformed signature, and may be tried again: %j', async (signature) => {
      const nonce = await nonceOf();
      expect(await authenticate(signature)).toEqual(said({ authenticated: false }));
      expect(await authenticate(ALICE.sign(nonce))).toEqual(said({ authenticated: true }));
    });

    it('finds no data for a token that nobody began', async () => {
      expect(await authenticate(ALICE.sign('x'))).toEqual(refused('no data found'));
      expect(await account()).toEqual(refused('no data found'));
      expect(await logout()).toEqual(refused('no data found'));
    });

    it('finds no data once the nonce has expired; the token may then begin anew', async () => {
      const nonce = await nonceOf();
      clock.advance(120 * SECONDS);
      expect(await authenticate(ALICE.sign(nonce))).toEqual(refused('no data found'));
      const again = await nonceOf();
      expect(again).not.toBe(nonce);
      expect(await authenticate(ALICE.sign(nonce))).toEqual(said({ authenticated: false }));
      expect(await authenticate(ALICE.sign(again))).toEqual(said({ authenticated: true }));
    });

    it('forgets who it was after ten minutes', async () => {
      await confirm(TOKEN);
      clock.advance(600 * SECONDS - 1);
      expect(await account()).toEqual(said({ address: ALICE.address }));
      clock.advance(1);
      expect(await account()).toEqual(refused('no data found'));
    });

    it('ends with logout, and not before it is proven', async () => {
      const nonce = await nonceOf();
      expect(await logout()).toEqual(said({ loggedout: false }));
      await authenticate(ALICE.sign(nonce));
      expect(await logout()).toEqual(said({ loggedout: true }));
      expect(await account()).toEqual(refused('no data found'));
      expect(await logout()).toEqual(refused('no data found'));
    });

    it.each([undefined, null, 5, '', 'a b', 'ä', 'x'.repeat(129), ['a'], '\u0000'])(
      'takes no %j for a token',
      async (token) => {
        for (const answer of [
          await startSession(token ?? null),
          await authenticate('0x', token ?? null),
          await logout(token ?? null),
        ]) {
          expect(answer).toEqual(refused('invalid token'));
        }
      },
    );

    it.each([null, 5, '0x12', `${ALICE.address}0`, `0x${'0'.repeat(40)}`, [ALICE.address]])(
      'takes no %j for an address',
      async (address) => {
        expect(await startSession(TOKEN, address)).toEqual(refused('invalid address'));
      },
    );

    it('says nothing of who signed in to a page or a cache', async () => {
      await confirm(TOKEN);
      const { headers } = await call(relay.port, { path: `/auth/v1/get-account?token=${TOKEN}` });
      expect(headers['cache-control']).toBe('no-store');
    });

    it('is taken from wallets of any origin, whichever may call the rest', async () => {
      await relay.stop();
      relay = await startRelay({ clock, env: { ALLOWED_ORIGINS: 'https://app.example' } });
      const headers = { origin: 'https://wallet.example', 'content-type': 'application/json' };
      const body = JSON.stringify({ token: TOKEN, address: ALICE.address });
      const answer = await call(relay.port, { method: 'POST', path: '/auth/v1/start-session', headers, body });
      expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, '*']);
      expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
      const session = await call(relay.port, { method: 'POST', path: '/auth/v1/session', headers, body });
      expectProblem(session, 403, 'forbidden');
    });

    it('is limited by token: guessing ends, and others go on', async () => {
      await startSession();
      for (let i = 0; i < 19; i++) await authenticate('0x');
      expect(await authenticate('0x')).toEqual(refused('too many requests'));
      await confirm('another-token');
    });

    it('serves thousands of people from one address of a wallet’s server', async () => {
      const tokens = Array.from({ length: 1000 }, (_, i) => `token-${i}`);
      const answers = await Promise.all(tokens.map((token, i) => startSession(token, SigningKey.of(i % 100).address)));
      expect(answers.filter(({ success }) => success)).toHaveLength(1000);
    });
  });

  /** What a browser keeps between its requests. */
  class Browser {
    cookie: string | null = null;

    constructor(private readonly proto: 'http' | 'https' = 'https') {}

    async fetch(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer> {
      const answer = await call(relay.port, {
        method,
        path,
        body: body && JSON.stringify(body),
        headers: {
          'x-forwarded-proto': this.proto,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(this.cookie === null ? {} : { cookie: this.cookie }),
          ...headers,
        },
      });
      const [set] = answer.headers['set-cookie'] ?? [];
      if (set !== undefined) this.cookie = set.includes('Max-Age=0') ? null : set.split(';')[0]!;
      return answer;
    }

    /** Follows the link to the wallet, and returns its token. */
    async start(query = ''): Promise<string> {
      const { headers } = await this.fetch('GET', `/auth/v1/start${query}`);
      return new URL(headers.location!).searchParams.get('token')!;
    }

    /** What the script of the callback page does. */
    session(token: string): Promise<Answer> {
      return this.fetch('POST', '/auth/v1/session', { token });
    }
  }

  const sessionsOf = (key: SigningKey) => relay.app.get(SessionRepository).list(key.address as Address);

  describe('in the browser that begins it', () => {
    it('goes to the wallet with the endpoints of this relay, and a cookie that no script and no other site reads', async () => {
      const browser = new Browser();
      const { status, headers } = await browser.fetch('GET', '/auth/v1/start');
      expect(status).toBe(302);
      const url = new URL(headers.location!);
      expect(url.host).toBe('app.idena.io');
      expect(url.searchParams.get('nonce_endpoint')).toBe(`https://${DOMAIN}/auth/v1/start-session`);
      const [cookie = ''] = headers['set-cookie'] ?? [];
      expect(cookie).toMatch(/^__Host-relay-sign-in=.*; Path=\/; .*HttpOnly; SameSite=Lax; Secure$/);
      expect(headers['cache-control']).toBe('no-store');
      expect((await new Browser('http').fetch('GET', '/auth/v1/start')).headers['set-cookie']?.[0]).not.toContain(
        'Secure',
      );
    });

    it('goes to the wallet on the machine where that is asked for, or is told both links', async () => {
      const app = await new Browser().fetch('GET', '/auth/v1/start?wallet=app');
      expect(app.headers.location).toMatch(/^dna:\/\/signin\/v1\?token=/);
      const json = await new Browser().fetch('GET', '/auth/v1/start', undefined, { accept: 'application/json' });
      const { token, url, appUrl } = JSON.parse(json.text) as Record<string, string>;
      expect([json.status, url, appUrl]).toEqual([
        200,
        expect.stringContaining(token!),
        expect.stringContaining(token!),
      ]);
    });

    it('ends with a session for that browser, once, which works', async () => {
      const browser = new Browser();
      const token = await browser.start('?deviceId=my-browser');
      await confirm(token);
      clock.advance(SETTLE_MS);
      const page = await browser.fetch('GET', `/auth/v1/callback?token=${token}`);
      expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
      expect(page.headers['content-security-policy']).toContain("script-src 'self'");
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
      expect(await account(token)).toEqual(refused('no data found'));
      expect(relay.log()).not.toContain(session.token);
    });

    it('gives one session where the page is loaded many times at once', async () => {
      const browser = new Browser();
      const token = await browser.start();
      await confirm(token);
      clock.advance(SETTLE_MS);
      const { cookie } = browser;
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => {
          const tab = new Browser();
          tab.cookie = cookie;
          return tab.session(token);
        }),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(9).fill(404)]);
      expect(await sessionsOf(ALICE)).toHaveLength(1);
    });

    it('waits for the wallet, and a moment longer', async () => {
      const browser = new Browser();
      const token = await browser.start();
      expectProblem(await browser.session(token), 404, 'not_found');
      const nonce = await nonceOf(token);
      expect(JSON.parse((await browser.session(token)).text)).toEqual({ pending: true, retryAfterMs: SETTLE_MS });
      await authenticate(ALICE.sign(nonce), token);
      clock.advance(500);
      expect(JSON.parse((await browser.session(token)).text)).toEqual({ pending: true, retryAfterMs: SETTLE_MS - 500 });
      clock.advance(SETTLE_MS - 500);
      expect(JSON.parse((await browser.session(token)).text)).toMatchObject({ address: ALICE.address });
    });

    it('has a callback that changes nothing: who reads a link signs nobody in', async () => {
      const browser = new Browser();
      const token = await browser.start();
      await confirm(token);
      clock.advance(SETTLE_MS);
      for (const method of ['GET', 'HEAD']) await browser.fetch(method, `/auth/v1/callback?token=${token}`);
      expect(await sessionsOf(ALICE)).toEqual([]);
      expect((await browser.session(token)).status).toBe(200);
    });

    it('serves the page without a script of its own, and that script from here', async () => {
      const page = await new Browser().fetch('GET', '/auth/v1/callback');
      expect(page.text).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/);
      const script = await new Browser().fetch('GET', '/auth/v1/callback.js');
      expect([script.status, script.headers['content-type']]).toEqual([200, 'text/javascript; charset=utf-8']);
      expect(() => new Script(script.text)).not.toThrow();
    });

    it.each(['', 'a b', 'x'.repeat(65), 'a.b', 'classic'])('takes no %j for a device', async (device) => {
      const query = `?deviceId=${encodeURIComponent(device)}`;
      expectProblem(await new Browser().fetch('GET', `/auth/v1/start${query}`), 400, 'bad_message');
    });
  });

  describe('by a link that an attacker made gives the attacker no session:', () => {
    it('not where the token was made up', async () => {
      const attacker = new Browser();
      await confirm(TOKEN);
      clock.advance(SETTLE_MS);
      expectProblem(await attacker.session(TOKEN), 403, 'forbidden');
      await attacker.start();
      await confirm('another-token');
      clock.advance(SETTLE_MS);
      expectProblem(await attacker.session('another-token'), 403, 'forbidden');
      expect((await attacker.fetch('GET', `/auth/v1/callback?token=another-token`)).status).toBe(403);
      expect(await sessionsOf(ALICE)).toEqual([]);
    });

    it('not where the token is that of somebody else’s browser', async () => {
      const [victim, attacker] = [new Browser(), new Browser()];
      const token = await victim.start();
      await attacker.start();
      await confirm(token);
      clock.advance(SETTLE_MS);
      expectProblem(await attacker.session(token), 403, 'forbidden');
      expect(await sessionsOf(ALICE)).toEqual([]);
    });

    it('not where the attacker began, and the wallet brings the victim’s browser back here', async () => {
      const [victim, attacker] = [new Browser(), new Browser()];
      const token = await attacker.start();
      await confirm(token);
      // As fast as the attacker may ask …
      expect(JSON.parse((await attacker.session(token)).text)).toMatchObject({ pending: true });
      // … the page that the wallet opens is there before the session is.
      expect((await victim.fetch('GET', `/auth/v1/callback?token=${token}`)).status).toBe(403);
      expectProblem(await victim.session(token), 403, 'forbidden');
      clock.advance(SETTLE_MS);
      expectProblem(await attacker.session(token), 404, 'not_found');
      expect(await sessionsOf(ALICE)).toEqual([]);
    });

    it('nor the victim one of the attacker’s, by a cookie that was planted', async () => {
      const [victim, attacker] = [new Browser(), new Browser()];
      const token = await attacker.start();
      await confirm(token, MALLORY);
      const own = await victim.start();
      victim.cookie = `${victim.cookie}; ${attacker.cookie}`;
      clock.advance(SETTLE_MS);
      expectProblem(await victim.session(token), 403, 'forbidden');
      expectProblem(await victim.session(own), 403, 'forbidden');
      expect(await sessionsOf(MALLORY)).toEqual([]);
    });
  });
});
