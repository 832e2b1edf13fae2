import { RelayError } from '@relay/protocol';
import { Command, type Redis } from 'ioredis';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { Metrics } from '../../src/common/metrics.js';
import { Logger } from '../../src/common/logger.js';
import { NotExecuted, RedisClient, type Script } from '../../src/redis/redis-client.redis.js';
import { PING_EVERY_MS } from '../../src/redis/redis-connection.redis.js';
import { slotOf } from '../../src/redis/redis-key.redis.js';
import { ANSWER_WITHIN_MS, createRedis } from '../../src/redis/redis-target.redis.js';
import { eventually, RedisSentinels, RedisServer } from '../support/redis-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const ECHO: Script = { name: 'echo', lua: 'return ARGV[1]' };
const COUNT: Script = { name: 'count', lua: "return redis.call('INCR', KEYS[1])" };
const PUSH: Script = { name: 'push', lua: "return redis.call('RPUSH', KEYS[1], ARGV[1])" };
const BROKEN: Script = { name: 'broken', lua: "return redis.error_reply('ERR broken')" };

/** How a promise ended. */
async function outcomeOf(promise: Promise<unknown>): Promise<{ value?: unknown; error?: unknown }> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

/** Nobody knows whether Redis did it. */
function expectUnknown(error: unknown): void {
  expect(error).toBeInstanceOf(RelayError);
  expect(error).not.toBeInstanceOf(NotExecuted);
  expect((error as RelayError).code).toBe('store_unavailable');
}

