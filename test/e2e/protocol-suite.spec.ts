import { randomBytes } from 'node:crypto';
import { runSuite } from '../support/protocol-suite.js';
import { eventually, sharedRedis } from '../support/redis-server.js';
import { RelayProcess } from '../support/relay-process.js';

declare const STORAGE: 'memory' | 'redis';

const ADMIN_TOKEN = 'the-admin-token-of-this-test-0123456789';
const COMMON = { PUBLIC_DOMAIN: 'relay.test', ADMIN_TOKEN };

async function storage(): Promise<Record<string, string>> {
  if (STORAGE === 'memory') return {};
  const { url } = await sharedRedis();
  return { STORAGE, REDIS_URL: url, REDIS_KEY_PREFIX: `${randomBytes(6).toString('hex')}:` };
}

describe('the protocol suite', () => {
  let relay: RelayProcess;

  afterEach(async () => void (await relay.stop()));

  const start = async (env: Record<string, string>) => {
    relay = await RelayProcess.start({ ...COMMON, ...(await storage()), ...env });
  };
  const ask = async (path: string): Promise<unknown> => {
    const response = await fetch(`${relay.url}${path}`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
    return response.json();
  };

  /** Soon: the last acknowledgements may be under way, and a reading of the ledger is good for a second. */
  async function expectNothingLeft(): Promise<void> {
    const paths = ['/health', '/api/public-keys/stats/all', '/api/messages/stats/all'];
    let left: unknown[] = [];
    const isNothing = async (): Promise<boolean> => {
      left = await Promise.all(paths.map(ask));
      const numbers = left.map((each) => each as Record<string, number>);
      const names = ['connections', 'queuedMessages', 'totalKeys', 'totalUsers', 'totalMessages'];
      return numbers.every((each) => names.every((name) => (each[name] ?? 0) === 0));
    };
    await eventually('nothing to be left', isNothing).catch((error: unknown) => {
      throw new Error(JSON.stringify(left), { cause: error });
    });
  }

  it('passes against the built relay where addresses are believed, and leaves nothing behind', async () => {
    await start({ AUTH_MODE: 'open' });
    const [everything, slow] = await Promise.all([
      runSuite(relay.wsUrl, '--auth', 'open'),
      runSuite(relay.wsUrl, '--slow', '--only', 'ttlSeconds'),
    ]);
    expect(everything.failures).toEqual([]);
    expect(slow.failures).toEqual([]);
    expect([everything.exitCode, slow.exitCode, slow.passed]).toEqual([0, 0, 2]);
    expect(everything.passed).toBeGreaterThan(90);
    await expectNothingLeft();
  });

  it('passes where every address is proved, and history is kept', async () => {
    await start({ AUTH_MODE: 'signed', HISTORY_RETENTION_HOURS: '1' });
    const { failures, exitCode, passed } = await runSuite(relay.wsUrl, '--version', '2', '--auth', 'signed');
    expect(failures).toEqual([]);
    expect(exitCode).toBe(0);
    expect(passed).toBeGreaterThan(60);
    await expectNothingLeft();
  });

  it('refuses to say anything about a relay that is none, or another one than was asked for', async () => {
    await start({ AUTH_MODE: 'open' });
    await expect(runSuite(relay.wsUrl, '--auth', 'signed')).rejects.toThrow('--auth signed was asked for');
    await expect(runSuite('ws://127.0.0.1:1')).rejects.toThrow('ws://127.0.0.1:1: fetch failed');
    await expect(runSuite('http')).rejects.toThrow('--url must be');
    expect((await runSuite(relay.wsUrl, '--only', 'no such case')).exitCode).toBe(1);
  });
});
