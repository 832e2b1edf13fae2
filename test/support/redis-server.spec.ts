import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { eventually, RedisCluster, RedisSentinels, RedisServer, sharedRedis, usesRedis } from './redis-server.js';
import { TcpProxy } from './tcp-proxy.js';

const TEARDOWN: { close(): Promise<void> }[] = [];

function closedAfterwards<T extends { close(): Promise<void> }>(resource: T): T {
  TEARDOWN.push(resource);
  return resource;
}

afterEach(async () => {
  await Promise.all(TEARDOWN.splice(0).map((resource) => resource.close()));
});

describe('RedisServer', () => {
  it('keeps what it had written when it is killed and started again', async () => {
    const server = closedAfterwards(await RedisServer.start({ appendfsync: 'always' }));
    await server.command('SET', 'name', 'Grüße');
    await server.kill();
    expect(server.isRunning).toBe(false);
    await expect(server.command('GET', 'name')).rejects.toThrow('ECONNREFUSED');
    await server.restart();
    expect(await server.command('GET', 'name')).toBe('Grüße');
  });

  it('forgets without an append-only file', async () => {
    const server = closedAfterwards(await RedisServer.start());
    await server.command('SET', 'name', 'value');
    await server.restart();
    expect(await server.command('GET', 'name')).toBeNull();
  });

  it('answers nothing while it is paused', async () => {
    const server = closedAfterwards(await RedisServer.start({ answerWithinMs: 300 }));
    server.pause();
    await expect(server.command('PING')).rejects.toThrow('no answer to PING');
    server.resume();
    expect(await server.command('PING')).toBe('PONG');
  });

  it('refuses what does not fit its memory', async () => {
    const server = closedAfterwards(await RedisServer.start({ maxmemory: '4mb' }));
    const fill = async () => {
      for (let i = 0; i < 100; i++) await server.command('SET', `key ${i}`, 'x'.repeat(100_000));
    };
    await expect(fill()).rejects.toThrow(/^OOM /);
    expect(Number(await server.command('DBSIZE'))).toBeGreaterThan(10);
  });

  it.each([{ password: 'p "\\:/@ß' }, { username: 'relay', password: 'secret' }])(
    'asks for %j',
    async (access: { username?: string; password: string }) => {
      const server = closedAfterwards(await RedisServer.start(access));
      const stranger = connect(server.port, '127.0.0.1', () => stranger.write('PING\r\n'));
      const [answer] = (await once(stranger, 'data')) as [Buffer];
      expect(answer.toString()).toMatch(/^-NOAUTH/);
      stranger.destroy();
      expect(await server.command('PING')).toBe('PONG');
      const { username, password } = new URL(server.url);
      expect([username, decodeURIComponent(password)]).toEqual([access.username ?? '', access.password]);
    },
  );

  it('says why it does not start', async () => {
    await expect(RedisServer.start({ extra: { 'no-such-line': 'yes' } })).rejects.toThrow('no-such-line');
  });

  it('leaves nothing behind, not even when it is paused', async () => {
    const server = await RedisServer.start();
    const [, directory] = (await server.command('CONFIG', 'GET', 'dir')) as [string, string];
    server.pause();
    await server.close();
    expect(existsSync(directory)).toBe(false);
    await expect(server.command('PING')).rejects.toThrow('ECONNREFUSED');
    await server.close();
  });

  it('reads every kind of reply', async () => {
    const server = closedAfterwards(await RedisServer.start());
    const script = "return {1, 'two', false, {redis.status_reply('OK')}, {}}";
    expect(await server.command('EVAL', script, '0')).toEqual([1, 'two', null, ['OK'], []]);
    await expect(server.command('INCR')).rejects.toThrow('wrong number of arguments');
    expect(await server.info('role')).toBe('master');
  });
});

describe('usesRedis', () => {
  const redis = usesRedis();

  it('gives the same server to everybody', async () => {
    expect(await redis).toBe(await sharedRedis());
    expect(await (await redis).command('PING')).toBe('PONG');
  });
});

describe('RedisSentinels', () => {
  it('promote a replica after the primary is killed', async () => {
    const access = { username: 'relay', password: 'secret' };
    const sentinels = closedAfterwards(await RedisSentinels.start({ server: access, sentinelPassword: 'watch' }));
    const before = await sentinels.primary();
    await before.command('SET', 'name', 'value');
    await before.command('WAIT', '1', '1000');
    expect(await sentinels.killPrimary()).toBe(before);
    const after = await sentinels.primary();
    expect(after).not.toBe(before);
    expect(await after.command('GET', 'name')).toBe('value');
    expect(await after.command('SET', 'name', 'other')).toBe('OK');

    await before.restart();
    await eventually('the old primary to follow', async () => (await before.info('role')) === 'slave');
  });
});

