import type { Cluster, Redis } from 'ioredis';
import type { Logger } from '../common/logger.js';
import { EXIT_CONFIGURATION, EXIT_UNAVAILABLE, StartError } from '../common/start-error.js';
import { failureOf } from './redis-connection.redis.js';
import { replyCode } from './redis-error.redis.js';
import { describeTarget, type RedisTarget } from './redis-target.redis.js';

/** The Sentinels answer nobody without a password. */
export class SentinelsAsk extends Error {}

export interface Patience {
  /** How long to go on trying; at least one attempt is made, and a Redis that is loading its data is waited for. */
  readonly waitMs: number;
  readonly logger?: Logger | undefined;
}

/** Resolves once it is ready. Rejects with `StartError` or `SentinelsAsk`; it goes on trying until it is disconnected. */
export function firstConnection(redis: Redis | Cluster, target: RedisTarget, patience: Patience): Promise<void> {
  return new FirstConnection(redis, target, patience).outcome();
}

class FirstConnection {
  private readonly deadline: number;
  private lastError: unknown;
  private isWaiting = false;

  constructor(
    private readonly redis: Redis | Cluster,
    private readonly target: RedisTarget,
    private readonly patience: Patience,
  ) {
    this.deadline = performance.now() + patience.waitMs;
  }

  outcome(): Promise<void> {
    const { redis } = this;
    return new Promise((resolve, reject) => {
      const note = (error: unknown): void => {
        this.lastError = error;
      };
      const judge = (): void => {
        const verdict = this.verdict();
        if (verdict !== null) settle(() => reject(verdict));
      };
      const failed = (error: unknown): void => {
        // What each of them said comes before.
        if (!isAboutAllSentinels(error) || this.lastError === undefined) note(rootOf(error));
        judge();
      };
      const ready = (): void => settle(resolve);
      const listeners = { error: failed, 'node error': note, sentinelError: note, close: judge, end: judge, ready };
      const settle = (done: () => void): void => {
        for (const [event, listener] of Object.entries(listeners)) redis.off(event, listener);
        done();
      };
      for (const [event, listener] of Object.entries(listeners)) redis.on(event, listener);
      // Its own promise is that of the first attempt only.
      redis.connect().catch(() => undefined);
    });
  }

  /** Why to give up now, or `null` to go on. */
  private verdict(): Error | null {
    const { lastError: error, target } = this;
    const refusal = refusalOf(error, target);
    if (refusal !== null) return refusal;
    const code = replyCode(error);
    if (code !== 'LOADING' && performance.now() >= this.deadline) {
      return new StartError(EXIT_UNAVAILABLE, [
        `Redis does not answer at ${describeTarget(target)}: ${failureOf(error)}`,
      ]);
    }
    if (!this.isWaiting) {
      this.isWaiting = true;
      this.patience.logger?.warn('waiting for Redis', { target: describeTarget(target), reason: failureOf(error) });
    }
    return null;
  }
}

/** A Cluster says that all nodes failed, and hides why in a member. */
function rootOf(error: unknown): unknown {
  return (error as { lastNodeError?: unknown }).lastNodeError ?? error;
}

function isAboutAllSentinels(error: unknown): boolean {
  return String((error as Partial<Error>).message).startsWith('All sentinels are unreachable');
}

/** What no waiting cures. */
function refusalOf(error: unknown, target: RedisTarget): Error | null {
  const { message = '' } = (error ?? {}) as Partial<Error>;
  const refuse = (reason: string): StartError => new StartError(EXIT_CONFIGURATION, [reason]);
  if (message.startsWith('failed to connect to sentinel') && message.includes('NOAUTH')) {
    if (new URL(target.url).password !== '') return new SentinelsAsk(message);
    return refuse('the Sentinels want a password: that of REDIS_URL, which has none');
  }
  if (/but got an invalid reply: null|No such master with that name/.test(message)) {
    return refuse(`no Sentinel knows a primary called ${target.sentinelName} (REDIS_SENTINEL_NAME)`);
  }
  if (/\b(WRONGPASS|NOAUTH|invalid password|invalid username-password)\b/.test(message)) {
    return refuse(`Redis at ${describeTarget(target)} refuses the user or the password in REDIS_URL`);
  }
  if (message.includes('cluster support disabled')) {
    return refuse('REDIS_CLUSTER_NODES names a Redis that is no Cluster; use REDIS_URL');
  }
  if (message.includes('DB index')) return refuse('Redis has no database of the number in REDIS_URL');
  return null;
}
