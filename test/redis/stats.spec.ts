import { randomBytes } from 'node:crypto';
import { runCli } from '../support/cli.js';
import { RelayProcess } from '../support/relay-process.js';
import { type RedisServer, usesRedis } from '../support/redis-server.js';
import { addressOf, ClassicClient } from '../support/classic-client.js';

interface Stats {
  readonly ledger: Record<string, number>;
  readonly redis: Record<string, number>;
  readonly relay: Record<string, unknown> | null;
}

describe('relay stats', () => {
  const shared = usesRedis();
  let redis: RedisServer;
  let relay: RelayProcess;
  let settings: Record<string, string>;

  beforeEach(async () => {
    redis = await shared;
    settings = { STORAGE: 'redis', REDIS_URL: redis.url, REDIS_KEY_PREFIX: `${randomBytes(6).toString('hex')}:` };
    relay = await RelayProcess.start(settings);
  });
  afterEach(async () => void (await relay.stop()));

  /** A mailbox with one message, one whose message was taken, and a sender who stays. */
  async function traffic(): Promise<ClassicClient> {
    const sender = await ClassicClient.signIn(relay.wsUrl, addressOf(1));
    const taker = await ClassicClient.signIn(relay.wsUrl, addressOf(2));
    for (const [n, state] of [
      [2, 'delivered'],
      [3, 'queued'],
    ] as const) {
      sender.send({ type: 'message', to: addressOf(n), content: 'x', messageId: `m${n}`, timestamp: 1 });
      await sender.waitFor(state);
    }
    taker.kill();
    await taker.closed();
    return sender;
  }

  it('counts as relay verify does, in the same words', async () => {
    const sender = await traffic();
    const json = await runCli(['stats', '--json', '--url', relay.url], { env: settings });
    expect(json).toMatchObject({ code: 0, stderr: '' });
    const stats = JSON.parse(json.stdout) as Stats;
    expect(stats.ledger).toMatchObject({ mailboxes: 1, accepted: 2, acknowledged: 1, pending: 1 });
    expect(stats.redis.usedBytes).toBeGreaterThan(0);
    expect(stats.redis.keys).toBeGreaterThan(0);
    expect(stats.relay).toMatchObject({ status: 'ok' });

    const [text, verified] = await Promise.all([
      runCli(['stats', '--url', relay.url], { env: settings }),
      runCli(['verify'], { env: settings }),
    ]);
    const numbersOf = (output: string) =>
      new Map([...output.matchAll(/^ *([a-z ]+?) +(\d+)$/gm)].map(([, name, value]) => [name, Number(value)]));
    const [inStats, inVerify] = [numbersOf(text.stdout), numbersOf(verified.stdout)];
    const shared = [...inStats.keys()].filter((name) => inVerify.has(name));
    expect(shared).toEqual(expect.arrayContaining(['mailboxes with mail', 'accepted', 'acknowledged', 'pending']));
    for (const name of shared) expect([name, inStats.get(name)]).toEqual([name, inVerify.get(name)]);
    expect(inVerify.get('mailboxes with mail')).toBe(1);
    expect(inVerify.get('mailboxes known')).toBeGreaterThan(1);
    // What the two count differently has no name in common.
    expect(text.stdout + verified.stdout).not.toMatch(/^ *mailboxes +\d/m);
    sender.kill();
  });

  it('is still told where no relay answers, and refuses a --url that is none', async () => {
    const away = await runCli(['stats', '--url', 'http://127.0.0.1:1'], { env: settings });
    expect(away).toMatchObject({ code: 0, stderr: '' });
    expect(away.stdout).toMatch(/^relay: does not answer$/m);
    expect(await runCli(['stats', '--url', 'localhost:3002'], { env: settings })).toMatchObject({
      code: 2,
      stdout: '',
    });
  });

  it('exits 69 where Redis is away', async () => {
    const env = { ...settings, REDIS_URL: 'redis://127.0.0.1:1', REDIS_WAIT_SECONDS: '0' };
    const { code, stderr } = await runCli(['stats'], { env });
    expect({ code, stderr }).toMatchObject({ code: 69, stderr: expect.stringMatching(/ECONNREFUSED/) as string });
  });
});
