import { type Address, isSignature, parseSignInNonce, RelayError, SCHEMES } from '@relay/protocol';
import { Wallet } from 'ethers';
import { AuthService } from '../../src/auth/auth.service.js';
import { Bans } from '../../src/bans/bans.js';
import { SESSION_MS, SessionRepository } from '../../src/auth/session.repository.js';
import { QueueRepository } from '../../src/queue/queue.repository.js';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RunningRelay, startRelay } from '../support/relay.js';
import { SignedDevice } from '../support/signed-device.js';
import { SigningKey } from '../support/signing.js';

const ALICE = SigningKey.of(1);
const BOB = SigningKey.of(2);
const DOMAIN = 'relay.example';

let clock: ManualClock;
let relay: RunningRelay;

async function start(env: Record<string, string> = {}): Promise<void> {
  clock = new ManualClock();
  relay = await startRelay({ clock, env: { PUBLIC_DOMAIN: DOMAIN, ...env } });
}

afterEach(() => relay.stop());

const connect = (key = ALICE, deviceId?: string, options = {}) =>
  SignedDevice.connect(relay.wsUrl, key, deviceId, options);
const signIn = (key = ALICE, deviceId?: string, options = {}) =>
  SignedDevice.signIn(relay.wsUrl, key, deviceId, options);
const resume = (token: unknown, key = ALICE, deviceId?: string) =>
  SignedDevice.resume(relay.wsUrl, key, token, deviceId);

/** What the relay says to somebody who does something, and how it ends the connection. */
async function refusalOf(act: (device: SignedDevice) => unknown, key = ALICE): Promise<[unknown, number]> {
  const device = await connect(key);
  await act(device);
  return device.refusal();
}

async function classicRefusal(address: string): Promise<[unknown, number]> {
  const client = await ClassicClient.connect(relay.wsUrl);
  client.send({ type: 'auth', address });
  const code = await client.closed();
  return [client.ofType('error').at(-1)?.code, code];
}

