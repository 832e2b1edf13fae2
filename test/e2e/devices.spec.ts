import type { Address } from '@relay/protocol';
import { SessionRepository } from '../../src/auth/session.repository.js';
import { addressOf } from '../support/classic-client.js';
import { DevicesService } from '../../src/devices/devices.service.js';
import { Device } from '../support/device.js';
import { QueueRepository } from '../../src/queue/queue.repository.js';
import { type Answer, call, expectProblem } from '../support/http-call.js';
import { ManualClock } from '../support/manual-clock.js';
import { eventually } from '../support/redis-server.js';
import { type RunningRelay, startRelay } from '../support/relay.js';
import { SignedDevice } from '../support/signed-device.js';
import { SigningKey } from '../support/signing.js';

const ALICE = addressOf(1) as Address;
const BOB = addressOf(2) as Address;

describe('devices of one’s own', () => {
  let relay: RunningRelay;
  let clock: ManualClock;

  beforeEach(async () => {
    clock = new ManualClock();
    relay = await startRelay({ clock });
  });

  afterEach(() => relay.stop());

  const issue = (address: Address, device: string) => relay.app.get(SessionRepository).create(address, device);

  function devices(token: string): Promise<Answer> {
    return call(relay.port, { path: '/api/devices', headers: { authorization: `Bearer ${token}` } });
  }

  function end(token: string, device: string): Promise<Answer> {
    const headers = { authorization: `Bearer ${token}` };
    return call(relay.port, { method: 'DELETE', path: `/api/devices/${device}`, headers });
  }

  it('are all signed out, also one that signs in meanwhile', async () => {
    const sessions = relay.app.get(SessionRepository);
    await issue(ALICE, 'phone');
    const list = sessions.list.bind(sessions);
    import.meta.jest.spyOn(sessions, 'list').mockImplementationOnce(async (address) => {
      const found = await list(address);
      await issue(address, 'late');
      return found;
    });
    expect(await relay.app.get(DevicesService).endSessions(ALICE)).toEqual({ sessions: 2, devices: 0 });
    expect(await list(ALICE)).toEqual([]);
  });

  it('are listed with their place, their session, whether they are here, and which one asks', async () => {
    const phone = await Device.open(relay.wsUrl, ALICE, 'phone', { acknowledges: false });
    const classic = await relay.signIn(ALICE);
    const bob = await relay.signIn(BOB);
    bob.message(ALICE, 'm1');
    await phone.client.waitFor('message');
    await classic.settled();
    await bob.waitFor('delivered');
    const { token, session } = await issue(ALICE, 'browser');
    await issue(ALICE, 'phone');
    await issue(BOB, 'of somebody else');
    const now = clock.now();
    const times = { createdAt: now, lastUsedAt: now, expiresAt: session.expiresAt };
    const id = expect.stringMatching(/^[\w-]{8,}$/) as string;
    const { status, text } = await devices(token);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({
      address: ALICE,
      count: 3,
      devices: [
        {
          deviceId: 'browser',
          current: true,
          online: false,
          lastUsedAt: null,
          pending: null,
          session: { ...times, id: session.id },
        },
        { deviceId: 'classic', current: false, online: true, lastUsedAt: now, pending: 0, session: null },
        { deviceId: 'phone', current: false, online: true, lastUsedAt: now, pending: 1, session: { ...times, id } },
      ],
    });
    expect(text).not.toContain(token);
  });

  it('can be ended: signed out, cut off, and holding no mail back', async () => {
    const lost = await Device.open(relay.wsUrl, ALICE, 'lost', { acknowledges: false });
    const phone = await Device.open(relay.wsUrl, ALICE, 'phone');
    const bob = await relay.signIn(BOB);
    const other = await Device.open(relay.wsUrl, BOB, 'lost');
    const { token: stolen } = await issue(ALICE, 'lost');
    const { token } = await issue(ALICE, 'phone');
    bob.message(ALICE, 'm1');
    await bob.waitFor('delivered');
    expect((await end(token, 'lost')).status).toBe(200);
    expect(await lost.client.closed()).toBe(4440);
    expectProblem(await devices(stolen), 401, 'auth_failed');
    const left = JSON.parse((await devices(token)).text) as { devices: { deviceId: string }[] };
    expect(left.devices.map(({ deviceId }) => deviceId)).toEqual(['phone']);
    // Nobody else's connection, of that address or another, has noticed.
    bob.message(ALICE, 'm2');
    await phone.client.waitFor('message', { messageId: 'm2' });
    await other.client.settled();
  });

  it('can end themselves', async () => {
    const { token } = await issue(ALICE, 'phone');
    expect((await end(token, 'phone')).status).toBe(200);
    expectProblem(await devices(token), 401, 'auth_failed');
  });

  it('can be ended where it is the one that all classic connections share', async () => {
    const classic = await relay.signIn(ALICE);
    const { token } = await issue(ALICE, 'phone');
    expect((await end(token, 'classic')).status).toBe(200);
    expect(await classic.closed()).toBe(4440);
  });

  it.each(['unknown', 'no/such', '%00', 'a b', 'x'.repeat(65), '*'])(
    'that are none are not found: %.10s',
    async (device) => {
      const { token } = await issue(ALICE, 'phone');
      await issue(BOB, 'unknown');
      expectProblem(await end(token, encodeURIComponent(device)), 404, 'not_found');
    },
  );

  describe('that are ended while they sign in', () => {
    const KEY = SigningKey.of(1);
    const OWNER = KEY.address as Address;
    const queue = () => relay.app.get(QueueRepository);
    const names = (all: readonly { device: string }[]) =>
      all
        .map(({ device }) => device)
        .sort()
        .join(' ');
    const left = async () => {
      const sessions = await relay.app.get(SessionRepository).list(OWNER);
      return `places ${names(await queue().devices(OWNER))}, sessions ${names(sessions)}`;
    };
    /** As soon as whoever was closed is cleared away. */
    const expectOnly = (device: string) =>
      eventually(`only ${device}`, async () => (await left()) === `places ${device}, sessions ${device}`);

    /** The next call of that method waits: `arrived` when it was made, until `let` is called; later calls pass. */
    function hold(where: object, method: string): { arrived: Promise<void>; let: () => void } {
      const real = (where as Record<string, (...args: unknown[]) => Promise<unknown>>)[method]!.bind(where);
      let arrive!: () => void;
      let release!: () => void;
      const arrived = new Promise<void>((resolve) => (arrive = resolve));
      const released = new Promise<void>((resolve) => (release = resolve));
      Object.assign(where, {
        [method]: async (...args: unknown[]) => {
          Reflect.deleteProperty(where, method);
          arrive();
          await released;
          return real(...args);
        },
      });
      return { arrived, let: release };
    }

    it('by their token are out: no place stays that holds mail back', async () => {
      const phone = await SignedDevice.signIn(relay.wsUrl, KEY, 'phone');
      const lost = await SignedDevice.signIn(relay.wsUrl, KEY, 'lost');
      lost.client.kill();
      const opening = hold(queue(), 'open');
      const again = await SignedDevice.connect(relay.wsUrl, KEY, 'lost');
      again.hello({ token: lost.token });
      await opening.arrived;
      expect((await end(phone.token, 'lost')).status).toBe(200);
      opening.let();
      expect(await again.client.closed()).toBe(4440);
      expect(again.client.ofType('auth_success')).toEqual([]);
      await phone.client.settled();
      await expectOnly('phone');
    });

    it('by a proof are out, where it came before', async () => {
      const phone = await SignedDevice.signIn(relay.wsUrl, KEY, 'phone');
      const opening = hold(queue(), 'open');
      const lost = await SignedDevice.connect(relay.wsUrl, KEY, 'lost');
      lost.hello({ challenge: true });
      lost.answer(await lost.nonce());
      await opening.arrived;
      expect((await end(phone.token, 'lost')).status).toBe(200);
      opening.let();
      expect(await lost.client.closed()).toBe(4440);
      expect(lost.client.ofType('auth_success')).toEqual([]);
      await expectOnly('phone');
    });

    it('by a proof that came in between are out as a whole', async () => {
      const phone = await SignedDevice.signIn(relay.wsUrl, KEY, 'phone');
      await SignedDevice.signIn(relay.wsUrl, KEY, 'lost');
      const retiring = hold(queue(), 'retire');
      const ended = end(phone.token, 'lost');
      await retiring.arrived;
      const lost = await SignedDevice.signIn(relay.wsUrl, KEY, 'lost');
      retiring.let();
      expect((await ended).status).toBe(200);
      expect(await lost.client.closed()).toBe(4440);
      await expectOnly('phone');
    });

    it('by a proof that comes afterwards are in, with place and session', async () => {
      const phone = await SignedDevice.signIn(relay.wsUrl, KEY, 'phone');
      await SignedDevice.signIn(relay.wsUrl, KEY, 'lost');
      expect((await end(phone.token, 'lost')).status).toBe(200);
      const back = await SignedDevice.signIn(relay.wsUrl, KEY, 'lost');
      await back.client.settled();
      expect(await left()).toBe('places lost phone, sessions lost phone');
    });

    it('leave a place that they had before to the sign-in that took them over', async () => {
      const first = await SignedDevice.signIn(relay.wsUrl, KEY, 'phone');
      const tablet = await SignedDevice.signIn(relay.wsUrl, KEY, 'tablet');
      const bob = await Device.open(relay.wsUrl, BOB, 'phone');
      first.client.kill();
      // Kept for the phone alone.
      bob.client.message(OWNER, 'm1');
      tablet.client.send({ type: 'ack', upTo: (await tablet.client.waitFor('message')).id });
      await bob.client.waitFor('delivered');
      const opening = hold(queue(), 'open');
      const resuming = await SignedDevice.connect(relay.wsUrl, KEY, 'phone');
      resuming.hello({ token: first.token });
      await opening.arrived;
      // The same installation, by a proof: the token ends.
      const proving = hold(queue(), 'open');
      const proven = SignedDevice.signIn(relay.wsUrl, KEY, 'phone');
      await proving.arrived;
      opening.let();
      expect(await resuming.client.closed()).toBe(4440);
      proving.let();
      const { client } = await proven;
      expect(await client.waitFor('message')).toMatchObject({ messageId: 'm1' });
      expect(client.ofType('gap')).toEqual([]);
    });
  });
});
