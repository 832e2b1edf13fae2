import { type Address, LIMITS } from '@relay/protocol';
import type { KeyRepository } from '../../src/keys/key.repository.js';
import { addressOf } from '../support/classic-client.js';
import type { ManualClock } from '../support/manual-clock.js';

export interface KeysUnderTest {
  readonly keys: KeyRepository;
  readonly clock: ManualClock;
  readonly close: () => Promise<void>;
}

const ALICE = addressOf(1) as Address;
const BOB = addressOf(2) as Address;

/** The rules of `KeyRepository`, for every implementation. */
export function keyContract(name: string, open: () => Promise<KeysUnderTest>): void {
  describe(`KeyRepository: ${name}`, () => {
    let keys: KeyRepository;
    let clock: ManualClock;
    let close: () => Promise<void>;

    beforeEach(async () => {
      ({ keys, clock, close } = await open());
    });

    afterEach(() => close());

    it('gives back what was put, whatever the text', async () => {
      const now = clock.now();
      for (const publicKey of ['q\n"\\\u0000🔑', 'half a pair: \ud83d', '0', '"quoted"']) {
        const stored = { address: ALICE, publicKey, createdAt: now, updatedAt: now };
        expect(await keys.put(ALICE, publicKey)).toEqual(stored);
        expect(await keys.get(ALICE)).toEqual(stored);
      }
    });

    it('replaces, and remembers when the first came', async () => {
      const createdAt = clock.now();
      await keys.put(ALICE, 'old');
      clock.advance(1000);
      await keys.put(ALICE, 'new');
      expect(await keys.get(ALICE)).toEqual({ address: ALICE, publicKey: 'new', createdAt, updatedAt: clock.now() });
      expect(await keys.count()).toBe(1);
    });

    it('finds many, each once, and leaves out those that are not there', async () => {
      await keys.put(ALICE, 'a');
      await keys.put(BOB, 'b');
      const found = await keys.getMany([BOB, addressOf(9) as Address, ALICE, BOB]);
      expect(found.map(({ publicKey }) => publicKey)).toEqual(['b', 'a']);
      expect(await keys.getMany([])).toEqual([]);
    });

    it('finds as many as one request may ask for', async () => {
      const addresses = Array.from({ length: LIMITS.addressesPerRequest }, (_, i) => addressOf(100 + i) as Address);
      await Promise.all(addresses.map((address) => keys.put(address, `key of ${address}`)));
      expect((await keys.getMany(addresses)).map(({ address }) => address)).toEqual(addresses);
      expect(await keys.count()).toBe(addresses.length);
    });

    it('keeps one of two that are put at once, and counts it once', async () => {
      await Promise.all([keys.put(ALICE, 'a'), keys.put(ALICE, 'b')]);
      expect(['a', 'b']).toContain((await keys.get(ALICE))?.publicKey);
      expect(await keys.count()).toBe(1);
      expect((await Promise.all([keys.delete(ALICE), keys.delete(ALICE)])).sort()).toEqual([false, true]);
      expect(await keys.count()).toBe(0);
    });

    it('deletes once; a key put afterwards is a new one', async () => {
      await keys.put(ALICE, 'a');
      expect(await keys.delete(ALICE)).toBe(true);
      expect(await keys.delete(ALICE)).toBe(false);
      expect(await keys.get(ALICE)).toBeNull();
      expect(await keys.count()).toBe(0);
      clock.advance(1000);
      expect(await keys.put(ALICE, 'a')).toMatchObject({ createdAt: clock.now() });
    });
  });
}
