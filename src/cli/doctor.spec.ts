import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { loadSettings } from '../common/load-settings.js';
import {
  judgeClock,
  judgeDescriptors,
  judgeMemory,
  judgePort,
  judgePurpose,
  judgeReplicas,
  judgeSettings,
  judgeTls,
  judgeWorkers,
} from './doctor.js';

const GIB = 2 ** 30;
const verdict = ({ verdict, advice }: { verdict: string; advice?: string }): string => {
  // Whatever is not in order says what to do.
  expect(verdict === 'ok' || (advice ?? '').length > 10).toBe(true);
  return verdict;
};

describe('relay doctor', () => {
  it.each([
    [1000, 'ok'],
    [2001, 'warn'],
    [-2001, 'warn'],
    [60_001, 'fail'],
  ])('a clock that is %d ms ahead: %s', (skewMs, expected) => {
    expect(verdict(judgeClock(10_000 + skewMs, 9_900, 10_100))).toBe(expected);
  });

  it.each([
    ['1', 1, 8, 4, 'ok'],
    ['4', 4, 2, 16, 'ok'],
    ['5', 4, 1, 16, 'warn'],
    ['4', 4, 5, 16, 'warn'],
    // One may have what it has without workers.
    ['1', 4, 5, 4, 'ok'],
  ])('%s workers on %d cores, heaps of %d on a machine of %d GiB: %s', (workers, cores, heap, machine, expected) => {
    const settings = loadSettings({ WORKERS: workers, STORAGE: 'redis' });
    expect(verdict(judgeWorkers(settings, { cores, heapBytes: heap * GIB, machineBytes: machine * GIB }))).toBe(
      expected,
    );
  });

  it.each([
    [1, 4, 16, 'ok'],
    [3.3, 4, 16, 'warn'],
    [3.9, 4, 16, 'fail'],
    [1, 0, 16, 'warn'],
    [15.9, 0, 16, 'fail'],
  ])('memory: %d of %d GiB on a machine of %d: %s', (used, most, machine, expected) => {
    expect(verdict(judgeMemory(used * GIB, most * GIB, machine * GIB))).toBe(expected);
  });

  it.each([
    ['primary', [], 'ok'],
    ['replica', [], 'fail'],
    ['replica', ['state=online,offset=100'], 'ok'],
    ['primary', ['state=wait_bgsave,offset=100'], 'warn'],
    ['primary', ['state=online,offset=0'], 'warn'],
  ] as const)('replicas with DURABILITY=%s, %j: %s', (durability, replicas, expected) => {
    expect(verdict(judgeReplicas(replicas, replicas[0]?.includes('offset=0') ? 2 * GIB : 100, durability))).toBe(
      expected,
    );
  });

  it('descriptors, TLS files and ports', async () => {
    expect([judgeDescriptors(1024), judgeDescriptors(65_536), judgeDescriptors('unlimited')].map(verdict)).toEqual([
      'warn',
      'ok',
      'ok',
    ]);
    const files = loadSettings({ TLS_CERT_FILE: '/nowhere', TLS_KEY_FILE: '/nowhere' });
    expect([judgeTls(loadSettings({}), 0), judgeTls(files, 0)].map(verdict)).toEqual(['ok', 'fail']);
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const taken = (isRelay: boolean) =>
      judgePort({ host: '127.0.0.1', port, settings: ['PORT', 'HOST'], isRelay: () => Promise.resolve(isRelay) });
    expect([await taken(true), await taken(false)].map(verdict)).toEqual(['ok', 'fail']);
    server.close();
    await once(server, 'close');
    expect(verdict(await taken(false))).toBe('ok');
  });

  it('settings that contradict each other', () => {
    expect(judgeSettings(loadSettings({})).map(verdict)).toEqual(['ok']);
    expect(judgeSettings(loadSettings({ BROWSER_SIGN_IN: 'true' })).map(verdict)).toEqual(['warn']);
    expect(judgeSettings(loadSettings({ HOST: '127.0.0.1' })).map(verdict)).toEqual(['warn']);
  });

  it('tells who only tried it what production needs, and is content once that is there', () => {
    const about = (env: Record<string, string>) =>
      judgePurpose(loadSettings(env)).map(({ what, advice }) => [/[A-Z][A-Z_]+/.exec(what)?.[0] ?? what, advice]);
    expect(about({})).toEqual([
      ['NODE_ENV', expect.stringContaining('NODE_ENV=production')],
      ...['STORAGE', 'AUTH_MODE', 'PUBLIC_DOMAIN', 'ADMIN_TOKEN', 'ALLOWED_ORIGINS'].map((name) => [
        name,
        expect.stringMatching(/^fine for a trial; in production /) as string,
      ]),
    ]);
    const production = { NODE_ENV: 'production', AUTH_MODE: 'open' };
    expect(about(production).map(([name]) => name)).toEqual([
      'STORAGE',
      'AUTH_MODE',
      'PUBLIC_DOMAIN',
      'ADMIN_TOKEN',
      'ALLOWED_ORIGINS',
    ]);
    expect(about(production).join()).not.toContain('trial');
    const ready = {
      NODE_ENV: 'production',
      STORAGE: 'redis',
      PUBLIC_DOMAIN: 'relay.example',
      ADMIN_TOKEN: 'x'.repeat(44),
      ALLOWED_ORIGINS: 'https://app.example',
    };
    expect(judgePurpose(loadSettings(ready)).map(verdict)).toEqual(['ok']);
  });
});
