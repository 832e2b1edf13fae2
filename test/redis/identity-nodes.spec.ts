import type { Address } from '@relay/protocol';
import { randomBytes } from 'node:crypto';
import { AuthService } from '../../src/auth/auth.service.js';
import { Revocations } from '../../src/auth/revocations.js';
import { SessionRepository } from '../../src/auth/session.repository.js';
import type { RedisClient } from '../../src/redis/redis-client.redis.js';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import { type Answer, call, callJson } from '../support/http-call.js';
import { ManualClock } from '../support/manual-clock.js';
import { eventually, RedisServer, usesRedis } from '../support/redis-server.js';
import { type RunningRelay, startRelay } from '../support/relay.js';
import { SignedDevice } from '../support/signed-device.js';
import { SigningKey } from '../support/signing.js';

const ALICE = addressOf(1) as Address;
const RACES = 100;

/** Three relays on one Redis. */
describe('identity on several nodes', () => {
  const shared = usesRedis();
  let redis: RedisServer;
  let nodes: readonly RunningRelay[];

  beforeEach(async () => {
    redis = await shared;
    const clock = new ManualClock();
    const prefix = `${randomBytes(6).toString('hex')}:`;
    await redis.command('SET', `${prefix}clock`, String(clock.now()));
    const env = { STORAGE: 'redis', REDIS_URL: redis.url, REDIS_KEY_PREFIX: prefix };
    nodes = await Promise.all([1, 2, 3].map(() => startRelay({ clock, env })));
  });

  afterEach(() => Promise.all(nodes.map((node) => node.stop())));

  const issue = (address: Address, device: string) => nodes[0]!.app.get(SessionRepository).create(address, device);

  function asAlice(node: RunningRelay, token: string, method: string, path: string): Promise<Answer> {
    return call(node.port, { method, path, headers: { authorization: `Bearer ${token}` } });
  }

  it('has one winner of each of a hundred races for one nonce', async () => {
    for (let race = 0; race < RACES; race++) {
      const key = SigningKey.of(race);
      const token = `race-${race}`;
      const begun = await callJson(nodes[race % 3]!.port, 'POST', '/auth/v1/start-session', {
        token,
        address: key.address,
      });
      const { nonce } = (JSON.parse(begun.text) as { data: { nonce: string } }).data;
      const body = { token, signature: key.sign(nonce) };
      const tries = [...nodes, ...nodes].map((node) => callJson(node.port, 'POST', '/auth/v1/authenticate', body));
      const answers = (await Promise.all(tries)).map(({ text }) => JSON.parse(text) as object);
      const won = answers.filter((answer) => 'data' in answer);
      expect([race, won]).toEqual([race, [{ success: true, data: { authenticated: true } }]]);
      const lost = answers.filter((answer) => !('data' in answer));
      expect(lost).toEqual(Array(5).fill({ success: false, error: 'already authenticated' }));
    }
  });

  it('tells an owner’s devices of a new key wherever they are', async () => {
    const phones = await Promise.all(nodes.map((node, i) => Device.open(node.wsUrl, ALICE, `phone-${i}`)));
    await callJson(nodes[0]!.port, 'POST', '/api/public-keys', { address: ALICE, publicKey: 'key' });
    for (const { client } of phones) expect(await client.waitFor('key_changed')).toMatchObject({ address: ALICE });
  });

  it('tells an owner’s devices of a session by a wallet’s link wherever they are', async () => {
    const key = SigningKey.of(1);
    const phones = await Promise.all(nodes.map((node, i) => SignedDevice.signIn(node.wsUrl, key, `phone-${i}`)));
    await nodes[0]!.app.get(AuthService).grant(key.address as Address, 'browser');
    const told = { address: key.address, deviceId: 'browser' };
    for (const { client } of phones) expect(await client.waitFor('session_opened')).toMatchObject(told);
  });

  it('knows which devices are connected elsewhere, asked from a node that has none or one of them', async () => {
    await Device.open(nodes[1]!.wsUrl, ALICE, 'phone');
    await Device.open(nodes[2]!.wsUrl, ALICE, 'laptop');
    const { token } = await issue(ALICE, 'browser');
    for (const node of nodes) {
      const { text } = await asAlice(node, token, 'GET', '/api/devices');
      const { devices } = JSON.parse(text) as { devices: { deviceId: string; online: boolean }[] };
      expect(devices.filter(({ online }) => online).map(({ deviceId }) => deviceId)).toEqual(['laptop', 'phone']);
    }
  });

  it('cuts a device off that is connected elsewhere, when its owner ends it', async () => {
    const lost = await Device.open(nodes[1]!.wsUrl, ALICE, 'lost');
    const phone = await Device.open(nodes[1]!.wsUrl, ALICE, 'phone');
    const { token } = await issue(ALICE, 'browser');
    expect((await asAlice(nodes[0]!, token, 'DELETE', '/api/devices/lost')).status).toBe(200);
    expect(await lost.client.closed()).toBe(4440);
    await phone.client.settled();
    const { text } = await asAlice(nodes[2]!, token, 'GET', '/api/devices');
    expect(text).not.toContain('"lost"');
  });
});

