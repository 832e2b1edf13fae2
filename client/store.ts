/** One thing to remember; `null` forgets it. */
export type Change = readonly [key: string, value: string | null];

/**
 * What one device of one address remembers across restarts: its session, what it has still to send, what it was handed, and
 * whatever the application saves together with a message. A store belongs to one device; two at a time would each resend the other's.
 */
export abstract class ClientStore {
  abstract read(key: string): Promise<string | null>;

  /** Everything whose key begins so, in ascending order of keys (by UTF-16 code units). */
  abstract list(prefix: string): Promise<readonly (readonly [key: string, value: string])[]>;

  /**
   * All of it or nothing, whatever happens to the process; resolves when it is durable, and is visible to reads from then on.
   * Writes take effect in the order of the calls. Rejects where it could not write: then nothing has changed.
   */
  abstract write(changes: readonly Change[]): Promise<void>;

  /** After the writes under way. */
  abstract close(): Promise<void>;
}

const SEQUENCE_DIGITS = 16;

/** A key that sorts by number. */
export function sequenceKey(prefix: string, sequence: number): string {
  return prefix + String(sequence).padStart(SEQUENCE_DIGITS, '0');
}

export function sequenceOf(prefix: string, key: string): number {
  return Number(key.slice(prefix.length));
}
