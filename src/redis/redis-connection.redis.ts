import type { Redis } from 'ioredis';
import { replyCode } from './redis-error.redis.js';
import { PatientCommand } from './patient-command.redis.js';
import { ANSWER_WITHIN_MS } from './redis-target.redis.js';

/** With `ANSWER_WITHIN_MS` after it, a connection that only swallows is noticed within 4.5 s. */
export const PING_EVERY_MS = 1500;

/** Pings one connection until `stop`; one that does not answer in time is torn down, and reconnects by itself. */
export function keepAnswering(redis: Redis): { stop(): void } {
  const timer = setInterval(() => {
    if (redis.status !== 'ready') return;
    const { stream } = redis;
    const pong = redis.sendCommand(new PatientCommand('ping')) as Promise<unknown>;
    pong.catch((error: unknown) => {
      // A refusal is an answer too.
      if (replyCode(error) === '') stream.destroy(new Error(`no answer within ${ANSWER_WITHIN_MS} ms`));
    });
  }, PING_EVERY_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/**
 * From its next connection on it is ready only where it reaches a primary. ioredis asks for the role, but compares it
 * under Sentinel only; otherwise each READONLY would reconnect, without any pause, to the replica that answered it.
 */
export function demandPrimary(redis: Redis): void {
  const { connector } = redis as unknown as { connector: { check(info: { role?: string }): boolean } };
  connector.check = ({ role }) => role === undefined || role === 'master';
}

/** Why a connection failed, for people: a code where there is one, never an address or a password. */
export function failureOf(error: unknown): string {
  const { code, message = 'the connection was closed' } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  return code ?? message;
}
