import { type Change, ClientStore } from './store.js';

const ENTRIES = 'entries';

/** In a browser's IndexedDB, one database per device. */
export class IndexedDbStore extends ClientStore {
  private constructor(private readonly database: IDBDatabase) {
    super();
  }

  /** Creates it where there is none. `factory` is the browser's own unless a test brings one. */
  static async open(name: string, factory: IDBFactory = indexedDB): Promise<IndexedDbStore> {
    const opening = factory.open(name, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(ENTRIES);
    return new IndexedDbStore(await done(opening));
  }

  override async read(key: string): Promise<string | null> {
    const value = await done(this.entries('readonly').get(key) as IDBRequest<string | undefined>);
    return value ?? null;
  }

  override async list(prefix: string): Promise<readonly (readonly [string, string])[]> {
    const entries = this.entries('readonly');
    const range = this.range(prefix);
    const keys = done(entries.getAllKeys(range) as IDBRequest<string[]>);
    const values = await done(entries.getAll(range) as IDBRequest<string[]>);
    return (await keys).map((key, index) => [key, values[index]!] as const);
  }

  override write(changes: readonly Change[]): Promise<void> {
    const transaction = this.database.transaction(ENTRIES, 'readwrite', { durability: 'strict' });
    const entries = transaction.objectStore(ENTRIES);
    for (const [key, value] of changes) {
      if (value === null) entries.delete(key);
      else entries.put(value, key);
    }
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'));
    });
  }

  /** The browser lets transactions under way finish. */
  override close(): Promise<void> {
    this.database.close();
    return Promise.resolve();
  }

  private entries(mode: IDBTransactionMode): IDBObjectStore {
    return this.database.transaction(ENTRIES, mode).objectStore(ENTRIES);
  }

  private range(prefix: string): IDBKeyRange | undefined {
    return prefix === '' ? undefined : IDBKeyRange.bound(prefix, `${prefix}\uffff`, false, true);
  }
}

function done<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'));
  });
}