describe.each(['open', 'signed'])('signing in, AUTH_MODE=%s', (mode) => {
  beforeEach(() => start({ AUTH_MODE: mode }));

  it.each(SCHEMES)('proves an address by a signature in the scheme %s', async (scheme) => {
    const device = await signIn(ALICE, 'phone', { scheme });
    const welcome = await device.welcome();
    expect(welcome).toMatchObject({ address: ALICE.address, v: 2, deviceId: 'phone' });
    expect(welcome.token).toMatch(/^\S{40,}$/);
    expect(welcome.tokenExpiresAt).toBe(clock.now() + SESSION_MS);
    await device.client.settled();
  });

  it('takes what personal_sign of an Ethereum library makes', async () => {
    const wallet = new Wallet(ALICE.privateKey);
    const device = await connect();
    device.hello({ challenge: true });
    const signature = await wallet.signMessage(await device.nonce());
    expect(isSignature(signature)).toBe(true);
    device.client.send({ type: 'auth', address: wallet.address, scheme: 'eip191', signature });
    await device.welcome();
  });

  it('asks for a nonce of this relay, this address, two minutes and chance', async () => {
    const device = await connect();
    device.hello({ challenge: true });
    const { nonce, expiresAt } = await device.client.waitFor('challenge');
    const parsed = parseSignInNonce(nonce as string);
    expect(parsed).toMatchObject({ domain: DOMAIN, address: ALICE.address });
    expect(parsed!.expiresAtSeconds * 1000).toBe(expiresAt);
    expect((expiresAt as number) - clock.now()).toBeGreaterThan(119_000);
    const other = await connect();
    other.hello({ challenge: true });
    expect(await other.nonce()).not.toBe(nonce);
  });

  it('takes an answer that was sent along with the hello for none', async () => {
    const refusal = await refusalOf((device) => {
      device.hello({ challenge: true });
      device.answer('signin-guessed');
    });
    expect(refusal).toEqual(['auth_failed', 4401]);
  });

  it('handles what was sent right behind the answer, afterwards', async () => {
    const device = await connect();
    device.hello({ challenge: true });
    device.answer(await device.nonce());
    device.client.send({ type: 'ping' });
    await device.client.waitFor('pong');
    expect(device.client.frames.map(({ type }) => type).slice(0, 2)).toEqual(['challenge', 'auth_success']);
  });

  it.each<[string, (device: SignedDevice) => Promise<unknown> | void, unknown]>([
    ['another key', async (d) => d.answer(await d.nonce(), { signature: BOB.sign(await d.nonce()) }), 'auth_failed'],
    ['another address', async (d) => d.answer(await d.nonce(), { address: BOB.address }), 'auth_failed'],
    [
      'another address, rightly signed by it',
      async (d) => d.answer(await d.nonce(), { address: BOB.address, signature: BOB.sign(await d.nonce()) }),
      'auth_failed',
    ],
    ['another scheme', async (d) => d.answer(await d.nonce(), { scheme: 'eip191' }), 'auth_failed'],
    ['a scheme that is none', async (d) => d.answer(await d.nonce(), { scheme: 'eip712' }), 'auth_failed'],
    ['a short signature', async (d) => d.answer(await d.nonce(), { signature: '0x12' }), 'auth_failed'],
    ['no signature', async (d) => d.answer(await d.nonce(), { signature: undefined }), 'auth_failed'],
    ['another text', async (d) => d.answer(`${await d.nonce()} `), 'auth_failed'],
    [
      'a classic auth',
      async (d) => void (await d.nonce(), d.client.send({ type: 'auth', address: ALICE.address })),
      'auth_required',
    ],
    ['another hello', async (d) => void (await d.nonce(), d.hello({ challenge: true })), 'auth_required'],
    ['a ping', async (d) => void (await d.nonce(), d.client.send({ type: 'ping' })), 'auth_required'],
    ['no JSON', async (d) => void (await d.nonce(), d.client.sendText('x')), 'auth_required'],
  ])('refuses %s as the answer, and ends', async (_what, act, code) => {
    const refusal = await refusalOf((device) => {
      device.hello({ challenge: true });
      return act(device);
    });
    expect(refusal).toEqual([code, 4401]);
  });

  it('refuses the answer to the question of another connection: each is asked its own', async () => {
    const first = await connect();
    first.hello({ challenge: true });
    const nonce = await first.nonce();
    const refusal = await refusalOf(async (device) => {
      device.hello({ challenge: true });
      await device.nonce();
      device.answer(nonce);
    });
    expect(refusal).toEqual(['auth_failed', 4401]);
    first.answer(nonce);
    await first.welcome();
  });

  it('refuses a proof that nobody asked for', async () => {
    expect(await refusalOf((device) => device.answer('anything'))).toEqual(['auth_failed', 4401]);
  });

  it('waits two minutes for the signature, and no longer', async () => {
    const device = await connect();
    device.hello({ challenge: true });
    const nonce = await device.nonce();
    clock.advance(119_000);
    await relay.run('watch connections');
    expect(device.client.socket.readyState).toBe(device.client.socket.OPEN);
    clock.advance(1_000);
    device.answer(nonce);
    expect(await device.refusal()).toEqual(['challenge_expired', 4401]);

    const slow = await connect(BOB);
    slow.hello({ challenge: true });
    const question = await slow.nonce();
    clock.advance(100_000);
    // The connections are looked at while the proof is.
    const looks = setInterval(() => void relay.run('watch connections'), 0);
    slow.answer(question);
    await slow.client.waitFor('auth_success').finally(() => clearInterval(looks));

    const silent = await connect();
    silent.hello({ challenge: true });
    await silent.nonce();
    clock.advance(120_000);
    await relay.run('watch connections');
    expect(await silent.client.closed()).toBe(4408);
  });

  it('comes back by the token, without a signature and on that device only', async () => {
    const { token } = await signIn();
    const again = await resume(token);
    const welcome = await again.welcome();
    expect(welcome.token).toBeUndefined();
    expect(again.client.ofType('challenge')).toEqual([]);
    for (const [key, device] of [
      [ALICE, 'tablet'],
      [BOB, 'phone'],
    ] as const) {
      const other = await connect(key, device);
      other.hello({ token });
      await other.nonce();
    }
  });

  it.each(['x', 'rs_', `rs_${'a'.repeat(40)}_${'A'.repeat(43)}`])(
    'asks whoever has the stale token %s',
    async (token) => {
      const device = await connect();
      device.hello({ token });
      await device.prove();
      expect(device.token).not.toBe(token);
    },
  );

  it('forgets a token after 30 days without use, and after a new sign-in of the device', async () => {
    const first = await signIn();
    const second = await signIn();
    expect(await first.client.closed()).toBe(4409);
    const old = await connect();
    old.hello({ token: first.token });
    await old.nonce();
    second.client.kill();
    clock.advance(SESSION_MS - 1);
    (await resume(second.token)).client.kill();
    clock.advance(SESSION_MS);
    const late = await connect();
    late.hello({ token: second.token });
    await late.nonce();
  });

  it('keeps a session alive while it is connected, and ends it where it is over', async () => {
    const { client, token } = await signIn();
    for (let day = 0; day < 60; day++) {
      clock.advance(SESSION_MS / 30);
      await relay.run('keep sessions in use');
    }
    expect(client.ofType('error')).toEqual([]);
    const again = await resume(token);
    clock.advance(SESSION_MS);
    await relay.run('keep sessions in use');
    expect(await again.client.closed()).toBe(4440);
  });

  it('ends the live connection of a revoked session with 4440, and no other', async () => {
    const phone = await signIn(ALICE, 'phone');
    const tablet = await signIn(ALICE, 'tablet');
    const bob = await signIn(BOB, 'phone');
    await relay.app.get(AuthService).revoke(ALICE.address as never, 'phone');
    expect(await phone.client.closed()).toBe(4440);
    await tablet.client.settled();
    await bob.client.settled();
    const again = await connect();
    again.hello({ token: phone.token });
    await again.prove();
  });

  it('locks the address: nobody acts for it without proof any more', async () => {
    await signIn();
    expect(await classicRefusal(ALICE.address)).toEqual(['downgrade_refused', 4403]);
    const device = await connect(ALICE, 'other');
    device.hello();
    await device.nonce();
    clock.advance(3 * SESSION_MS);
    expect(await classicRefusal(ALICE.address)).toEqual(['downgrade_refused', 4403]);
  });

  it('makes a network wait that tries wrong proofs for an address, while tokens and other addresses come in', async () => {
    const { token } = await signIn();
    for (let i = 0; i < 10; i++) {
      await refusalOf(async (device) => {
        device.hello({ challenge: true });
        device.answer(`${await device.nonce()}x`);
      });
    }
    const refused = await connect();
    refused.hello({ challenge: true });
    const { retryAfterMs } = await refused.client.waitFor('error', { code: 'rate_limited' });
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
    expect(await refused.client.closed()).toBe(4429);
    await resume(token);
    await signIn(BOB);
  });

  it('writes neither tokens nor signatures nor nonces into its log', async () => {
    const device = await signIn();
    const nonce = await device.nonce();
    await resume(device.token);
    const log = relay.log();
    expect(log.length).toBeGreaterThan(0);
    for (const secret of [device.token, nonce, ALICE.sign(nonce)]) expect(log).not.toContain(secret);
  });
});