describe('RedisCluster', () => {
  it('goes on with a slot after its primary is killed', async () => {
    const cluster = closedAfterwards(await RedisCluster.start());
    const slot = (await cluster.nodes[0]!.command('CLUSTER', 'KEYSLOT', 'name')) as number;
    const before = await cluster.primaryOf(slot);
    await before.command('SET', 'name', 'value');
    await before.command('WAIT', '1', '1000');
    expect(await cluster.killPrimaryOf(slot)).toBe(before);
    const after = await cluster.primaryOf(slot);
    expect(cluster.nodes.indexOf(after)).toBe(cluster.nodes.indexOf(before) + 3);
    expect(await after.command('GET', 'name')).toBe('value');
    expect(await after.command('SET', 'name', 'other')).toBe('OK');
  });

  it('does without replicas', async () => {
    const cluster = closedAfterwards(await RedisCluster.start({ replicas: 0, server: { password: 'secret' } }));
    expect(new Set(await Promise.all([0, 8_000, 16_383].map((slot) => cluster.primaryOf(slot))))).toEqual(
      new Set(cluster.nodes),
    );
  });
});

describe('TcpProxy', () => {
  const redis = usesRedis();

  async function open(): Promise<{ proxy: TcpProxy; socket: Socket; received: () => string }> {
    const proxy = closedAfterwards(await TcpProxy.to((await redis).url));
    return { proxy, ...(await dial(proxy)) };
  }

  async function dial(proxy: TcpProxy): Promise<{ socket: Socket; received: () => string }> {
    const { hostname, port, protocol } = new URL(proxy.url);
    expect([hostname, protocol]).toEqual(['127.0.0.1', 'redis:']);
    const socket = connect(Number(port), hostname);
    closedAfterwards({ close: () => Promise.resolve(void socket.destroy()) });
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(socket, 'connect');
    return { socket, received: () => text };
  }

  async function say(peer: { socket: Socket; received: () => string }, text: string): Promise<void> {
    peer.socket.write(`PING ${text}\r\n`);
    await eventually(text, () => Promise.resolve(peer.received().includes(text)));
  }

  it('passes both ways', async () => {
    const peer = await open();
    await say(peer, 'one');
    peer.socket.end();
    await once(peer.socket, 'close');
    await eventually('the end', () => Promise.resolve(peer.proxy.connections === 0));
  });

  it('closes new connections and keeps those that exist', async () => {
    const peer = await open();
    peer.proxy.refuse();
    const next = await dial(peer.proxy);
    await once(next.socket, 'close');
    await say(peer, 'one');
    peer.proxy.pass();
    await say(await dial(peer.proxy), 'two');
  });

  it('resets every connection', async () => {
    const { proxy, socket } = await open();
    proxy.reset();
    await expect(once(socket, 'close')).rejects.toThrow('ECONNRESET');
    const next = connect(proxy.port, '127.0.0.1');
    await expect(once(next, 'close')).rejects.toThrow('ECONNRESET');
  });

  it.each([
    ['a black hole', (proxy: TcpProxy) => proxy.blackHole(), false],
    ['one way to the server', (proxy: TcpProxy) => proxy.oneWay('to-server'), false],
    ['one way to the client', (proxy: TcpProxy) => proxy.oneWay('to-client'), true],
  ])('swallows: %s', async (_, swallow, hasCalled) => {
    const peer = await open();
    const server = await redis;
    await say(peer, 'one');
    await server.command('CONFIG', 'RESETSTAT');
    swallow(peer.proxy);
    peer.socket.write('PING two\r\n');
    await eventually('the loss', () => Promise.resolve(peer.proxy.swallowedBytes > 0));
    expect((await server.info('cmdstat_ping'))?.startsWith('calls=1,') ?? false).toBe(hasCalled);
    peer.proxy.pass();
    await say(await dial(peer.proxy), 'three');
    peer.socket.write('PING four\r\n');
    await say(await dial(peer.proxy), 'five');
    expect(peer.received()).toBe('$3\r\none\r\n');
    expect(peer.socket.destroyed).toBe(false);
  });

  it('delays, in order', async () => {
    const peer = await open();
    peer.proxy.delay(50);
    const start = performance.now();
    peer.socket.write('PING one\r\n');
    await say(peer, 'two');
    expect(performance.now() - start).toBeGreaterThanOrEqual(95);
    expect(peer.received()).toBe('$3\r\none\r\n$3\r\ntwo\r\n');
    peer.proxy.pass();
    await say(peer, 'three');
  });

  it('cuts in the middle of a reply, once', async () => {
    const peer = await open();
    peer.proxy.cutAfter(6);
    peer.socket.write('PING one\r\n');
    // Node calls it an end where the last bytes and the reset are read together.
    await once(peer.socket, 'close').catch((error: unknown) => expect(error).toMatchObject({ code: 'ECONNRESET' }));
    expect(peer.received()).toBe('$3\r\non');
    await say(await dial(peer.proxy), 'two');
  });
});
