import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { readFileSync } from 'node:fs';
import { SETTING_ROWS, type SettingRow } from './setting.decorator.js';
import { Settings } from './settings.js';

/** Refuses a start. `problems` names every wrong setting, one line each. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';

  constructor(readonly problems: readonly string[]) {
    super(`Settings refused:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

const SECRET_NAMES = SETTING_ROWS.filter(({ isSecret }) => isSecret).map(({ name }) => name);

export type Environment = Readonly<Record<string, unknown>>;

/** The only reader of the environment. Throws `SettingsError` with every mistake at once. */
export function loadSettings(environment: Environment): Settings {
  const fromFiles = secretsOf(environment);
  const given = Object.fromEntries(
    SETTING_ROWS.map((row) => [
      row.name,
      fromFiles.values[row.name] ?? valueOf(environment, row.name, fallbackOf(row, environment)),
    ]),
  );
  const settings = plainToInstance(Settings, given, { excludeExtraneousValues: true, exposeDefaultValues: true });
  const wrong = new Set(validateSync(settings, { forbidUnknownValues: false }).map(({ property }) => property));
  const problems = [
    ...misspelled(environment),
    ...fromFiles.problems,
    ...invalid(wrong, given),
    ...idleRedis(environment),
    ...contradictions(settings, wrong),
  ];
  if (problems.length > 0) throw new SettingsError(problems);
  return Object.freeze(settings);
}

function fallbackOf({ fallback, productionFallback }: SettingRow, environment: Environment): string {
  const isProduction = valueOf(environment, 'NODE_ENV', '') === 'production';
  return (isProduction ? productionFallback : undefined) ?? fallback;
}

export type SettingSource = 'environment' | '.env' | 'file' | 'default';

/** Where each setting's value is from; `file`: the one that `NAME_FILE` names. `dotEnv` is a part of neither. */
export function sourcesOf(environment: Environment, dotEnv: Environment): ReadonlyMap<string, SettingSource> {
  return new Map(
    SETTING_ROWS.map(({ name, isSecret = false }) => {
      const merged = { ...dotEnv, ...environment };
      if (isSecret && valueOf(merged, `${name}_FILE`, '') !== '') return [name, 'file'];
      if (valueOf(environment, name, '') !== '') return [name, 'environment'];
      return [name, valueOf(dotEnv, name, '') !== '' ? '.env' : 'default'];
    }),
  );
}

/** An empty value is one that was not given: compose files and unit files leave them behind. */
function valueOf(environment: Environment, name: string, fallback: string): string {
  const value = environment[name];
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : fallback;
}

/** What `NAME_FILE` names. A secret in the environment is seen by whoever lists processes. */
function secretsOf(environment: Environment): { values: Record<string, string>; problems: string[] } {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  for (const name of SECRET_NAMES) {
    const path = valueOf(environment, `${name}_FILE`, '');
    if (path === '') continue;
    if (valueOf(environment, name, '') !== '') problems.push(`${name} and ${name}_FILE are both set; one is enough`);
    try {
      values[name] = readFileSync(path, 'utf8').trim();
      // Nothing in it is a mistake; taken for nothing set, it would open what it was to close.
      if (values[name] === '') problems.push(`${name}_FILE names a file that is empty`);
    } catch (error) {
      problems.push(`${name}_FILE names a file that cannot be read (${(error as NodeJS.ErrnoException).code})`);
    }
  }
  return { values, problems };
}

function invalid(wrong: ReadonlySet<string>, given: Record<string, string>): string[] {
  return SETTING_ROWS.filter(({ property }) => wrong.has(property)).map(({ name, must, isSecret = false }) => {
    const value = isSecret ? 'it is not shown, since it may hold a password' : `it is ${JSON.stringify(given[name])}`;
    return `${name} must be ${must} (${value})`;
  });
}