describe('addresses that sign in for the first time', () => {
  const from = (n: number) => ({ headers: { 'x-forwarded-for': `10.0.0.${n}` } });
  const key = (n: number) => SigningKey.of(100 + n);

  beforeEach(() => start({ AUTH_MODE: 'signed', MAX_FIRST_SIGN_INS_PER_IP: '3', TRUST_PROXY: '127.0.0.1' }));

  it('are so many of one network in an hour; owners come and go, and other networks do not notice', async () => {
    // Asked before the others, it answers after them.
    const late = await connect(key(4), 'phone', from(1));
    late.hello({ challenge: true });
    const nonce = await late.nonce();
    for (let n = 1; n <= 3; n++) await signIn(key(n), 'phone', from(1));
    late.answer(nonce);
    expect(await late.refusal()).toEqual(['rate_limited', 4429]);
    expect(await relay.app.get(SessionRepository).hasSignedIn(key(4).address as Address)).toBe(false);

    const refused = await connect(key(5), 'phone', from(1));
    refused.hello({ challenge: true });
    const { retryAfterMs } = await refused.client.waitFor('error', { code: 'rate_limited' });
    expect(retryAfterMs).toBeGreaterThan(3_500_000);
    expect(retryAfterMs).toBeLessThanOrEqual(3_600_000);
    expect(refused.client.ofType('challenge')).toEqual([]);
    expect(await refused.client.closed()).toBe(4429);

    await signIn(key(1), 'phone', from(1));
    await signIn(key(2), 'tablet', from(1));
    await signIn(key(4), 'phone', from(2));
    // Known by now, from wherever.
    await signIn(key(4), 'phone', from(1));
  });

  it('do not count where they were wrong', async () => {
    for (let n = 1; n <= 6; n++) {
      const device = await connect(key(n), 'phone', from(1));
      device.hello({ challenge: true });
      device.answer(`${await device.nonce()}x`);
      expect(await device.refusal()).toEqual(['auth_failed', 4401]);
    }
    await signIn(key(7), 'phone', from(1));
  });
});