describe('the Redis client', () => {
  let redis: RedisServer;
  let client: RedisClient;
  let proxy: TcpProxy | undefined;
  let log: string;
  let metrics: Metrics;

  const logger = () => {
    const destination = new PassThrough();
    destination.on('data', (chunk: Buffer) => (log += chunk.toString()));
    return Logger.create({ level: 'debug', json: true, destination });
  };
  const linesOf = (msg: string) =>
    log.split('\n').filter((line) => line !== '' && (JSON.parse(line) as { msg: string }).msg === msg);
  const returned = () => new Promise<void>((resolve) => client.onReady(resolve));
  const throughProxy = async (): Promise<TcpProxy> => {
    proxy = await TcpProxy.to(redis.url);
    client = await RedisClient.connect(proxy.url, 'test:', { logger: logger() });
    return proxy;
  };

  beforeAll(async () => {
    redis = await RedisServer.start({ password: 'hunter2 %@', appendfsync: 'everysec' });
  });
  afterAll(() => redis.close());

  beforeEach(async () => {
    log = '';
    metrics = new Metrics();
    await redis.command('FLUSHALL');
  });

  afterEach(async () => {
    await client.close();
    await proxy?.close();
    proxy = undefined;
  });

  const connect = async (): Promise<void> => {
    client = await RedisClient.connect(redis.url, 'test:', { logger: logger(), metrics });
  };

  it('runs scripts and commands, with text, numbers and bytes', async () => {
    await connect();
    expect(client.isReady).toBe(true);
    expect(await client.run(ECHO, ['k'], ['grüße'])).toBe('grüße');
    expect(await client.run(ECHO, ['k'], [7])).toBe('7');
    expect(await client.run(ECHO, ['k'], [Buffer.from('bytes')])).toBe('bytes');
    expect(await client.command('SET', 'a', 1)).toBe('OK');
    expect(await client.command('GET', 'b')).toBeNull();
    expect(await client.commandEverywhere('PING')).toEqual(['PONG']);
    expect(await client.commandBeside('a', 'PUBSUB', 'SHARDNUMSUB', 'c')).toEqual(['c', 0]);
  });

  it('sends what one turn wants in one write', async () => {
    await connect();
    await client.run(COUNT, ['n'], []);
    const reads = Number(await redis.info('total_reads_processed'));
    await Promise.all(Array.from({ length: 100 }, () => client.run(COUNT, ['n'], [])));
    // The question itself and a ping are reads too.
    expect(Number(await redis.info('total_reads_processed')) - reads).toBeLessThan(5);
    expect(await redis.command('GET', 'n')).toBe('101');
  });

  it('counts an answer that came while this process stood still', async () => {
    await connect();
    const own = createRedis({ url: redis.url }) as Redis;
    own.options.commandTimeout = 50;
    try {
      await own.connect();
      const echo = new RedisClient(own, 'test:').run(ECHO, [], ['here']);
      // Sent; and then longer than it may take, not a turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
      expect(await echo).toBe('here');
    } finally {
      own.disconnect();
    }
  });

  it('reads answers past ioredis, on each of its connections', async () => {
    await connect();
    const own = createRedis({ url: redis.url }) as Redis;
    const ask = async (): Promise<unknown[]> => {
      const args = ['return {ARGV[1], 7, false, {}}', 0, 'grüße'];
      const command = new Command('EVAL', args, { replyEncoding: 'utf8' });
      const answer = (await own.sendCommand(command)) as unknown[];
      // Which ioredis leaves as it was.
      expect((command as unknown as { replyEncoding: unknown }).replyEncoding).toBeNull();
      return answer;
    };
    await own.connect();
    expect(await ask()).toEqual(['grüße', 7, null, []]);
    const back = once(own, 'ready');
    own.stream.destroy();
    await back;
    expect(await ask()).toEqual(['grüße', 7, null, []]);
    await expect(own.eval('return {err = "NO such luck"}', 0)).rejects.toThrow('NO such luck');
    own.disconnect();
  });

  it('sends scripts again that Redis forgot', async () => {
    await connect();
    await client.run(ECHO, ['k'], ['a']);
    await redis.command('SCRIPT', 'FLUSH', 'SYNC');
    const answers = await Promise.all(['b', 'c', 'd'].map((text) => client.run(ECHO, ['k'], [text])));
    expect(answers).toEqual(['b', 'c', 'd']);
  });

  it('sends them again as they were, whatever they hold', async () => {
    await connect();
    const digest = createHash('sha1').update(ECHO.lua).digest('hex');
    const looksLikeTheScript = `\r\n$7\r\nevalsha\r\n$40\r\n${digest}`;
    const texts = [looksLikeTheScript, looksLikeTheScript.repeat(100), "$& $` $' $1 $$", '', 'grüße \ud83d\udc4b'];
    await redis.command('SCRIPT', 'FLUSH', 'SYNC');
    for (const text of texts) {
      expect(await client.run(ECHO, [looksLikeTheScript], [text])).toBe(text);
      await redis.command('SCRIPT', 'FLUSH', 'SYNC');
    }
  });

  it('keeps the calls of one script in their order while Redis forgets it', async () => {
    await connect();
    const calls: Promise<unknown>[] = [];
    for (let turn = 0; turn < 300; turn++) {
      for (let i = 0; i < 3; i++) calls.push(client.run(PUSH, ['list'], [calls.length]));
      // From another connection, so that it falls between any two of them.
      if (turn % 20 === 10) calls.push(client.run(PUSH, ['list'], [calls.length]), redis.command('SCRIPT', 'FLUSH'));
      await new Promise(setImmediate);
    }
    await Promise.all(calls);
    const order = ((await redis.command('LRANGE', 'list', '0', '-1')) as string[]).map(Number);
    expect(order.length).toBeGreaterThan(900);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  it('sends no more than so many bytes in one turn', async () => {
    await connect();
    redis.pause();
    const text = 'x'.repeat(1024 * 1024);
    const sent = Array.from({ length: 80 }, () => outcomeOf(client.run(ECHO, [], [text])));
    const refused = (await Promise.all(sent.slice(70))).map(({ error }) => error);
    for (const error of refused) expect(error).toBeInstanceOf(NotExecuted);
    redis.resume();
    await Promise.all(sent);
    // Each is counted once, also those that never left.
    const { ok, refused: unsent, unknown, error } = metrics.storeCalls.counts;
    expect([ok + unsent + unknown, error]).toEqual([80, 0]);
    expect(unsent).toBeGreaterThanOrEqual(10);
    expect(await eventually('room', () => client.run(ECHO, [], ['again']))).toBe('again');
  });

  it('is back by itself when Redis was killed, with its scripts, and says so once', async () => {
    await connect();
    await client.run(COUNT, ['n'], []);
    const back = returned();
    await redis.kill();
    await eventually('the loss', () => Promise.resolve(!client.isReady));
    // At once: whoever waits for an answer in vain does not know that.
    const { error } = await outcomeOf(client.run(COUNT, ['n'], []));
    expect(error).toBeInstanceOf(NotExecuted);
    await redis.restart();
    await back;
    expect(client.isReady).toBe(true);
    expect(await client.command('SCRIPT', 'EXISTS', '67d2a68ae7ddaa7f7d3ec9ffa6ee5d1fcd4ed4ee')).toEqual([0]);
    expect(await client.run(COUNT, ['n'], [])).toBe(2);
    expect(await client.run(ECHO, ['n'], ['x'])).toBe('x');
    expect(linesOf('Redis connection lost')).toHaveLength(1);
    expect(linesOf('Redis is back')).toHaveLength(1);
    expect(log).not.toContain('hunter2');
  });

  it('gives up on a Redis that hangs, not knowing, and goes on with it afterwards', async () => {
    await connect();
    await client.run(COUNT, ['n'], []);
    redis.pause();
    const { error } = await outcomeOf(client.run(COUNT, ['n'], []));
    expectUnknown(error);
    expect(ANSWER_WITHIN_MS).toBeLessThan(4000);
    redis.resume();
    const count = await eventually('an answer', () => client.run(COUNT, ['n'], []));
    // T2: what timed out may have run all the same.
    expect([2, 3]).toContain(count);
  });

  it('sends no more than so much to a Redis that hangs', async () => {
    await connect();
    redis.pause();
    const sent = Array.from({ length: 50_010 }, () => outcomeOf(client.command('INCR', 'n')));
    const { error } = await sent[50_009]!;
    expect(error).toBeInstanceOf(NotExecuted);
    redis.resume();
    await Promise.all(sent);
    expect(await eventually('room', () => client.command('GET', 'm').then((value) => value === null))).toBe(true);
  });

  it('knows what Redis refused to begin: at its memory limit', async () => {
    await connect();
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    const outcomes = await Promise.all([
      outcomeOf(client.command('SET', 'a', 'b')),
      outcomeOf(client.run(COUNT, ['n'], [])),
      outcomeOf(client.run(ECHO, ['n'], ['reads go on'])),
    ]);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    expect(outcomes[0].error).toBeInstanceOf(NotExecuted);
    expect(outcomes[1].error).toBeInstanceOf(NotExecuted);
    expect(outcomes[2].value).toBe('reads go on');
    expect(await redis.command('EXISTS', 'a', 'n')).toBe(0);
  });

  it('knows what Redis refused to begin: too few replicas', async () => {
    await connect();
    await redis.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
    const { error } = await outcomeOf(client.run(COUNT, ['n'], []));
    await redis.command('CONFIG', 'SET', 'min-replicas-to-write', '0');
    expect(error).toBeInstanceOf(NotExecuted);
  });

  it('passes on what is a mistake of ours', async () => {
    await connect();
    await redis.command('SET', 'text', 'x');
    const outcomes = await Promise.all([
      outcomeOf(client.run(BROKEN, [], [])),
      outcomeOf(client.command('LPUSH', 'text', 'y')),
      outcomeOf(client.command('NONSENSE')),
    ]);
    for (const { error } of outcomes) expect(error).not.toBeInstanceOf(RelayError);
    expect(outcomes.map(({ error }) => (error as Error).message.split(' ')[0])).toEqual(['ERR', 'WRONGTYPE', 'ERR']);
  });

  it('comes back after a READONLY, only to a primary', async () => {
    await connect();
    const back = returned();
    // A primary that Sentinel demoted, and whose clients nobody cut off.
    await redis.command('REPLICAOF', '127.0.0.1', '1');
    expect((await outcomeOf(client.command('SET', 'a', 'b'))).error).toBeInstanceOf(NotExecuted);
    await eventually('the loss', () => Promise.resolve(!client.isReady));
    const connections = Number(await redis.info('total_connections_received'));
    const { error } = await outcomeOf(client.command('SET', 'a', 'b'));
    expect(error).toBeInstanceOf(NotExecuted);
    await redis.command('REPLICAOF', 'NO', 'ONE');
    await back;
    expect(await client.command('SET', 'a', 'b')).toBe('OK');
    expect(Number(await redis.info('total_connections_received')) - connections).toBeLessThan(15);
  });

  it('notices a black hole within 5 s, and is back when it ends', async () => {
    const proxy = await throughProxy();
    proxy.blackHole();
    await eventually('the loss', () => Promise.resolve(!client.isReady));
    // It is asked so often, and this is how long its answer is waited for.
    expect(PING_EVERY_MS + ANSWER_WITHIN_MS).toBeLessThan(5000);
    proxy.pass();
    await returned();
    expect(await client.command('PING')).toBe('PONG');
  });

  it('never leaves a call without an end when its answer is cut off', async () => {
    const proxy = await throughProxy();
    await client.run(COUNT, ['n'], []);
    proxy.cutAfter(2);
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcomeOf(client.run(COUNT, ['n'], []))));
    for (const { error, value } of outcomes) {
      if (value === undefined) expectUnknown(error);
    }
    // T1: nothing was sent twice behind our back.
    expect(await redis.command('GET', 'n')).toBe('21');
    expect(await eventually('its return', () => client.command('GET', 'n'))).toBe('21');
  });

  it('refuses after it was closed', async () => {
    await connect();
    const last = client.run(COUNT, ['n'], []);
    await client.close();
    expect(await last).toBe(1);
    expect((await outcomeOf(client.command('PING'))).error).toBeInstanceOf(NotExecuted);
  });
});

describe('the Redis client with Sentinels', () => {
  it('gives them the password when they ask, and only then', async () => {
    const sentinels = await RedisSentinels.start({ server: { password: 'p' }, sentinelPassword: 'p' });
    try {
      const client = await RedisClient.connect({ url: 'redis://:p@unused', sentinels: sentinels.sentinels });
      expect(await client.command('PING')).toBe('PONG');
      await client.close();
    } finally {
      await sentinels.close();
    }
  });
});

describe('the slot of a key', () => {
  it.each(['a', '{5}', 'relay:mb:{1023}:0x00', '{a}{b}', 'a}b{', '{{a}}', ''])('is what Redis says: %s', (key) => {
    expect(slotOf(key)).toBe((new Command('get', [key]) as unknown as { getSlot(): number }).getSlot());
  });
});
