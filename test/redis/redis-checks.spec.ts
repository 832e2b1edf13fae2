import { PassThrough } from 'node:stream';
import { RedisBackplane } from '../../src/backplane/backplane.redis.js';
import { Logger } from '../../src/common/logger.js';
import { StartError } from '../../src/common/start-error.js';
import { checkRedis, judge, type RedisFacts } from '../../src/redis/redis-checks.redis.js';
import { type ConnectOptions, RedisClient } from '../../src/redis/redis-client.redis.js';
import type { RedisTarget } from '../../src/redis/redis-target.redis.js';
import { RedisCluster, RedisSentinels, RedisServer } from '../support/redis-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';

/** Why a start was refused, with its exit code; `null` where it was not. */
async function refusalOf(target: string | RedisTarget, options: ConnectOptions = {}): Promise<unknown> {
  let client: RedisClient | undefined;
  try {
    client = await RedisClient.connect(target, 'test:', options);
    await checkRedis(client, options.logger);
    (await RedisBackplane.open({ client })).close();
    return null;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    expect(error.message).not.toContain('hunter2');
    return { exitCode: error.exitCode, reasons: error.reasons };
  } finally {
    await client?.close();
  }
}

const because = (exitCode: number, ...reasons: string[]) => ({
  exitCode,
  reasons: reasons.map((reason) => expect.stringContaining(reason) as string),
});

describe('a start with Redis', () => {
  const servers: { close(): Promise<void> }[] = [];
  let log: string;
  let logger: Logger;

  const started = async <T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const server = await starting;
    servers.push(server);
    return server;
  };
  const redisWith = (options: Parameters<typeof RedisServer.start>[0] = {}) => started(RedisServer.start(options));

  beforeEach(() => {
    log = '';
    const destination = new PassThrough();
    destination.on('data', (chunk: Buffer) => (log += chunk.toString()));
    logger = Logger.create({ level: 'debug', json: true, destination });
  });

  afterEach(async () => {
    for (const server of servers.splice(0).reverse()) await server.close();
  });

  it('is fine with a safe one, and says nothing', async () => {
    const redis = await redisWith({ appendfsync: 'always', password: 'hunter2' });
    expect(await refusalOf(redis.url, { logger })).toBeNull();
    expect(log).toBe('');
  });

  it('is refused where nothing listens, or nobody is called that', async () => {
    expect(await refusalOf('redis://:hunter2@127.0.0.1:1')).toEqual(
      because(69, 'Redis does not answer at redis://127.0.0.1:1: ECONNREFUSED'),
    );
    expect(await refusalOf('redis://nobody.invalid')).toEqual(because(69, 'redis://nobody.invalid:6379: ENOTFOUND'));
  });

  it('is refused after a wrong password, user or database, without waiting', async () => {
    const redis = await redisWith({ password: 'hunter2' });
    const wrong = { waitMs: 60_000 };
    expect(await refusalOf(`redis://:hunter3@${redis.address}`, wrong)).toEqual(because(78, 'user or the password'));
    expect(await refusalOf(`redis://${redis.address}`, wrong)).toEqual(because(78, 'user or the password'));
    expect(await refusalOf(`redis://eve:hunter2@${redis.address}`, wrong)).toEqual(because(78, 'user or the password'));
    expect(await refusalOf(`${redis.url}/99`, wrong)).toEqual(because(78, 'no database'));
  });

  it('is refused by all that is unsafe, at once', async () => {
    const primary = await redisWith();
    const replica = await redisWith({ replicaOf: primary, extra: { 'maxmemory-policy': 'allkeys-lru' } });
    expect(await refusalOf(replica.url)).toEqual(because(78, 'is a replica', 'maxmemory-policy allkeys-lru'));
  });

  it('warns of what costs mail or memory when Redis ends, and starts', async () => {
    const redis = await redisWith({ appendfsync: 'everysec', extra: { 'stream-node-max-bytes': '4096' } });
    expect(await refusalOf(redis.url, { logger })).toBeNull();
    expect(log).toContain('appendfsync everysec');
    expect(log).toContain('stream-node-max-bytes 4096');
    await redis.command('CONFIG', 'SET', 'appendonly', 'no', 'stream-node-max-bytes', '512');
    log = '';
    expect(await refusalOf(redis.url, { logger })).toBeNull();
    expect(log).toContain('no append-only file');
    expect(log).not.toContain('stream-node-max-bytes');
  });

  it('goes by INFO where CONFIG is not permitted, as with managed Redis', async () => {
    const redis = await redisWith({ extra: { 'maxmemory-policy': 'allkeys-lru' } });
    await redis.command('ACL', 'SETUSER', 'relay', 'on', '>hunter2', '~*', '&*', '+@all', '-config');
    expect(await refusalOf(`redis://relay:hunter2@${redis.address}`)).toEqual(because(78, 'allkeys-lru'));
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'appendonly', 'yes');
    expect(await refusalOf(`redis://relay:hunter2@${redis.address}`, { logger })).toBeNull();
    expect(log).toContain('appendfsync of Redis could not be checked');
    expect(log).toContain('stream-node-max-bytes of Redis could not be checked');
  });

  it('waits for one that cannot be reached yet, and says so once', async () => {
    const redis = await redisWith();
    const proxy = await started(TcpProxy.to(redis.url));
    proxy.reset();
    const starting = refusalOf(proxy.url, { logger, waitMs: 20_000 });
    await new Promise<void>((resolve) => {
      const look = () => (log.includes('waiting for Redis') ? resolve() : setImmediate(look));
      look();
    });
    proxy.pass();
    expect(await starting).toBeNull();
    expect(log.split('waiting for Redis')).toHaveLength(2);
  });

  it('waits no longer than it should', async () => {
    const startedAt = performance.now();
    expect(await refusalOf('redis://127.0.0.1:1', { waitMs: 300 })).toEqual(because(69, 'ECONNREFUSED'));
    expect(performance.now() - startedAt).toBeGreaterThan(250);
  });

  it('waits for one that loads its data, however long that is', async () => {
    const redis = await redisWith({
      appendfsync: 'always',
      extra: { 'key-load-delay': '1000', 'loading-process-events-interval-bytes': '1024' },
    });
    for (let i = 0; i < 600; i++) await redis.command('SET', `k${i}`, 'x'.repeat(1000));
    await redis.kill();
    const restarting = redis.restart();
    // Until it listens, nothing answers; then it loads.
    for (;;) {
      const refusal = await refusalOf(redis.url);
      if (refusal === null) break;
      expect(refusal).toEqual(because(69, 'ECONNREFUSED'));
    }
    await restarting;
  });

  it('is refused by a Cluster that was taken for one Redis, and the other way round', async () => {
    const alone = await redisWith();
    expect(await refusalOf({ url: 'redis://unused', clusterNodes: [alone.address] })).toEqual(
      because(78, 'no Cluster'),
    );
    const node = await redisWith({ cluster: true });
    expect(await refusalOf(node.url)).toEqual(because(78, 'part of a Cluster'));
  });

  it('is refused where no Sentinel answers, or none knows the name', async () => {
    const target = { url: 'redis://unused', sentinels: ['127.0.0.1:1'] };
    expect(await refusalOf(target)).toEqual(because(69, 'relay of the Sentinels at 127.0.0.1:1'));
    const sentinels = await started(RedisSentinels.start({ replicas: 0 }));
    const named = { url: 'redis://unused', sentinels: sentinels.sentinels, sentinelName: 'other' };
    expect(await refusalOf(named)).toEqual(because(78, 'called other'));
  });

  it('looks at every primary of a Cluster', async () => {
    const cluster = await started(RedisCluster.start({ replicas: 0 }));
    const target = { url: 'redis://unused', clusterNodes: cluster.addresses };
    expect(await refusalOf(target)).toBeNull();
    await cluster.nodes[2]!.command('CONFIG', 'SET', 'maxmemory-policy', 'volatile-ttl');
    expect(await refusalOf(target)).toEqual(
      because(78, `port ${cluster.nodes[2]!.port} has maxmemory-policy volatile-ttl`),
    );
  });
});

