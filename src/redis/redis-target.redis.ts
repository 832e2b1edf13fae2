import { Cluster, type Redis, type RedisOptions } from 'ioredis';
import { OneWriteRedis } from './one-write.redis.js';

/** What its constructors take under exactOptionalPropertyTypes. */
export type Options = Omit<RedisOptions, 'replyMapping'>;

/** Where Redis is. `sentinels` and `clusterNodes`: `host:port`, an IPv6 address in brackets; at most one of both lists is given. */
export interface RedisTarget {
  /** `redis://` or `rediss://`; user, password and TLS hold for Sentinel and Cluster too, which give host and port themselves. */
  readonly url: string;
  readonly sentinels?: readonly string[];
  readonly sentinelName?: string;
  readonly clusterNodes?: readonly string[];
}

/** A command is given up, and a silent connection is torn down, after this long. */
export const ANSWER_WITHIN_MS = 3000;
const CONNECT_WITHIN_MS = 3000;
const CLOSE_WITHIN_MS = 500;
const SLOTS_REFRESH_MS = 5000;

/** 50 ms to 1 s, with jitter: nodes that lost Redis together must not come back together. */
export function backoff(attempt: number): number {
  const longest = Math.min(1000, 50 * 2 ** Math.min(attempt - 1, 10));
  return Math.round(longest / 2 + (Math.random() * longest) / 2);
}

/** Of every connection for commands: none waits, none is repeated by the library, all give up. */
export function connectionOptions({ url }: RedisTarget): Options {
  const { protocol, username, password, pathname } = new URL(url);
  return {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
    db: Number(pathname.slice(1)),
    connectionName: 'relay',
    disableClientInfo: true,
    lazyConnect: true,
    commandTimeout: ANSWER_WITHIN_MS,
    connectTimeout: CONNECT_WITHIN_MS,
    disconnectTimeout: CLOSE_WITHIN_MS,
    maxLoadingRetryTime: 250,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResubscribe: false,
    keepAlive: 15_000,
  };
}

/** Not connected yet. `sentinelsAsk`: they want the password too. */
export function createRedis(target: RedisTarget, sentinelsAsk = false): Redis | Cluster {
  const options = connectionOptions(target);
  const { sentinels = [], sentinelName = 'relay', clusterNodes = [] } = target;
  if (clusterNodes.length > 0) return createCluster(clusterNodes, options);
  // A primary that became a replica answers READONLY: whoever told us where it is knows the new one by now.
  const single: Options = {
    ...options,
    retryStrategy: backoff,
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
  if (sentinels.length === 0) return new OneWriteRedis({ ...single, ...hostOf(target.url) });
  const { username, password, tls } = options;
  return new OneWriteRedis({
    ...single,
    sentinels: sentinels.map(endpointOf),
    name: sentinelName,
    sentinelRetryStrategy: backoff,
    sentinelCommandTimeout: ANSWER_WITHIN_MS,
    ...(tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: tls }),
    ...(sentinelsAsk && username !== undefined ? { sentinelUsername: username } : {}),
    ...(sentinelsAsk && password !== undefined ? { sentinelPassword: password } : {}),
  });
}

/** Subscriptions have connections of their own (backplane.redis.ts). */
function createCluster(nodes: readonly string[], redisOptions: Options): Cluster {
  return new Cluster(nodes.map(endpointOf), {
    redisOptions,
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: backoff,
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    slotsRefreshTimeout: ANSWER_WITHIN_MS,
    // Certificates name hosts, not what these resolve to.
    ...(redisOptions.tls === undefined ? {} : { dnsLookup: (host, done) => done(null, host) }),
  });
}

export function endpointOf(text: string): { host: string; port: number } {
  const { hostname, port } = new URL(`redis://${text}`);
  return { host: unbracketed(hostname), port: Number(port) };
}

function hostOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: unbracketed(hostname), port: port === '' ? 6379 : Number(port) };
}

function unbracketed(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** For logs and reasons: without user and password. */
export function describeTarget(target: RedisTarget): string {
  const { url, sentinels = [], sentinelName = 'relay', clusterNodes = [] } = target;
  if (clusterNodes.length > 0) return `the Cluster at ${clusterNodes.join(', ')}`;
  if (sentinels.length > 0) return `${sentinelName} of the Sentinels at ${sentinels.join(', ')}`;
  const { protocol, hostname, port } = new URL(url);
  return `${protocol}//${hostname}:${port === '' ? '6379' : port}`;
}
