import { availableParallelism, totalmem } from 'node:os';
import { readSettings } from '../app/read-settings.js';
import { softDescriptorLimit } from '../common/descriptor-limit.js';
import { heapShare } from '../common/heap-share.js';
import { SettingsError } from '../common/load-settings.js';
import type { Settings } from '../common/settings.js';
import { StartError } from '../common/start-error.js';
import { connectTo } from '../redis/connect-settings.redis.js';
import { CONFIG, factsOf, judge, type RedisFacts } from '../redis/redis-checks.redis.js';
import type { RedisClient } from '../redis/redis-client.redis.js';
import {
  fail,
  type Finding,
  judgeClock,
  judgeDescriptors,
  judgeMemory,
  judgePort,
  judgePurpose,
  judgeReplicas,
  judgeSettings,
  judgeTls,
  judgeWorkers,
  ok,
  warn,
} from './doctor.js';
import { EXIT } from './exit-codes.js';
import { localUrl } from './relay-url.js';
import { paint, type Terminal } from './terminal.js';

const ASK_WITHIN_MS = 2_000;

/** Looks at everything, whatever the first finding is; 1 where something fails. */
export async function doctor(terminal: Terminal, { json = false }: { json?: boolean }): Promise<number> {
  const findings = await examine();
  const isWell = findings.every(({ verdict }) => verdict !== 'fail');
  if (json) terminal.out(`${JSON.stringify({ isWell, findings })}\n`);
  else for (const finding of findings) terminal.out(lineOf(terminal, finding));
  return isWell ? EXIT.ok : EXIT.failed;
}

function lineOf(terminal: Terminal, { verdict, what, advice }: Finding): string {
  return `${paint(terminal, verdict, verdict.padEnd(4))}  ${what}${advice === undefined ? '' : `\n      → ${advice}`}\n`;
}

async function examine(): Promise<Finding[]> {
  let settings: Settings;
  try {
    settings = await readSettings();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const problems = error.problems.map((problem) =>
      fail(`settings: ${problem}`, 'the relay does not start like this'),
    );
    return [...problems, warn('nothing else was looked at', 'set these right first')];
  }
  return [
    ...judgePurpose(settings),
    ...judgeSettings(settings),
    judgeDescriptors(softDescriptorLimit()),
    judgeWorkers(settings, { cores: availableParallelism(), heapBytes: heapShare(1), machineBytes: memoryBytes() }),
    judgeTls(settings, Date.now()),
    ...(await examinePorts(settings)),
    ...(settings.storage === 'redis' ? await examineRedis(settings) : []),
  ];
}

/** 0 takes any that is free. */
async function examinePorts(settings: Settings): Promise<Finding[]> {
  const { host, port, metricsHost, metricsPort, environment } = settings;
  const found: Finding[] = [];
  let isRunning = false;
  if (port !== 0) {
    const isOurs = async (): Promise<boolean> => (isRunning = await isRelay(settings));
    found.push(await judgePort({ host, port, settings: ['PORT', 'HOST'], isRelay: isOurs }));
  }
  if (metricsPort !== 0) {
    // Where no relay has PORT, the metrics there are those of another.
    const isMetrics = async (): Promise<boolean> => isRunning && (await tellsMetrics(metricsHost, metricsPort));
    const names = ['METRICS_PORT', 'METRICS_HOST'] as const;
    const judged = await judgePort({ host: metricsHost, port: metricsPort, settings: names, isRelay: isMetrics });
    // Outside production the relay starts without its metrics.
    const isFatal = judged.verdict === 'fail' && environment === 'production';
    found.push(judged.verdict === 'fail' && !isFatal ? { ...judged, verdict: 'warn' } : judged);
  }
  return found;
}

async function tellsMetrics(host: string, port: number): Promise<boolean> {
  try {
    const answer = await fetch(`${localUrl({ host, port, isTls: false })}/metrics`, {
      signal: AbortSignal.timeout(ASK_WITHIN_MS),
    });
    return (await answer.text()).includes('relay_build_info');
  } catch {
    return false;
  }
}

/** Of the machine, or what a container may have of it. */
function memoryBytes(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Infinity);
}

async function isRelay({ host, port, tlsCertFile }: Settings): Promise<boolean> {
  const { health } = await import('./health.js');
  const silent: Terminal = { out: () => undefined, err: () => undefined, isWatched: false, hasColor: false };
  const url = localUrl({ host, port, isTls: tlsCertFile !== '' });
  return (await health(silent, { url }, {})) === EXIT.ok;
}

async function examineRedis(settings: Settings): Promise<Finding[]> {
  let client: RedisClient;
  try {
    client = await connectTo({ ...settings, redisWaitSeconds: 0 } as Settings);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return error.reasons.map((reason) => fail(`Redis: ${reason}`, 'the relay does not start like this'));
  }
  try {
    const facts = await factsOf(client);
    return [
      await clockOf(client),
      ...facts.flatMap((each) => [...storeFindings(each), ...loadFindings(each, settings)]),
    ];
  } finally {
    await client.close();
  }
}

async function clockOf(client: RedisClient): Promise<Finding> {
  const askedMs = Date.now();
  const [seconds, microseconds] = (await client.command('TIME')) as [string, string];
  return judgeClock(Number(seconds) * 1000 + Number(microseconds) / 1000, askedMs, Date.now());
}

/** What the relay itself looks at when it starts. */
function storeFindings(facts: RedisFacts): Finding[] {
  const { reasons, warnings } = judge(facts);
  const found = [
    ...reasons.map((reason) => fail(`Redis: ${reason}`, 'the relay does not start like this')),
    ...warnings.map((warning) => warn(`Redis: ${warning}`, 'docs/operations.md says what each setting can cost')),
  ];
  const { info, config, where } = facts;
  const version = info?.get('valkey_version') ?? info?.get('redis_version') ?? 'of an unknown version';
  const settings = CONFIG.map((name) => `${name} ${config?.get(name) ?? 'unknown'}`).join(', ');
  return [
    ...(found.length === 0 ? [ok('Redis: set as it should be')] : found),
    ok(`Redis ${version}${where === '' ? '' : ` with ${where}`}: ${settings}`),
  ];
}

function loadFindings({ info }: RedisFacts, { durability }: Settings): Finding[] {
  if (info === null) return [];
  const number = (field: string): number => Number(info.get(field) ?? 0);
  const replicas = [...info].filter(([name]) => /^slave\d+$/.test(name)).map(([, value]) => value);
  const found = [
    judgeMemory(number('used_memory'), number('maxmemory'), number('total_system_memory')),
    judgeReplicas(replicas, number('master_repl_offset'), durability),
  ];
  if (info.get('aof_last_write_status') === 'err' || info.get('aof_last_bgrewrite_status') === 'err') {
    found.push(
      fail(
        'Redis: it could not write its append-only file',
        'look at its disk and its log; sends are refused meanwhile',
      ),
    );
  }
  if (number('aof_delayed_fsync') > 0) {
    found.push(
      warn(
        `Redis: ${info.get('aof_delayed_fsync')} fsyncs were late`,
        'the disk is too slow for its load: with everysec, a crash costs more',
      ),
    );
  }
  return found;
}