describe('a sign-in that comes to nothing', () => {
  const sessionsOf = async (key = ALICE) =>
    (await relay.app.get(SessionRepository).list(key.address as Address)).map(({ device }) => device);
  const proven = async (deviceId: string) => {
    const device = await connect(ALICE, deviceId);
    device.hello({ challenge: true });
    device.answer(await device.nonce());
    return device;
  };
  /** Until the answer is called. */
  const fail = (where: object, method: string): (() => void) => {
    Object.assign(where, { [method]: () => Promise.reject(new RelayError('store_unavailable')) });
    return () => void Reflect.deleteProperty(where, method);
  };

  beforeEach(() => start({ AUTH_MODE: 'signed', MAX_DEVICES_PER_ADDRESS: '2' }));

  it('leaves no session where the address has as many devices as it may have', async () => {
    await signIn(ALICE, 'phone');
    await signIn(ALICE, 'tablet');
    expect(await (await proven('third')).refusal()).toEqual(['forbidden', 4403]);
    expect((await sessionsOf()).sort()).toEqual(['phone', 'tablet']);
  });

  it('leaves no session where the mailbox could not be opened, now or once the store answers again', async () => {
    fail(relay.app.get(QueueRepository), 'open');
    expect(await (await proven('phone')).refusal()).toEqual(['store_unavailable', 1013]);
    expect(await sessionsOf()).toEqual([]);

    const answer = fail(relay.app.get(SessionRepository), 'end');
    expect(await (await proven('phone')).refusal()).toEqual(['store_unavailable', 1013]);
    expect(await sessionsOf()).toEqual(['phone']);
    answer();
    await relay.run('discard left sessions');
    expect(await sessionsOf()).toEqual([]);
  });

  it('leaves no session of who is banned between the proof and the mailbox', async () => {
    const sessions = relay.app.get(SessionRepository);
    const create = sessions.create.bind(sessions);
    import.meta.jest.spyOn(sessions, 'create').mockImplementationOnce(async (address, device) => {
      const made = await create(address, device);
      await relay.app.get(Bans).put(address, '');
      return made;
    });
    expect(await (await proven('phone')).refusal()).toEqual(['forbidden', 4403]);
    expect(await sessionsOf()).toEqual([]);
  });

  it('does not end the session of the device that came in meanwhile', async () => {
    const both = [fail(relay.app.get(QueueRepository), 'open'), fail(relay.app.get(SessionRepository), 'end')];
    await (await proven('phone')).refusal();
    both.forEach((answer) => answer());
    const { token, client } = await signIn(ALICE, 'phone');
    await relay.run('discard left sessions');
    await client.settled();
    await resume(token);
  });
});

