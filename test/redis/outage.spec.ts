import { addressOf, type ClassicClient } from '../support/classic-client.js';
import { eventually, RedisCluster, RedisSentinels, RedisServer } from '../support/redis-server.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const ALICE = addressOf(1);
const KEY = addressOf(2);

/** A relay whose Redis goes away and comes back, seen through a client's socket. What it took is printed: docs/operations.md quotes it. */
describe('an outage of Redis', () => {
  let relay: RunningRelay;

  /** Sends until a message is accepted, each again with its id where it was not; ms until then. */
  async function untilAccepted(client: ClassicClient, to: string, first: number): Promise<number> {
    const since = performance.now();
    for (let n = first; ; n++) {
      const messageId = `m${n}`;
      const answers = client.frames.length;
      client.message(to, messageId);
      await client.until(() => client.frames.length > answers, 'a verdict');
      const verdict = client.frames.slice(answers).find((frame) => frame.messageId === messageId);
      if (verdict?.type === 'queued' || verdict?.type === 'delivered') return performance.now() - since;
      expect(verdict).toMatchObject({ type: 'error', code: 'store_unavailable', retryable: true });
      // As a client backs off.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async function acceptsAgain(breakIt: () => Promise<unknown>, what: string): Promise<void> {
    const alice = await relay.signIn(ALICE);
    await untilAccepted(alice, KEY, 0);
    await breakIt();
    const outageMs = await untilAccepted(alice, KEY, 1);
    process.stdout.write(`${what}: accepted again after ${Math.round(outageMs)} ms\n`);
  }

  afterEach(() => relay.stop());

  it('that fails over under Sentinel ends by itself', async () => {
    const sentinels = await RedisSentinels.start({ replicas: 2 });
    try {
      relay = await startRelay({
        env: { STORAGE: 'redis', REDIS_SENTINELS: sentinels.sentinels.join(','), REDIS_SENTINEL_NAME: sentinels.name },
      });
      await acceptsAgain(() => sentinels.killPrimary(), 'Sentinel failover');
    } finally {
      await sentinels.close();
    }
  });

  it('of one primary of a Cluster ends by itself', async () => {
    const cluster = await RedisCluster.start({ replicas: 1 });
    try {
      relay = await startRelay({ env: { STORAGE: 'redis', REDIS_CLUSTER_NODES: cluster.addresses.join(',') } });
      const slot = Number(
        await cluster.nodes[0]!.command('CLUSTER', 'KEYSLOT', `{${Number.parseInt(KEY.slice(-3), 16) % 1024}}`),
      );
      await acceptsAgain(() => cluster.killPrimaryOf(slot), 'Cluster failover');
    } finally {
      await cluster.close();
    }
  });

  it('that is killed and restarted on its log loses nothing that was accepted', async () => {
    const redis = await RedisServer.start({ appendfsync: 'always' });
    try {
      relay = await startRelay({ env: { STORAGE: 'redis', REDIS_URL: redis.url } });
      const alice = await relay.signIn(ALICE);
      for (let n = 1; n <= 200; n++) alice.message(KEY, `before-${n}`);
      await alice.waitForCount('queued', 200);
      await acceptsAgain(async () => {
        await redis.kill();
        await redis.restart();
      }, 'kill -9 and restart');
      const bob = await relay.signIn(KEY);
      await bob.waitForCount('message', 202);
      expect(new Set(bob.messageIds).size).toBe(202);
    } finally {
      await redis.close();
    }
  });

  it('is not ready from the moment on that Redis is gone', async () => {
    const redis = await RedisServer.start();
    try {
      relay = await startRelay({ env: { STORAGE: 'redis', REDIS_URL: redis.url } });
      const ready = async (): Promise<number> => (await fetch(`${relay.url}/health/ready`)).status;
      // What runs by itself asks now and then; `/health`, which says nothing of Redis, never.
      const before = await redis.callsOf('hget');
      for (let i = 0; i < 50; i++) await fetch(`${relay.url}/health`);
      expect((await redis.callsOf('hget')) - before).toBeLessThan(50);
      expect(await ready()).toBe(200);
      await redis.kill();
      expect(await ready()).toBe(503);
      await redis.restart();
      await eventually('ready', async () => (await ready()) === 200);
    } finally {
      await redis.close();
    }
  });

  it('that is over before the relay has stopped fails no job that was under way', async () => {
    const redis = await RedisServer.start();
    try {
      relay = await startRelay({ env: { STORAGE: 'redis', REDIS_URL: redis.url } });
      redis.pause();
      const job = relay.run('pass on receipts');
      const stopped = relay.app.close();
      await new Promise(setImmediate);
      redis.resume();
      await Promise.all([job, stopped]);
      expect(relay.log()).not.toMatch(/scheduled job (failed|cut short)/);
    } finally {
      await redis.close();
    }
  });

  it('at its memory limit refuses messages; who comes to fetch theirs makes room', async () => {
    const redis = await RedisServer.start({ maxmemory: '4mb' });
    try {
      relay = await startRelay({ env: { STORAGE: 'redis', REDIS_URL: redis.url } });
      const alice = await relay.signIn(ALICE);
      const content = 'x'.repeat(10_000);
      let sent = 0;
      while (alice.ofType('error').length === 0) {
        alice.message(KEY, `m${++sent}`, { content });
        await alice.until(() => alice.ofType('queued').length + alice.ofType('error').length === sent, 'a verdict');
      }
      expect(alice.ofType('error')[0]).toMatchObject({ code: 'store_unavailable', outcome: 'refused' });
      const bob = await relay.signIn(KEY);
      await bob.waitForCount('message', sent - 1);
      await alice.waitForCount('delivered', sent - 1);
      await untilAccepted(alice, KEY, 1_000_000);
    } finally {
      await redis.close();
    }
  });
});
