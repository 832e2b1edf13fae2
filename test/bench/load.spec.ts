import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startBroker } from '../../bench/broker.mjs';
import { freePort } from '../../bench/redis.mjs';
import { SCENARIOS } from '../../bench/scenarios.mjs';

import.meta.jest.setTimeout(60_000);

/** Small: what is tested is that each runs and gives its figures, not what they are. */
const SIZES = {
  seconds: '0.2',
  warmup: '0.1',
  slow: '0.1',
  rate: '500',
  connections: '50',
  settle: '0.1',
  storm: '50',
  messages: '20',
  mailboxes: '1000',
};
const LOADED = Object.entries(SCENARIOS).filter(([, { load }]) => load !== undefined);

const script = (name: string): string => fileURLToPath(new URL(`../../bench/${name}`, import.meta.url));

interface Result {
  readonly code: number;
  readonly figures: Record<string, number>;
  readonly faults: Record<string, number>;
}

/** Runs the generator as `npm run bench` does. */
function load(args: readonly string[]): Promise<Result> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script('load.mjs'), ...args], (error, stdout, stderr) => {
      if (stdout === '') reject(new Error(stderr));
      else resolve({ code: Number(error?.code ?? 0), ...(JSON.parse(stdout) as Omit<Result, 'code'>) });
    });
  });
}

/** Figures that the generator measures; the others follow from them, or need a Redis. */
const measured = ({ columns }: (typeof SCENARIOS)[string]) =>
  columns.filter(({ figure, isOfRedis }) => !isOfRedis && !figure.endsWith('PerSecond')).map(({ figure }) => figure);

describe('the load generator', () => {
  let router: ChildProcess;
  let at: string[];

  beforeAll(async () => {
    const port = await freePort();
    router = spawn(process.execPath, [script('router.mjs')], { env: { ...process.env, PORT: String(port) } });
    await once(createInterface(router.stdout!), 'line');
    at = [`ws://127.0.0.1:${port}/`, '--pid', String(router.pid)];
  });

  afterAll(async () => {
    const gone = once(router, 'exit');
    router.kill();
    await gone;
  });

  it.each(LOADED)('runs %s against a router, and nothing is lost', async (_name, scenario) => {
    const { code, figures, faults } = await load([...scenario.load!(SIZES), ...at]);
    expect({ code, faults }).toEqual({ code: 0, faults: expect.any(Object) as unknown });
    for (const figure of measured(scenario)) expect([figure, figures[figure]]).toEqual([figure, expect.any(Number)]);
  });

  it('spreads pairs over several nodes, and notices that these two do not know each other', async () => {
    const port = await freePort();
    const other = spawn(process.execPath, [script('router.mjs')], { env: { ...process.env, PORT: String(port) } });
    await once(createInterface(other.stdout), 'line');
    const urls = `${at[0]},ws://127.0.0.1:${port}/`;
    // Every other pair stays on its node; nobody is there for what the rest of them send.
    const run = load(['offline', urls, '--pairs', '4', '--messages', '5', '--pid', '0', '--patience', '0.3']);
    const { code, faults } = await run.finally(() => other.kill());
    expect(code).toBe(1);
    expect(faults.lost).toBeGreaterThanOrEqual(10);
  });

  describe('against a broker', () => {
    let broker: Awaited<ReturnType<typeof startBroker>>;

    beforeAll(async () => {
      broker = await startBroker();
    });

    afterAll(() => broker.stop());

    it.each(LOADED.filter(([, { rows }]) => rows.includes('mqtt')))(
      'runs %s, and nothing is lost',
      async (_, scenario) => {
        const result = await load([...scenario.load!(SIZES), broker.url, '--pid', String(broker.pid)]);
        expect(result).toMatchObject({ code: 0, faults: { lost: 0, unconfirmed: 0, doubled: 0, corrupt: 0 } });
      },
    );
  });
});
