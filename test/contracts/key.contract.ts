import { type Address, LIMITS } from '@relay/protocol';
import type { KeyRepository, KeySignature } from '../../src/keys/key.repository.js';
import { addressOf } from '../support/classic-client.js';
import type { ManualClock } from '../support/manual-clock.js';

export interface KeysUnderTest {
  readonly keys: KeyRepository;
  readonly clock: ManualClock;
  readonly close: () => Promise<void>;
}

const ALICE = addressOf(1) as Address;
const BOB = addressOf(2) as Address;

/** Nothing here is verified: that is for whoever calls. */
const signed = (version: number, digit = 'a'): KeySignature => {
  return { version, scheme: 'eip191', signature: `0x${digit.repeat(130)}` };
};

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
        const key = { address: ALICE, publicKey, createdAt: now, updatedAt: now, signed: null };
        expect(await keys.put(ALICE, publicKey)).toEqual({ kind: 'stored', key, isChange: true });
        expect(await keys.get(ALICE)).toEqual(key);
      }
    });

    it('replaces, and remembers when the first came', async () => {
      const createdAt = clock.now();
      await keys.put(ALICE, 'old');
      clock.advance(1000);
      await keys.put(ALICE, 'new');
      expect(await keys.get(ALICE)).toEqual({
        address: ALICE,
        publicKey: 'new',
        createdAt,
        updatedAt: clock.now(),
        signed: null,
      });
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
      expect(await keys.put(ALICE, 'a')).toMatchObject({ key: { createdAt: clock.now() } });
    });

    it('says whether what was put is another key than before', async () => {
      expect(await keys.put(ALICE, 'a')).toMatchObject({ isChange: true });
      expect(await keys.put(ALICE, 'a')).toMatchObject({ isChange: false });
      expect(await keys.put(ALICE, 'a', signed(1))).toMatchObject({ isChange: true });
    });

    describe('once a key was signed', () => {
      beforeEach(async () => {
        await keys.put(ALICE, 'unsigned');
        expect(await keys.put(ALICE, 'first', signed(3))).toMatchObject({ kind: 'stored', isChange: true });
      });

      it('gives its signature, scheme and version back', async () => {
        expect(await keys.get(ALICE)).toMatchObject({ publicKey: 'first', signed: signed(3) });
        expect(await keys.getMany([ALICE])).toMatchObject([{ signed: signed(3) }]);
        expect(await keys.count()).toBe(1);
      });

      it('takes no unsigned one, and no version that does not rise', async () => {
        clock.advance(1000);
        expect(await keys.put(ALICE, 'other')).toEqual({ kind: 'unsigned' });
        expect(await keys.put(ALICE, 'first')).toEqual({ kind: 'unsigned' });
        expect(await keys.put(ALICE, 'other', signed(2))).toEqual({ kind: 'stale' });
        expect(await keys.put(ALICE, 'other', signed(3))).toEqual({ kind: 'stale' });
        expect(await keys.get(ALICE)).toMatchObject({ publicKey: 'first', updatedAt: clock.now() - 1000 });
        expect(await keys.put(BOB, 'of somebody else')).toMatchObject({ kind: 'stored' });
      });

      it('takes the next version, however far', async () => {
        for (const version of [4, 10, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER]) {
          expect(await keys.put(ALICE, `key ${version}`, signed(version))).toMatchObject({ kind: 'stored' });
          expect(await keys.get(ALICE)).toMatchObject({ publicKey: `key ${version}`, signed: signed(version) });
        }
        expect(await keys.put(ALICE, 'late', signed(10))).toEqual({ kind: 'stale' });
      });

      it('answers the newest once more as the first time, whatever its signature', async () => {
        const first = await keys.get(ALICE);
        clock.advance(1000);
        expect(await keys.put(ALICE, 'first', signed(3, 'b'))).toEqual({ kind: 'repeat', key: first });
        expect(await keys.get(ALICE)).toEqual(first);
      });

      it('stays so when the key is deleted: no older one can come after it, nor an unsigned one', async () => {
        expect(await keys.delete(ALICE)).toBe(true);
        expect(await keys.delete(ALICE)).toBe(false);
        expect(await keys.get(ALICE)).toBeNull();
        expect(await keys.getMany([ALICE])).toEqual([]);
        expect(await keys.count()).toBe(0);
        expect(await keys.put(ALICE, 'unsigned')).toEqual({ kind: 'unsigned' });
        expect(await keys.put(ALICE, 'first', signed(3))).toEqual({ kind: 'stale' });
        clock.advance(1000);
        const key = { createdAt: clock.now(), updatedAt: clock.now() };
        expect(await keys.put(ALICE, 'second', signed(4))).toMatchObject({ kind: 'stored', key });
        expect(await keys.count()).toBe(1);
      });

      it('lets one of many at once have a version', async () => {
        const puts = Array.from({ length: 20 }, (_, i) => keys.put(ALICE, `key ${i}`, signed(4)));
        const kinds = (await Promise.all(puts)).map(({ kind }) => kind);
        expect(kinds.filter((kind) => kind === 'stored')).toHaveLength(1);
        expect(kinds.filter((kind) => kind === 'stale')).toHaveLength(19);
      });
    });
  });
}
