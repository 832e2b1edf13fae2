import type { INestApplication } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { createApp } from '../../src/app/create-app.js';
import { Schedule } from '../../src/app/schedule.js';
import { type Clock, SystemClock } from '../../src/common/clock.js';
import { loadSettings } from '../../src/common/load-settings.js';
import { Logger } from '../../src/common/logger.js';
import type { Settings } from '../../src/common/settings.js';
import { ClassicClient } from './classic-client.js';
import { ManualClock } from './manual-clock.js';
import { sharedRedis } from './redis-server.js';

export interface RunningRelay {
  readonly app: INestApplication;
  readonly port: number;
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** `ws://127.0.0.1:port` */
  readonly wsUrl: string;
  /** Everything it logged so far, as JSON lines. */
  readonly log: () => string;
  /** Runs a job of the schedule now. */
  run(job: string): Promise<void>;
  /** A client of the first relay, signed in. */
  signIn(address: string): Promise<ClassicClient>;
  stop(): Promise<void>;
}

export interface RelayOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  /** What the environment cannot say. */
  readonly settings?: Partial<Settings>;
}

/** What jest.config.mjs says: the suites of test/e2e run once for each storage. */
declare const STORAGE: 'memory' | 'redis';

interface StorageUnderTest {
  readonly env: Readonly<Record<string, string>>;
  /** After the relay: nothing of it may stay in the way of other tests. */
  readonly end: () => Promise<void>;
}

async function storageOf(clock: Clock): Promise<StorageUnderTest> {
  if (STORAGE === 'memory') return { env: {}, end: () => Promise.resolve() };
  const redis = await sharedRedis();
  const prefix = `${randomBytes(6).toString('hex')}:`;
  // A node that starts is never behind the others: so the store goes by the clock that the test moves.
  if (clock instanceof ManualClock) await redis.command('SET', `${prefix}clock`, String(clock.now()));
  const env = { STORAGE, REDIS_URL: redis.url, REDIS_KEY_PREFIX: prefix };
  const unlink = `for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('UNLINK', key) end`;
  return { env, end: async () => void (await redis.command('EVAL', unlink, '0', prefix)) };
}

/** The relay as `main.ts` makes it, in this process, on a free port; logs go to memory. Limits are far away unless set. */
export async function startRelay({
  env = {},
  clock = new SystemClock(),
  settings: more = {},
}: RelayOptions = {}): Promise<RunningRelay> {
  const { env: storage, end } = await storageOf(clock);
  const roomy = {
    SEND_RATE_PER_IP: '0',
    MAX_FIRST_SIGN_INS_PER_IP: '0',
    RATE_LIMIT_MAX_REQUESTS: '1000000',
    SEND_RATE_PER_SECOND: '1000000',
    SEND_BURST: '1000000',
  };
  const read = loadSettings({
    NODE_ENV: 'test',
    LOG_LEVEL: 'debug',
    DRAIN_SECONDS: '0',
    METRICS_PORT: '0',
    ...roomy,
    ...storage,
    ...env,
  });
  const properties = { ...Object.getOwnPropertyDescriptors(read), ...Object.getOwnPropertyDescriptors(more) };
  const settings = Object.create(Object.getPrototypeOf(read) as object, properties) as Settings;
  const destination = new PassThrough();
  const lines: Buffer[] = [];
  destination.on('data', (chunk: Buffer) => lines.push(chunk));
  const logger = Logger.create({ level: settings.logLevel, json: true, destination });
  const app = await createApp({ settings, clock, logger });
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  const wsUrl = `ws://127.0.0.1:${port}`;
  return {
    app,
    port,
    url: `http://127.0.0.1:${port}`,
    wsUrl,
    log: () => Buffer.concat(lines).toString(),
    run: (job) => app.get(Schedule).run(job),
    signIn: (address) => ClassicClient.signIn(wsUrl, address),
    stop: async () => {
      await app.close();
      await end();
    },
  };
}