/** What happens when Redis goes in the middle of a sign-in, seen by a stranger who had been believed. */
describe('the first sign-in of an address, while Redis goes away', () => {
  const key = SigningKey.of(1);
  let redis: RedisServer;
  let nodes: readonly RunningRelay[];

  beforeEach(async () => {
    redis = await RedisServer.start({ appendfsync: 'always' });
    const env = { STORAGE: 'redis', REDIS_URL: redis.url, PUBLIC_DOMAIN: 'relay.example', AUTH_MODE: 'open' };
    nodes = await Promise.all([1, 2].map(() => startRelay({ env })));
    // The first look of a node looks at everybody.
    await Promise.all(nodes.map((node) => node.run('look for revoked sessions')));
  });

  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await redis.close();
  });

  /** `happens` before that call of the next sign-in: it asks what would end, announces that, and does it. */
  function before(node: RunningRelay, nth: number, happens: () => Promise<void>): void {
    const sessions = node.app.get(SessionRepository);
    const { client } = sessions as unknown as { client: RedisClient };
    const run = client.run.bind(client);
    const create = sessions.create.bind(sessions);
    sessions.create = async (...args) => {
      Reflect.deleteProperty(sessions, 'create');
      let calls = 0;
      client.run = async (...call) => {
        // Jobs of the node ask Redis in between.
        const [, [key = ''], args] = call;
        const isOfIt = key.includes('ses:{') || (key.endsWith('rev') && args.length > 1);
        if (isOfIt && ++calls === nth) await happens();
        return run(...call);
      };
      try {
        return await create(...args);
      } finally {
        client.run = run;
      }
    };
  }

  async function attempt(node: RunningRelay): Promise<SignedDevice | null> {
    const device = await SignedDevice.connect(node.wsUrl, key);
    device.hello({ challenge: true });
    device.answer(await device.nonce());
    return device.welcome().then(
      () => device,
      () => null,
    );
  }

  /** Of a classic client that nobody has proved to be the owner, as soon as the nodes have looked. */
  async function expectLocked(impostor: ClassicClient): Promise<void> {
    await Promise.all(nodes.map((node) => node.run('look for revoked sessions')));
    expect(await impostor.closed()).toBe(4403);
    const again = await ClassicClient.connect(nodes[1]!.wsUrl);
    again.send({ type: 'auth', address: key.address });
    expect(await again.closed()).toBe(4403);
  }

  it.each([1, 2, 3])(
    'leaves no impostor where the address is locked: killed before call %i',
    async (nth) => {
      const impostor = await nodes[1]!.signIn(key.address);
      before(nodes[0]!, nth, () => redis.kill());
      expect(await attempt(nodes[0]!)).toBeNull();
      await redis.restart();
      await eventually('the nodes to be back', async () => {
        const looks = nodes.map((node) => node.app.get(Revocations).check());
        return (await Promise.allSettled(looks)).every(({ status }) => status === 'fulfilled');
      });
      if (await nodes[0]!.app.get(SessionRepository).hasSignedIn(key.address as Address)) {
        return expectLocked(impostor);
      }
      // The owner comes again.
      const owner = await eventually('the owner to be in', () => attempt(nodes[0]!));
      await expectLocked(impostor);
      await owner!.client.settled();
    },
    30_000,
  );

  it('leaves no impostor where Redis hangs, and does late what it was told', async () => {
    const impostor = await nodes[1]!.signIn(key.address);
    before(nodes[0]!, 3, () => Promise.resolve(redis.pause()));
    expect(await attempt(nodes[0]!)).toBeNull();
    redis.resume();
    await eventually('the nodes to be back', async () => {
      const looks = nodes.map((node) => node.app.get(Revocations).check());
      return (await Promise.allSettled(looks)).every(({ status }) => status === 'fulfilled');
    });
    await expectLocked(impostor);
  });
});
