import type { Change, ClientStore } from './store.js';

const PREFIX = 'app/';

export function appKey(key: string): string {
  return PREFIX + key;
}

/** What the application keeps in the client's store, apart from what the client keeps there. */
export class AppData {
  constructor(private readonly store: ClientStore) {}

  read(key: string): Promise<string | null> {
    return this.store.read(appKey(key));
  }

  /** Everything whose key begins so, in ascending order of keys. */
  async list(prefix = ''): Promise<readonly (readonly [key: string, value: string])[]> {
    const entries = await this.store.list(appKey(prefix));
    return entries.map(([key, value]) => [key.slice(PREFIX.length), value] as const);
  }

  /** All or nothing; resolves when durable. `null` deletes. */
  write(changes: readonly Change[]): Promise<void> {
    return this.store.write(changes.map(([key, value]) => [appKey(key), value] as const));
  }
}
