import { RelayError } from '@relay/protocol';
import { readLedger } from '../backup/ledger.redis.js';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { EXIT } from './exit-codes.js';
import { localUrl, relayUrl } from './relay-url.js';
import type { Terminal } from './terminal.js';
import { withRedis } from './with-redis.redis.js';

const ANSWERS_WITHIN_MS = 2000;

export async function stats(
  terminal: Terminal,
  { json = false, url }: { json?: boolean; url?: string },
): Promise<number> {
  const given = url === undefined ? null : relayUrl(url);
  const found = await withRedis('stats', async (client, { host, port, tlsCertFile }) => ({
    ledger: await readLedger(client),
    redis: await memoryOf(client),
    relay: await relayAt(given ?? new URL(localUrl({ host, port, isTls: tlsCertFile !== '' }))),
  }));
  terminal.out(json ? `${JSON.stringify(found)}\n` : table(inWords(found)));
  return EXIT.ok;
}

/** The words that `relay verify` has for the same numbers. */
function inWords<Found extends { ledger: { mailboxes: number } }>({ ledger, ...found }: Found): object {
  const { mailboxes, ...counts } = ledger;
  return { ledger: { 'mailboxes with mail': mailboxes, ...counts }, ...found };
}

function table(found: object): string {
  const rows = Object.entries(found).flatMap(([group, values]) =>
    values === null
      ? [`${group}: does not answer`]
      : [group, ...Object.entries(values as object).map(([name, value]) => `  ${name.padEnd(21)}${value}`)],
  );
  return `${rows.join('\n')}\n`;
}

/** Summed over the primaries. `maxBytes` 0: no limit. */
async function memoryOf(client: RedisClient): Promise<{ usedBytes: number; maxBytes: number; keys: number }> {
  const infos = (await client.commandEverywhere('INFO', 'memory')) as string[];
  const sizes = (await client.commandEverywhere('DBSIZE')) as number[];
  const sum = (field: string): number =>
    infos.reduce((total, info) => total + Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0), 0);
  return { usedBytes: sum('used_memory'), maxBytes: sum('maxmemory'), keys: sizes.reduce((a, b) => a + b, 0) };
}

/** The node of this machine, if one answers. */
async function relayAt(url: URL): Promise<Record<string, unknown> | null> {
  try {
    const response = await fetch(new URL('/health', url), { signal: AbortSignal.timeout(ANSWERS_WITHIN_MS) });
    if (!response.ok) throw new RelayError('store_unavailable');
    const { status, connections, uptime, workers } = (await response.json()) as Record<string, unknown>;
    const found = { status, connections, uptimeSeconds: Math.round(Number(uptime)) };
    return workers === undefined ? found : { ...found, workers };
  } catch {
    return null;
  }
}
