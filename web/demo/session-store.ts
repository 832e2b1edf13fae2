import { type Change, ClientStore } from '@relay/client';

/** A client's store in one browser window: a reload finds everything again, another window nothing, and closing it forgets all. */
export class SessionStore extends ClientStore {
  constructor(
    private readonly storage: Storage,
    /** Leads every key. */
    private readonly prefix: string,
  ) {
    super();
  }

  override read(key: string): Promise<string | null> {
    return Promise.resolve(this.storage.getItem(this.prefix + key));
  }

  override list(prefix: string): Promise<readonly (readonly [string, string])[]> {
    const start = this.prefix + prefix;
    const keys = Array.from({ length: this.storage.length }, (_, index) => this.storage.key(index)!);
    const found = keys.filter((key) => key.startsWith(start)).sort((a, b) => (a < b ? -1 : 1));
    return Promise.resolve(found.map((key) => [key.slice(this.prefix.length), this.storage.getItem(key)!] as const));
  }

  override write(changes: readonly Change[]): Promise<void> {
    const before = changes.map(([key]) => [key, this.storage.getItem(this.prefix + key)] as const);
    try {
      this.apply(changes);
    } catch (error) {
      // It is full. What was there before fits, so all of it can be put back.
      this.apply(before);
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
    return Promise.resolve();
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }

  private apply(changes: readonly Change[]): void {
    for (const [key, value] of changes) {
      if (value === null) this.storage.removeItem(this.prefix + key);
      else this.storage.setItem(this.prefix + key, value);
    }
  }
}
