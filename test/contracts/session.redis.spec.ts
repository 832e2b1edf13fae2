import { type Address } from '@relay/protocol';
import { randomBytes } from 'node:crypto';
import { RedisSessionRepository } from '../../src/auth/session.repository.redis.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import type { RedisTarget } from '../../src/redis/redis-target.redis.js';
import { StoreClock } from '../../src/redis/store-clock.redis.js';
import { addressOf } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { RedisCluster, usesRedis } from '../support/redis-server.js';
import { sessionContract, type SessionsUnderTest } from './session.contract.js';

const redis = usesRedis();

interface RedisSessionsUnderTest extends SessionsUnderTest {
  readonly client: RedisClient;
}

async function open(target: RedisTarget): Promise<RedisSessionsUnderTest> {
  const clock = new ManualClock();
  const client = await RedisClient.connect(target, `${randomBytes(4).toString('hex')}:`);
  const sessions = new RedisSessionRepository(client, new StoreClock(clock, clock.now()));
  return { sessions, clock, client, close: () => client.close() };
}

sessionContract('redis', async () => open({ url: (await redis).url }));

describe('on a Cluster of three primaries', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await RedisCluster.start({ replicas: 0 });
  });

  afterAll(() => cluster.close());

  sessionContract('redis cluster', () => open({ url: cluster.urls[0] ?? '', clusterNodes: cluster.addresses }));
});

describe('RedisSessionRepository', () => {
  const ALICE = addressOf(1) as Address;
  let sessions: RedisSessionsUnderTest['sessions'];
  let client: RedisClient;

  beforeEach(async () => {
    ({ sessions, client } = await open({ url: (await redis).url }));
  });

  afterEach(() => client.close());

  it('says so where what was revoked since a mark was trimmed', async () => {
    await sessions.create(ALICE, 'phone');
    const { mark } = await sessions.revokedSince(null);
    await sessions.revoke(ALICE, 'phone');
    expect(await sessions.revokedSince(mark)).toMatchObject({ missed: false, revoked: [{ device: 'phone' }] });
    await client.command('XTRIM', `${client.prefix}rev`, 'MAXLEN', 0);
    const after = await sessions.revokedSince(mark);
    expect(after).toMatchObject({ missed: true, revoked: [] });
    expect(await sessions.revokedSince(after.mark)).toMatchObject({ missed: false, revoked: [] });
  });

  it('locks nothing, and ends nothing, where nobody could be told of it', async () => {
    const rev = `${client.prefix}rev`;
    await client.command('SET', rev, 'no stream');
    await expect(sessions.create(ALICE, 'phone')).rejects.toThrow();
    expect(await sessions.hasSignedIn(ALICE)).toBe(false);
    await client.command('DEL', rev);
    const { mark } = await sessions.revokedSince(null);
    const { token, session } = await sessions.create(ALICE, 'phone');
    expect((await sessions.revokedSince(mark)).revoked).toEqual([{ id: '', address: ALICE, device: '' }]);
    await client.command('SET', rev, 'no stream');
    await expect(sessions.create(ALICE, 'phone')).rejects.toThrow();
    await expect(sessions.revoke(ALICE, 'phone')).rejects.toThrow();
    expect(await sessions.use(token)).toEqual(session);
    await client.command('DEL', rev);
    await sessions.create(ALICE, 'phone');
    expect(await sessions.use(token)).toBeNull();
  });

  it('makes one session where its connection was cut and the call came twice', async () => {
    const { mark } = await sessions.revokedSince(null);
    const run = client.run.bind(client);
    client.run = async (...call) => (await run(...call), run(...call));
    const { token } = await sessions.create(ALICE, 'phone');
    client.run = run;
    expect(await sessions.use(token)).not.toBeNull();
    expect(await sessions.list(ALICE)).toHaveLength(1);
    const ids = (await sessions.revokedSince(mark)).revoked.map(({ id }) => id);
    expect(new Set(ids)).toEqual(new Set(['']));
  });
});
