import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import { FileStore } from '../store.file.js';
import { IndexedDbStore } from '../store.indexed-db.js';
import { MemoryStore } from '../store.memory.js';
import { storeContract } from './store.contract.js';

Object.assign(globalThis, { IDBKeyRange });

storeContract('memory', () => {
  return Promise.resolve({ store: new MemoryStore(), reopen: null, end: () => Promise.resolve() });
});

storeContract('IndexedDB', async () => {
  const factory = new IDBFactory();
  let store = await IndexedDbStore.open('relay', factory);
  const reopen = async () => {
    await store.close();
    return (store = await IndexedDbStore.open('relay', factory));
  };
  return { store, reopen, end: () => store.close() };
});

storeContract('a file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'relay-store-'));
  let store = await FileStore.open(join(folder, 'deeper', 'store'));
  const reopen = async () => {
    await store.close();
    return (store = await FileStore.open(join(folder, 'deeper', 'store')));
  };
  const end = async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  };
  return { store, reopen, end };
});

describe('a file', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'relay-store-'));
    path = join(folder, 'store');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function written(): Promise<void> {
    const store = await FileStore.open(path);
    await store.write([['a', '1']]);
    await store.close();
  }

  it.each(['[["a","2"', '[["a","2"]]', '\u0000\u0000'])(
    'loses the unfinished line %j and nothing else',
    async (half) => {
      await written();
      appendFileSync(path, half);
      const store = await FileStore.open(path);
      expect(await store.read('a')).toBe('1');
      await store.write([['b', '2']]);
      await store.close();
      const again = await FileStore.open(path);
      expect(await again.list('')).toEqual([
        ['a', '1'],
        ['b', '2'],
      ]);
      await again.close();
    },
  );

  it.each(['nonsense\n', '[["a"]]\n', '{}\n', '[[1,"x"]]\n'])(
    'with a line %j in it is damaged, and says so',
    async (line) => {
      await written();
      appendFileSync(path, `${line}[["b","2"]]\n`);
      await expect(FileStore.open(path)).rejects.toMatchObject({ code: 'store_damaged' });
    },
  );

  it('is open once at a time, also for another process', async () => {
    const store = await FileStore.open(path);
    await expect(FileStore.open(path)).rejects.toMatchObject({ code: 'store_in_use' });
    await store.close();
    // Somebody who lives: our parent.
    writeFileSync(`${path}.lock`, String(process.ppid));
    await expect(FileStore.open(path)).rejects.toMatchObject({ code: 'store_in_use' });
  });

  it('is taken over from a process that was killed', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(`${path}.lock`, String(pid));
    await (await FileStore.open(path)).close();
  });

  it('is for its owner alone', async () => {
    await written();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('does not grow with what was forgotten', async () => {
    const store = await FileStore.open(path);
    await store.write([['kept', 'x']]);
    const value = 'y'.repeat(30_000);
    for (let i = 0; i < 300; i++) {
      await Promise.all([store.write([[`k${i}`, value]]), store.write([[`k${i}`, null]])]);
    }
    expect(statSync(path).size).toBeLessThan(2 * 1024 * 1024);
    await store.close();
    expect(readFileSync(path, 'utf8')).toContain('kept');
    const again = await FileStore.open(path);
    expect(await again.list('')).toEqual([['kept', 'x']]);
    await again.close();
  });

  it('refuses to write after its disk failed, and what it had is there', async () => {
    const store = await FileStore.open(path);
    await store.write([['a', '1']]);
    await store.close();
    await expect(store.write([['b', '2']])).rejects.toMatchObject({ code: 'store_failed' });
  });
});
