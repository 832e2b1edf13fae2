import { RelayError } from '@relay/protocol';
import type { Tracing } from '../common/tracing.js';

/** Thousands a second on a busy relay: one of so many, and all that took long or failed. */
const ONE_OF = 100;
const LONG_MS = 100;

let calls = 0;

/** One call of a script: of sends and acknowledgements, all that one turn of the event loop had for the store. */
export async function traced(
  tracing: Tracing,
  name: string,
  answer: Promise<unknown>,
  weight: number,
): Promise<unknown> {
  const startedAt = performance.now();
  const isSampled = calls++ % ONE_OF === 0;
  const record = (error: unknown): void => {
    const tookMs = performance.now() - startedAt;
    if (!isSampled && error === null && tookMs < LONG_MS) return;
    const outcome = error === null ? 'ok' : error instanceof RelayError ? error.code : 'error';
    tracing.record({
      name: `redis ${name}`,
      kind: 'client',
      tookMs,
      fields: {
        'db.system.name': 'redis',
        'relay.batch': weight,
        'relay.sampled': isSampled,
        'relay.outcome': outcome,
      },
      isFailed: error !== null,
    });
  };
  try {
    const value = await answer;
    record(null);
    return value;
  } catch (error) {
    record(error);
    throw error;
  }
}