describe('AUTH_MODE=open', () => {
  beforeEach(() => start({ AUTH_MODE: 'open' }));

  it('believes an address that never signed in, and asks whoever wants to be asked', async () => {
    await (await relay.signIn(BOB.address)).settled();
    const device = await connect();
    device.hello();
    const welcome = await device.welcome();
    expect(welcome.token).toBeUndefined();
  });

  it('ends those who were believed as soon as the owner signs in', async () => {
    const classic = await relay.signIn(ALICE.address);
    const claimed = await connect(ALICE, 'tablet');
    claimed.hello();
    await claimed.welcome();
    const bob = await relay.signIn(BOB.address);
    const owner = await signIn();
    expect(await classic.closed()).toBe(4403);
    expect(classic.ofType('error').at(-1)).toMatchObject({ code: 'downgrade_refused' });
    expect(await claimed.client.closed()).toBe(4403);
    await owner.client.settled();
    await bob.settled();
  });
});

describe('AUTH_MODE=signed', () => {
  beforeEach(() => start({ AUTH_MODE: 'signed' }));

  it('believes nobody', async () => {
    expect(await classicRefusal(addressOf(3))).toEqual(['auth_required', 4401]);
    const device = await connect();
    device.hello();
    await device.prove();
  });
});

describe('sockets that do not sign in', () => {
  beforeEach(() => start({ MAX_CONNECTIONS_PER_IP: '20', MAX_CONNECTIONS: '40', TRUST_PROXY: '127.0.0.1' }));

  it('give way, the oldest first, to whoever comes later, and never a user', async () => {
    const user = await relay.signIn(addressOf(1));
    const idle: ClassicClient[] = [];
    for (let i = 0; i < 60; i++) idle.push(await ClassicClient.connect(relay.wsUrl));
    expect(await idle[0]!.closed()).toBe(1013);
    await Promise.all(idle.slice(0, 41).map((client) => client.closed()));
    expect(idle.slice(41).every(({ socket }) => socket.readyState === socket.OPEN)).toBe(true);
    await user.settled();
    const newcomer = await SignedDevice.signIn(relay.wsUrl, ALICE);
    await newcomer.client.settled();
    idle.forEach((client) => client.kill());
  });

  it('give way before somebody who is asked for a signature', async () => {
    const asked = await connect();
    asked.hello({ challenge: true });
    await asked.nonce();
    const idle: ClassicClient[] = [];
    for (let i = 0; i < 60; i++) idle.push(await ClassicClient.connect(relay.wsUrl));
    await asked.prove();
    idle.forEach((client) => client.kill());
  });

  it('give way where all places are taken, from wherever they came', async () => {
    const from = (n: number) => ({ headers: { 'x-forwarded-for': `10.0.0.${n}` } });
    const idle: ClassicClient[] = [];
    for (let i = 0; i < 40; i++) idle.push(await ClassicClient.connect(relay.wsUrl, from(i >> 2)));
    const newcomer = await SignedDevice.signIn(relay.wsUrl, ALICE, 'phone', from(99));
    expect(await idle[0]!.closed()).toBe(1013);
    await newcomer.client.settled();
    idle.forEach((client) => client.kill());
  });
});

describe('the name that nonces have', () => {
  it('is the Host outside of production, and needs to be one', async () => {
    await start({ PUBLIC_DOMAIN: '' });
    const device = await connect(ALICE, 'phone', { headers: { host: 'Relay.Test:3002' } });
    device.hello({ challenge: true });
    expect(parseSignInNonce(await device.nonce())?.domain).toBe('relay.test:3002');
    const odd = await connect(ALICE, 'phone', { headers: { host: 'relay_test/' } });
    odd.hello({ challenge: true });
    expect(await odd.refusal()).toEqual(['unsupported', 4403]);
  });

  it('is none in production that was not told: another relay could ask in its own name', async () => {
    await start({ PUBLIC_DOMAIN: '', NODE_ENV: 'production', AUTH_MODE: 'open' });
    expect(await refusalOf((device) => device.hello({ challenge: true }))).toEqual(['unsupported', 4403]);
  });
});
