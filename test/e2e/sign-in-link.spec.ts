import { parseSignInNonce } from '@relay/protocol';
import { addressOf } from '../support/classic-client.js';
import { call, expectProblem } from '../support/http-call.js';
import { refused, said, WalletCalls } from '../support/idena-wallet.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RunningRelay, startRelay } from '../support/relay.js';
import { SigningKey } from '../support/signing.js';

const ALICE = SigningKey.of(1);
const MALLORY = SigningKey.of(2);
const TOKEN = '428489af-3ca1-4861-b1c7-5f634f6466e2';
const DOMAIN = 'relay.example';
const SECONDS = 1000;

describe('sign in with Idena', () => {
  let relay: RunningRelay;
  let clock: ManualClock;

  beforeEach(async () => {
    clock = new ManualClock();
    relay = await startRelay({ clock, env: { AUTH_MODE: 'signed', PUBLIC_DOMAIN: DOMAIN, TRUST_PROXY: '1' } });
  });

  afterEach(() => relay.stop());

  const calls = () => new WalletCalls(relay.port);
  const wallet = (path: string, body?: unknown) => calls().ask(path, body);
  const startSession = (token: unknown = TOKEN, address: unknown = ALICE.address) =>
    calls().startSession(token, address);
  const authenticate = (signature: unknown, token: unknown = TOKEN) => calls().authenticate(token, signature);
  const account = (token = TOKEN) => calls().account(token);
  const logout = (token: unknown = TOKEN) => calls().logout(token);
  const nonceOf = (token = TOKEN, key = ALICE) => calls().nonceOf(token, key);
  const confirm = (token: string, key = ALICE) => calls().confirm(token, key);

  describe('as wallets call it', () => {
    it('gives a nonce that names this relay and the address, for 120 s', async () => {
      const { success, data } = await startSession();
      expect(success).toBe(true);
      // As wallets want it, and not as a challenge is.
      expect(parseSignInNonce(String(data?.nonce))).toBeNull();
      const nonce = parseSignInNonce(`relay:${String(data?.nonce)}`);
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
      // In any case, and with a slash, as the paths of all calls.
      for (const path of ['/auth/v1/start-session', '/Auth/v1/START-session/']) {
        const answer = await call(relay.port, { method: 'POST', path, headers, body });
        expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, '*']);
        expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
      }
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
      for (let i = 0; i < 1000; i += 50) {
        const people = Array.from({ length: 50 }, (_, n) => i + n);
        const answers = people.map((n) => startSession(`token-${n}`, addressOf((n % 100) + 1)));
        expect((await Promise.all(answers)).filter(({ success }) => success)).toHaveLength(50);
      }
    });
  });
});