describe('the judgement of what Redis says of itself', () => {
  const config = new Map(
    Object.entries({
      'maxmemory-policy': 'noeviction',
      appendonly: 'yes',
      appendfsync: 'always',
      'stream-node-max-bytes': '512',
    }),
  );
  const facts = (info: Record<string, string>, more: Partial<RedisFacts> = {}): RedisFacts => ({
    where: '',
    info: new Map(Object.entries({ redis_version: '7.0.0', role: 'master', ...info })),
    config,
    isOfCluster: false,
    ...more,
  });

  it.each([
    [{ redis_version: '6.2.14' }, 'Redis is Redis 6.2.14; needed is Redis 7.0 or Valkey 7.2'],
    [{ redis_version: '7.0.0' }, null],
    [{ redis_version: '8.2.1' }, null],
    [{ redis_version: '10.0.0' }, null],
    [{ redis_version: '7.2.4', valkey_version: '7.1.9' }, 'Redis is Valkey 7.1.9; needed is Redis 7.0 or Valkey 7.2'],
    [{ redis_version: '7.2.4', valkey_version: '7.2.0' }, null],
    [{ redis_version: '7.2.4', valkey_version: '8.0.1' }, null],
    [{ redis_version: 'nonsense' }, 'Redis is Redis nonsense; needed is Redis 7.0 or Valkey 7.2'],
  ])('of the version: %j', (info, reason) => {
    expect(judge(facts(info as Record<string, string>)).reasons).toEqual(reason === null ? [] : [reason]);
  });

  it('names the node of a Cluster, and accepts that it is one', () => {
    const { reasons } = judge(
      facts({ role: 'slave', cluster_enabled: '1' }, { where: 'port 7001', isOfCluster: true }),
    );
    expect(reasons).toEqual(['the Redis node with port 7001 is a replica; the relay must write to the primary']);
  });

  it('says what it could not check', () => {
    const { reasons, warnings } = judge(facts({}, { info: null, config: null }));
    expect(reasons).toEqual([]);
    expect(warnings).toEqual([
      expect.stringContaining('version and role'),
      expect.stringContaining('eviction policy'),
      expect.stringContaining('append-only'),
      expect.stringContaining('stream-node-max-bytes'),
    ]);
  });
});
