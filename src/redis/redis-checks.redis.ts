import { RelayError } from '@relay/protocol';
import type { Logger } from '../common/logger.js';
import { EXIT_CONFIGURATION, StartError } from '../common/start-error.js';
import type { RedisClient } from './redis-client.redis.js';

/** What one primary says about itself. */
export interface RedisFacts {
  /** `host:port`, or `''` where there is but one. */
  readonly where: string;
  /** Of INFO; `null` where that is not permitted. */
  readonly info: ReadonlyMap<string, string> | null;
  /** Of CONFIG GET; `null` where that is not permitted, as managed Redis does. */
  readonly config: ReadonlyMap<string, string> | null;
  readonly isOfCluster: boolean;
}

export interface Findings {
  /** Each refuses the start. */
  readonly reasons: readonly string[];
  readonly warnings: readonly string[];
}

/** What of its settings matters to a relay. */
export const CONFIG = [
  'maxmemory-policy',
  'appendonly',
  'appendfsync',
  'stream-node-max-bytes',
  'auto-aof-rewrite-min-size',
] as const;
const STREAM_NODE_BYTES = 1024;

/** Logs what may cost mail or memory; rejects with `StartError`, all reasons at once, where it would surely cost mail. */
export async function checkRedis(client: RedisClient, logger?: Logger): Promise<void> {
  const found = (await factsOf(client)).map(judge);
  const reasons = [...new Set(found.flatMap((each) => each.reasons))];
  if (reasons.length > 0) throw new StartError(EXIT_CONFIGURATION, reasons);
  for (const warning of new Set(found.flatMap((each) => each.warnings))) logger?.warn(warning);
}

export async function factsOf(client: RedisClient): Promise<RedisFacts[]> {
  const infos = await client.commandEverywhere('INFO').catch(notPermitted);
  const configs = await client.commandEverywhere('CONFIG', 'GET', ...CONFIG).catch(notPermitted);
  return Array.from({ length: Math.max(1, infos.length, configs.length) }, (_, i) => ({
    where: client.isCluster ? portOf(infos[i]) : '',
    info: infos[i] === undefined ? null : parseInfo(infos[i] as string),
    config: configs[i] === undefined ? null : parsePairs(configs[i] as string[]),
    isOfCluster: client.isCluster,
  }));
}

function notPermitted(error: unknown): [] {
  if (error instanceof RelayError) throw error;
  return [];
}

/** Pure. */
export function judge(facts: RedisFacts): Findings {
  const { where, info, config } = facts;
  const of = where === '' ? 'Redis' : `the Redis node with ${where}`;
  const policy = config?.get('maxmemory-policy') ?? info?.get('maxmemory_policy');
  const reasons: string[] = [];
  const warnings: string[] = [];
  if (info !== null) {
    reasons.push(...versionProblem(info, of));
    if (info.get('role') === 'slave') reasons.push(`${of} is a replica; the relay must write to the primary`);
    if (info.get('cluster_enabled') === '1' && !facts.isOfCluster) {
      reasons.push(`${of} is part of a Cluster; name its nodes in REDIS_CLUSTER_NODES`);
    }
  } else warnings.push(`${of} does not permit INFO: its version and role could not be checked`);
  if (policy === undefined) warnings.push(`the eviction policy of ${of} could not be checked; it must be noeviction`);
  else if (policy !== 'noeviction') {
    reasons.push(`${of} has maxmemory-policy ${policy}, which throws mail away; it must be noeviction`);
  }
  return { reasons, warnings: [...warnings, ...durabilityWarnings(facts, of), ...memoryWarnings(facts, of)] };
}

/** Sharded publish/subscribe came with Redis 7.0; Valkey began at 7.2 and says so beside the Redis version it imitates. */
function versionProblem(info: ReadonlyMap<string, string>, of: string): string[] {
  const valkey = info.get('valkey_version');
  const version = valkey ?? info.get('redis_version') ?? '';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isEnough = valkey === undefined ? major >= 7 : major > 7 || (major === 7 && minor >= 2);
  const name = valkey === undefined ? 'Redis' : 'Valkey';
  return isEnough ? [] : [`${of} is ${name} ${version || 'of an unknown version'}; needed is Redis 7.0 or Valkey 7.2`];
}

function durabilityWarnings({ info, config }: RedisFacts, of: string): string[] {
  const isAppending = config?.get('appendonly') ?? (info?.get('aof_enabled') === '1' ? 'yes' : 'no');
  const fsync = config?.get('appendfsync');
  if (info === null && config === null) return [`whether ${of} keeps an append-only file could not be checked`];
  if (isAppending !== 'yes')
    return [`${of} keeps no append-only file (appendonly): what it accepted is lost when it ends`];
  if (fsync === undefined) return [`appendfsync of ${of} could not be checked; only always loses nothing in a crash`];
  if (fsync === 'everysec')
    return [`${of} has appendfsync everysec: a crash loses what it accepted in the last second or two`];
  if (fsync === 'no')
    return [`${of} has appendfsync no: a crash of its machine loses what it accepted in half a minute`];
  return [];
}

function memoryWarnings({ config }: RedisFacts, of: string): string[] {
  const bytes = config?.get('stream-node-max-bytes');
  const cost = 'a mailbox with one message takes 4.4 KB instead of 0.8 KB at 4096';
  if (bytes === undefined) return [`stream-node-max-bytes of ${of} could not be checked; 512 is best (${cost})`];
  if (Number(bytes) > 0 && Number(bytes) <= STREAM_NODE_BYTES) return [];
  return [`${of} has stream-node-max-bytes ${bytes}; 512 is best (${cost})`];
}

function portOf(info: unknown): string {
  return `port ${parseInfo(String(info)).get('tcp_port') ?? 'unknown'}`;
}

function parseInfo(text: string): Map<string, string> {
  const lines = text.split('\r\n').map((line) => line.split(':') as [string, ...string[]]);
  return new Map(lines.map(([name, ...value]) => [name, value.join(':')]));
}

function parsePairs(flat: readonly string[]): Map<string, string> {
  return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]!] as const] : [])));
}
