import type { Address } from '@relay/protocol';
import { type BanRepository, MAX_BANS } from '../../src/bans/ban.repository.js';
import { addressOf } from '../support/classic-client.js';
import type { ManualClock } from '../support/manual-clock.js';

export interface BansUnderTest {
  readonly bans: BanRepository;
  readonly clock: ManualClock;
  readonly close: () => Promise<void>;
}

const ALICE = addressOf(1) as Address;
const BOB = addressOf(2) as Address;

/** The rules of `BanRepository`, for every implementation. */
export function banContract(name: string, open: () => Promise<BansUnderTest>): void {
  describe(`BanRepository: ${name}`, () => {
    let bans: BanRepository;
    let clock: ManualClock;
    let close: () => Promise<void>;

    beforeEach(async () => {
      ({ bans, clock, close } = await open());
    });

    afterEach(() => close());

    const all = async () => [...(await bans.since(null))!.bans];

    it('bans nobody at first', async () => {
      expect(await all()).toEqual([]);
    });

    it('puts an address on the list with a note, and says whether that is news', async () => {
      const at = clock.now();
      expect(await bans.put(ALICE, 'spam: says "hello world" \u00e4 0 5')).toBe(true);
      clock.advance(1_000);
      expect(await bans.put(BOB, '')).toBe(true);
      expect(await all()).toEqual([
        [ALICE, { at, note: 'spam: says "hello world" \u00e4 0 5' }],
        [BOB, { at: at + 1_000, note: '' }],
      ]);
    });

    it('replaces the note of one that is known, and keeps its time', async () => {
      const at = clock.now();
      await bans.put(ALICE, 'first');
      clock.advance(60_000);
      expect(await bans.put(ALICE, 'second')).toBe(false);
      expect(await all()).toEqual([[ALICE, { at, note: 'second' }]]);
    });

    it('takes an address off, and says whether it was there', async () => {
      await bans.put(ALICE, '');
      expect(await bans.remove(BOB)).toBe(false);
      expect(await bans.remove(ALICE)).toBe(true);
      expect(await bans.remove(ALICE)).toBe(false);
      expect(await all()).toEqual([]);
    });

    it('gives the list where it has changed since a mark, and nothing where it has not', async () => {
      const { mark: empty } = (await bans.since(null))!;
      expect(await bans.since(empty)).toBeNull();
      await bans.put(ALICE, '');
      const one = (await bans.since(empty))!;
      expect([...one.bans.keys()]).toEqual([ALICE]);
      expect(await bans.since(one.mark)).toBeNull();
      await bans.put(ALICE, 'now with a reason');
      const noted = (await bans.since(one.mark))!;
      expect(noted.bans.get(ALICE)?.note).toBe('now with a reason');
      await bans.remove(ALICE);
      const none = (await bans.since(noted.mark))!;
      expect([...none.bans]).toEqual([]);
      expect(await bans.since(none.mark)).toBeNull();
      expect(await bans.since('of another store')).not.toBeNull();
    });

    it('does not change what it gave out', async () => {
      await bans.put(ALICE, '');
      const { bans: given } = (await bans.since(null))!;
      await bans.put(BOB, '');
      await bans.remove(ALICE);
      expect([...given.keys()]).toEqual([ALICE]);
    });

    it('has a bound: beyond it nobody new, but a new note for who is there', async () => {
      for (let first = 0; first < MAX_BANS; first += 500) {
        const some = Array.from({ length: 500 }, (_, i) => addressOf(0x100000 + first + i) as Address);
        await Promise.all(some.map((address) => bans.put(address, '')));
      }
      await expect(bans.put(ALICE, '')).rejects.toMatchObject({ code: 'too_large' });
      expect(await bans.put(addressOf(0x100000) as Address, 'still')).toBe(false);
      await bans.remove(addressOf(0x100001) as Address);
      expect(await bans.put(ALICE, '')).toBe(true);
      expect((await all()).length).toBe(MAX_BANS);
    });
  });
}
