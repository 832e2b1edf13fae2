import type { Address } from '@relay/protocol';
import { RedisKeyRepository } from '../../src/keys/key.repository.redis.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import { bucketOf } from '../../src/redis/redis-key.redis.js';
import { addressOf } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { RedisServer } from '../support/redis-server.js';

const ALICE = addressOf(1) as Address;
const BOB = addressOf(2) as Address;
const keyOf = (address: Address): string => `test:key:{${bucketOf(address)}}:${address}`;

describe('public keys in Redis', () => {
  let server: RedisServer;
  let client: RedisClient;
  let keys: RedisKeyRepository;
  const clock = new ManualClock();

  beforeAll(async () => {
    server = await RedisServer.start({ maxmemory: '64mb' });
    client = await RedisClient.connect(server.url, 'test:');
  });

  beforeEach(async () => {
    await server.command('FLUSHALL');
    keys = new RedisKeyRepository(client, clock);
  });

  afterAll(async () => {
    await client.close();
    await server.close();
  });

  it('keeps every key of one address in one slot, and forgets all when the last is deleted', async () => {
    await keys.put(ALICE, 'a');
    await keys.put(ALICE, 'b');
    const tag = `{${bucketOf(ALICE)}}`;
    expect(((await server.command('KEYS', '*')) as string[]).sort()).toEqual([keyOf(ALICE), `test:keys:${tag}`].sort());
    expect(await server.command('PTTL', keyOf(ALICE))).toBe(-1);
    await keys.delete(ALICE);
    expect(await server.command('DBSIZE')).toBe(0);
  });

  it.each([
    ['another type', ['SET', keyOf(ALICE), 'x']],
    ['no JSON', ['HSET', keyOf(ALICE), 'publicKey', 'x', 'createdAt', '1', 'updatedAt', '1']],
    ['no text', ['HSET', keyOf(ALICE), 'publicKey', '{"a":1}', 'createdAt', '1', 'updatedAt', '1']],
    ['no times', ['HSET', keyOf(ALICE), 'publicKey', '"x"']],
    ['strange times', ['HSET', keyOf(ALICE), 'publicKey', '"x"', 'createdAt', '1e400', 'updatedAt', '-1']],
  ])('takes what was written by hand as absent: %s', async (_, command) => {
    await keys.put(BOB, 'b');
    await server.command(...command);
    expect(await keys.get(ALICE)).toBeNull();
    expect((await keys.getMany([ALICE, BOB])).map(({ address }) => address)).toEqual([BOB]);
    const put = await keys.put(ALICE, 'a');
    expect(put).toMatchObject({ kind: 'stored', key: await keys.get(ALICE) });
    expect(await keys.delete(ALICE)).toBe(true);
  });

  it.each([
    ['a floor that is no number', ['HSET', keyOf(ALICE), 'floor', 'x']],
    [
      'a scheme that is none',
      ['HSET', keyOf(ALICE), 'version', '1', 'scheme', 'x', 'signature', `0x${'a'.repeat(130)}`],
    ],
    ['a signature that is none', ['HSET', keyOf(ALICE), 'version', '1', 'scheme', 'idena', 'signature', 'x']],
  ])('shows a key as unsigned where its signature was damaged by hand: %s', async (_, command) => {
    await keys.put(ALICE, 'a');
    await server.command(...command);
    expect(await keys.get(ALICE)).toMatchObject({ publicKey: 'a', signed: null });
    expect(await keys.put(ALICE, 'b')).toMatchObject({ kind: 'stored' });
  });

  it('leaves the version of a signed key behind, and nothing else', async () => {
    await keys.put(ALICE, 'a', { version: 7, scheme: 'idena', signature: `0x${'a'.repeat(130)}` });
    await keys.delete(ALICE);
    expect(await server.command('HGETALL', keyOf(ALICE))).toEqual(['floor', '7']);
    expect(await server.command('DBSIZE')).toBe(1);
  });

  it('survives a damaged counter', async () => {
    await server.command('SET', `test:keys:{${bucketOf(ALICE)}}`, 'many');
    await keys.put(ALICE, 'a');
    expect(await keys.count()).toBe(0);
    expect(await keys.delete(ALICE)).toBe(true);
  });

  it('counts what other nodes wrote, a second late at most', async () => {
    const elsewhere = new RedisKeyRepository(client, clock);
    expect(await keys.count()).toBe(0);
    await elsewhere.put(ALICE, 'a');
    clock.advance(1000);
    expect(await keys.count()).toBe(1);
    expect(await elsewhere.count()).toBe(1);
  });

  it('says that there is no room, and still deletes', async () => {
    await keys.put(ALICE, 'a');
    await server.command('CONFIG', 'SET', 'maxmemory', '1');
    try {
      await expect(keys.put(BOB, 'b')).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(await keys.get(ALICE)).toMatchObject({ publicKey: 'a' });
      expect(await keys.delete(ALICE)).toBe(true);
    } finally {
      await server.command('CONFIG', 'SET', 'maxmemory', '64mb');
    }
  });
});