function contradictions(settings: Settings, wrong: ReadonlySet<string>): string[] {
  const problems = redisContradictions(settings, wrong);
  if ((settings.tlsCertFile === '') !== (settings.tlsKeyFile === '')) {
    problems.push('TLS_CERT_FILE and TLS_KEY_FILE belong together: one is set, the other is not');
  }
  const areBytes = !wrong.has('maxQueueBytes') && !wrong.has('maxFrameBytes');
  if (areBytes && settings.maxQueueBytes < settings.maxFrameBytes) {
    problems.push(
      `MAX_QUEUE_BYTES (${settings.maxQueueBytes}) must be at least MAX_FRAME_BYTES (${settings.maxFrameBytes})`,
    );
  }
  const { environment, authMode, publicDomain } = settings;
  if (environment === 'production' && authMode === 'signed' && publicDomain === '') {
    problems.push(
      'PUBLIC_DOMAIN must be set in production: it is what clients sign to sign in (or AUTH_MODE=open, which believes whoever claims an address)',
    );
  }
  return problems;
}

/** What names a Redis, and would be read by nobody where STORAGE is left to its default. */
const NAMES_OF_A_REDIS = ['REDIS_URL', 'REDIS_URL_FILE', 'REDIS_SENTINELS', 'REDIS_CLUSTER_NODES'];

/** Whoever names a Redis wants it: without STORAGE the relay would run in memory, and be found out at its first restart. */
function idleRedis(environment: Environment): string[] {
  if (valueOf(environment, 'STORAGE', '') !== '') return [];
  const [name] = NAMES_OF_A_REDIS.filter((candidate) => valueOf(environment, candidate, '') !== '');
  return name === undefined
    ? []
    : [`${name} is set, but STORAGE is not: set STORAGE=redis to use it (or STORAGE=memory, which forgets everything)`];
}

function redisContradictions(settings: Settings, wrong: ReadonlySet<string>): string[] {
  const { storage, redisSentinels, redisClusterNodes, redisUrl, durability } = settings;
  const problems: string[] = [];
  const isCluster = !wrong.has('redisClusterNodes') && redisClusterNodes.length > 0;
  if (isCluster && !wrong.has('redisSentinels') && redisSentinels.length > 0) {
    problems.push('REDIS_SENTINELS and REDIS_CLUSTER_NODES are both set: a Cluster has no Sentinels');
  }
  if (isCluster && !wrong.has('redisUrl') && Number(new URL(redisUrl).pathname.slice(1)) > 0) {
    problems.push('REDIS_URL names a database, and REDIS_CLUSTER_NODES a Cluster, which has only database 0');
  }
  if (storage === 'memory' && durability === 'replica') {
    problems.push('DURABILITY=replica needs STORAGE=redis: memory has no replica');
  }
  // Also where `auto` would be 1: a configuration means the same on every machine.
  if (storage === 'memory' && !wrong.has('workers') && settings.workers !== 1) {
    problems.push(
      `WORKERS=${settings.workers} needs STORAGE=redis: in memory each process would have mailboxes of its own`,
    );
  }
  return problems;
}

/** Names that nobody reads but that look like one of ours: a typing mistake would otherwise pass in silence. */
function misspelled(environment: Environment): string[] {
  const known = [...SETTING_ROWS.map(({ name }) => name), ...SECRET_NAMES.map((name) => `${name}_FILE`)];
  return Object.keys(environment)
    .filter((name) => !known.includes(name))
    .flatMap((name) => {
      const alike = known.filter((candidate) => resembles(name.toUpperCase(), candidate));
      const [meant] = alike.sort((a, b) => distance(name.toUpperCase(), a) - distance(name.toUpperCase(), b));
      return meant === undefined ? [] : [`${name} is not a setting; did you mean ${meant}?`];
    });
}

/** A letter or two away from a setting, and somebody else's: OpenSSL's, platforms that number ports (Marathon's PORT0, PORTS), words. */
const OTHERS_NAMES = /^(SSL_CERT_FILE|(PORT|HOST)(S|_?\d+)|POST|SORT|PART|FORT|SPORT|COST|LOST|MOST|GHOST)$/;

function resembles(name: string, known: string): boolean {
  // Short names are two letters away from half the variables of any shell: HOST from HOME.
  const tolerance = known.length >= 8 ? 2 : 1;
  const isNear = Math.abs(name.length - known.length) <= tolerance && distance(name, known) <= tolerance;
  return isNear && !OTHERS_NAMES.test(name);
}

/** Letters that are missing, too many, wrong, or have changed places with their neighbour. */
function distance(a: string, b: string): number {
  let rowBefore: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = isSwap ? rowBefore[j - 2]! + 1 : Infinity;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, substitution, swap));
    }
    [rowBefore, row] = [row, next];
  }
  return row[b.length]!;
}
