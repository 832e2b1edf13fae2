import { storeContract } from '../../client/test/store.contract.js';
import { SessionStore } from './session-store.js';

/** As a browser has it, with as much room as the test says. */
class FakeStorage implements Storage {
  [name: string]: unknown;
  private readonly values = new Map<string, string>();

  constructor(private readonly maxChars = Infinity) {}

  get length(): number {
    return this.values.size;
  }

  key(index: number): string | null {
    return [...this.values.keys()][index] ?? null;
  }

  getItem(key: string): string | null {
    return this.values.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    const others = [...this.values].filter(([name]) => name !== key);
    const chars = [...others, [key, value]].reduce((sum, [name, text]) => sum + name!.length + text!.length, 0);
    if (chars > this.maxChars) throw new DOMException('full', 'QuotaExceededError');
    this.values.set(key, value);
  }

  removeItem(key: string): void {
    this.values.delete(key);
  }

  clear(): void {
    this.values.clear();
  }
}

storeContract('sessionStorage', () => {
  const storage = new FakeStorage();
  const open = (): Promise<SessionStore> => Promise.resolve(new SessionStore(storage, 'p/'));
  return Promise.resolve({ store: new SessionStore(storage, 'p/'), reopen: open, end: () => Promise.resolve() });
});

describe('the store of a window', () => {
  it('changes nothing where there is no room for all of a write', async () => {
    const store = new SessionStore(new FakeStorage(20), 'p/');
    await store.write([['a', '1']]);
    const tooMuch = store.write([
      ['a', '2'],
      ['b', '3'],
      ['c', 'x'.repeat(20)],
    ]);
    await expect(tooMuch).rejects.toThrow('full');
    expect(await store.list('')).toEqual([['a', '1']]);
  });

  it('leaves alone what else is there', async () => {
    const storage = new FakeStorage();
    storage.setItem('other', 'x');
    const store = new SessionStore(storage, 'p/');
    await store.write([['other', 'mine']]);
    expect([storage.getItem('other'), await store.list('')]).toEqual(['x', [['other', 'mine']]]);
  });
});
