import type { Address } from '@relay/protocol';
import { SessionRepository } from '../../src/auth/session.repository.js';
import { addressOf } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import { type Answer, call, expectProblem } from '../support/http-call.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

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
});
