import { type Change, ClientStore } from './store.js';

/** Forgets everything with the process: for tests, and for clients that may hand over again after a restart. */
export class MemoryStore extends ClientStore {
  private readonly values = new Map<string, string>();

  override read(key: string): Promise<string | null> {
    return Promise.resolve(this.values.get(key) ?? null);
  }

  override list(prefix: string): Promise<readonly (readonly [string, string])[]> {
    return Promise.resolve(entriesOf(this.values, prefix));
  }

  override write(changes: readonly Change[]): Promise<void> {
    applyTo(this.values, changes);
    return Promise.resolve();
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }
}

export function entriesOf(values: ReadonlyMap<string, string>, prefix: string): (readonly [string, string])[] {
  return [...values].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
}

export function applyTo(values: Map<string, string>, changes: readonly Change[]): void {
  for (const [key, value] of changes) {
    if (value === null) values.delete(key);
    else values.set(key, value);
  }
}
