import type { ClientStore } from '../store.js';

export interface StoreUnderTest {
  readonly store: ClientStore;
  /** The same data, as the next process finds it; `null` where nothing outlives one. */
  readonly reopen: (() => Promise<ClientStore>) | null;
  readonly end: () => Promise<void>;
}

/** A disk that others keep busy is slow. */
const DISK_WITHIN_MS = 30_000;

/** The rules of `ClientStore`, for every implementation. */
export function storeContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`the store in ${name}`, () => {
    let under: StoreUnderTest;
    let store: ClientStore;

    beforeEach(async () => {
      under = await make();
      store = under.store;
    });
    afterEach(() => under.end());

    it(
      'remembers, replaces and forgets',
      async () => {
        expect(await store.read('a')).toBeNull();
        await store.write([['a', '1']]);
        expect(await store.read('a')).toBe('1');
        await store.write([['a', '']]);
        expect(await store.read('a')).toBe('');
        await store.write([['a', null]]);
        expect(await store.read('a')).toBeNull();
      },
      DISK_WITHIN_MS,
    );

    it(
      'lists what begins so, in ascending order',
      async () => {
        await store.write([
          ['b/2', 'two'],
          ['b/10', 'ten'],
          ['a/1', 'other'],
          ['b', 'no slash'],
          ['c/1', 'other'],
        ]);
        expect(await store.list('b/')).toEqual([
          ['b/10', 'ten'],
          ['b/2', 'two'],
        ]);
        expect((await store.list('')).map(([key]) => key)).toEqual(['a/1', 'b', 'b/10', 'b/2', 'c/1']);
      },
      DISK_WITHIN_MS,
    );

    it(
      'applies the changes of a write in order, and writes in the order of the calls',
      async () => {
        await Promise.all([
          store.write([
            ['a', '1'],
            ['a', '2'],
          ]),
          store.write([['a', '3']]),
          store.write([
            ['b', 'gone'],
            ['b', null],
          ]),
        ]);
        expect(await store.list('')).toEqual([['a', '3']]);
      },
      DISK_WITHIN_MS,
    );

    it(
      'keeps any text as it is',
      async () => {
        const text = 'line\nfeed "quote" \\ \u0000 Grüße 👋 \u2028';
        await store.write([[text, text]]);
        expect(await store.read(text)).toBe(text);
        if (under.reopen === null) return;
        expect(await (await under.reopen()).read(text)).toBe(text);
      },
      DISK_WITHIN_MS,
    );

    it(
      'has everything again in the next process',
      async () => {
        await store.write([
          ['a', '1'],
          ['b', '2'],
        ]);
        await store.write([['a', null]]);
        if (under.reopen === null) return;
        expect(await (await under.reopen()).list('')).toEqual([['b', '2']]);
      },
      DISK_WITHIN_MS,
    );
  });
}
