import type { Address } from '@relay/protocol';
import { type ContactRepository, MAX_KNOWN, MAX_LISTED } from '../../src/contacts/contact.repository.js';
import type { ManualClock } from '../support/manual-clock.js';
import { addressOf } from '../support/classic-client.js';

export interface ContactsUnderTest {
  readonly contacts: ContactRepository;
  readonly clock: ManualClock;
  readonly close: () => Promise<void>;
}

const ALICE = addressOf(1) as Address;
const BOB = addressOf(2) as Address;
const CAROL = addressOf(3) as Address;
const many = (count: number): Address[] => Array.from({ length: count }, (_, i) => addressOf(0x100000 + i) as Address);

/** The rules of `ContactRepository`, for every implementation. */
export function contactContract(name: string, open: () => Promise<ContactsUnderTest>): void {
  describe(`ContactRepository: ${name}`, () => {
    let contacts: ContactRepository;
    let clock: ManualClock;
    let close: () => Promise<void>;

    beforeEach(async () => {
      ({ contacts, clock, close } = await open());
    });

    afterEach(() => close());

    const blocked = async (owner: Address): Promise<Address[]> => [...(await contacts.blockedBy([owner]))[0]!];
    const allowed = async (owner: Address) => (await contacts.page('allowed', owner, null, 100)).addresses;

    it('puts on a list, and says whether that is news', async () => {
      expect(await contacts.put('blocked', ALICE, BOB)).toBe(true);
      expect(await contacts.put('blocked', ALICE, BOB)).toBe(false);
      expect(await blocked(ALICE)).toEqual([BOB]);
      expect(await blocked(BOB)).toEqual([]);
    });

    it('takes off a list, and says whether it was there', async () => {
      await contacts.put('blocked', ALICE, BOB);
      expect(await contacts.remove('blocked', ALICE, CAROL)).toBe(false);
      expect(await contacts.remove('blocked', ALICE, BOB)).toBe(true);
      expect(await contacts.remove('blocked', ALICE, BOB)).toBe(false);
      expect(await blocked(ALICE)).toEqual([]);
    });

    it('has nobody on both lists: the last word counts', async () => {
      await contacts.put('blocked', ALICE, BOB);
      await contacts.put('allowed', ALICE, BOB);
      expect(await blocked(ALICE)).toEqual([]);
      expect(await allowed(ALICE)).toEqual([BOB]);
      await contacts.put('blocked', ALICE, BOB);
      expect(await blocked(ALICE)).toEqual([BOB]);
      expect(await allowed(ALICE)).toEqual([]);
    });

    it('answers for several owners in their order', async () => {
      await contacts.put('blocked', ALICE, BOB);
      await contacts.put('blocked', CAROL, ALICE);
      const sets = await contacts.blockedBy([CAROL, BOB, ALICE]);
      expect(sets.map((set) => [...set])).toEqual([[ALICE], [], [BOB]]);
    });

    it('tells by its revisions whose block list may have changed, whichever way', async () => {
      const changes = [
        () => contacts.put('blocked', ALICE, BOB),
        () => contacts.put('allowed', ALICE, BOB),
        () => contacts.put('blocked', ALICE, CAROL),
        () => contacts.remove('blocked', ALICE, CAROL),
      ];
      for (const change of changes) {
        const before = await contacts.revisions();
        await change();
        expect(contacts.mayDiffer(ALICE, before, await contacts.revisions())).toBe(true);
      }
    });

    it('has the same revisions where no block list changed', async () => {
      await contacts.put('blocked', ALICE, BOB);
      const before = await contacts.revisions();
      await contacts.put('blocked', ALICE, BOB);
      await contacts.put('allowed', ALICE, CAROL);
      await contacts.remove('allowed', ALICE, CAROL);
      await contacts.remove('blocked', ALICE, CAROL);
      await contacts.know(ALICE, [CAROL]);
      expect(contacts.mayDiffer(ALICE, before, await contacts.revisions())).toBe(false);
    });

    it('pages through a list, each address once', async () => {
      const peers = many(25);
      for (const peer of peers) await contacts.put('allowed', ALICE, peer);
      const found: Address[] = [];
      for (let after: Address | null = null; ;) {
        const page = await contacts.page('allowed', ALICE, after, 10);
        found.push(...page.addresses);
        if (page.next === null) break;
        expect(page.addresses).toHaveLength(10);
        after = page.next;
      }
      expect(found).toEqual([...peers].sort());
    });

    it('refuses more than a list may hold, each list by itself, and takes again once there is room', async () => {
      const peers = many(MAX_LISTED);
      await Promise.all(peers.map((peer) => contacts.put('blocked', ALICE, peer)));
      await expect(contacts.put('blocked', ALICE, BOB)).rejects.toMatchObject({ code: 'too_large' });
      expect(await contacts.put('blocked', ALICE, peers[0]!)).toBe(false);
      expect(await contacts.put('allowed', ALICE, BOB)).toBe(true);
      await contacts.remove('blocked', ALICE, peers[0]!);
      expect(await contacts.put('blocked', ALICE, BOB)).toBe(true);
    });

    it('knows whom it was told of, one way only', async () => {
      expect(await contacts.isKnown(ALICE, BOB)).toBe(false);
      await contacts.know(ALICE, [BOB, CAROL]);
      expect(await contacts.isKnown(ALICE, BOB)).toBe(true);
      expect(await contacts.isKnown(ALICE, CAROL)).toBe(true);
      expect(await contacts.isKnown(BOB, ALICE)).toBe(false);
    });

    it('knows who is allowed, as long as that is so', async () => {
      await contacts.put('allowed', ALICE, BOB);
      expect(await contacts.isKnown(ALICE, BOB)).toBe(true);
      await contacts.remove('allowed', ALICE, BOB);
      expect(await contacts.isKnown(ALICE, BOB)).toBe(false);
    });

    it('forgets the longest unused where it knows too many', async () => {
      await contacts.know(ALICE, [BOB]);
      clock.advance(1);
      await contacts.know(ALICE, [CAROL]);
      clock.advance(1);
      const peers = many(MAX_KNOWN - 1);
      for (let i = 0; i < peers.length; i += 1000) await contacts.know(ALICE, peers.slice(i, i + 1000));
      expect(await contacts.isKnown(ALICE, BOB)).toBe(false);
      expect(await contacts.isKnown(ALICE, CAROL)).toBe(true);
      expect(await contacts.isKnown(ALICE, peers.at(-1)!)).toBe(true);
    });
  });
}
