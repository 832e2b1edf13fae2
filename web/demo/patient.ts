import type { Opened } from '@relay/client/encryption';

/** So long after each attempt that found no key of the sender's: a key and a message may be on their way at the same time. */
export const WAITS_MS: readonly number[] = [500, 1_000, 2_000];

/** Reads again, which asks the directory anew, while the sender's key is not there. Who has none in the end is not read. */
export async function readPatiently(
  read: () => Promise<Opened>,
  wait: (ms: number) => Promise<unknown>,
): Promise<Opened> {
  for (const ms of WAITS_MS) {
    const opened = await read();
    if (opened.kind !== 'unreadable' || opened.reason !== 'unknown_sender_key') return opened;
    await wait(ms);
  }
  return read();
}
