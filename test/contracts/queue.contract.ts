import type { Address } from '@relay/protocol';
import type { ContactRepository } from '../../src/contacts/contact.repository.js';
import type { EntryId } from '../../src/queue/entry-id.js';
import { sequenceOf } from '../../src/queue/entry-id.js';
import type {
  Acknowledged,
  Appended,
  MailboxLimits,
  MessageEntry,
  NewMessage,
  QueueRepository,
} from '../../src/queue/queue.repository.js';
import { addressOf } from '../support/classic-client.js';
import type { ManualClock } from '../support/manual-clock.js';
import { ALICE, BOB, BOX, HOUR_MS, message } from '../support/one-mailbox.js';

export interface QueueUnderTest {
  /** Of the same store. */
  readonly contacts: ContactRepository;
  readonly queue: QueueRepository;
  readonly clock: ManualClock;
  /** How many parts `checkLedger` goes round. */
  readonly ledgerParts: number;
  readonly close: () => Promise<void>;
}

/** What every adapter is opened with. */
export const CONTRACT = { retentionMs: HOUR_MS, maxReceipts: 20, maxDevices: 4, historyMs: 0 } as const;

const ROOMY: MailboxLimits = { maxMessages: 1000, maxBytes: 1_000_000, senderShare: 1, overflow: 'reject' };

/** The rules of `QueueRepository`, for every implementation. */
export function queueContract(
  name: string,
  open: (options: Partial<Record<keyof typeof CONTRACT, number>>) => Promise<QueueUnderTest>,
): void {
  describe(`QueueRepository: ${name}`, () => {
    let queue: QueueRepository;
    let contacts: ContactRepository;
    let clock: ManualClock;
    let ledgerParts: number;
    let close: () => Promise<void>;

    beforeEach(async () => {
      ({ queue, contacts, clock, ledgerParts, close } = await open({}));
    });

    afterEach(() => close());

    const append = async (messageId: string, more: Partial<NewMessage> = {}, limits = ROOMY): Promise<Appended> =>
      queue.append(BOX, message(messageId, more), limits);

    /** Appends and insists that it was stored. */
    async function store(messageId: string, more: Partial<NewMessage> = {}, limits = ROOMY): Promise<MessageEntry> {
      const appended = await append(messageId, more, limits);
      if (appended.kind !== 'stored') throw new Error(`${messageId} was not stored: ${JSON.stringify(appended)}`);
      return appended.entry;
    }

    async function storeMany(count: number, prefix = 'm', more: Partial<NewMessage> = {}, limits = ROOMY) {
      const entries: MessageEntry[] = [];
      for (let i = 1; i <= count; i++) entries.push(await store(`${prefix}${i}`, more, limits));
      return entries;
    }

    const readIds = async (after: EntryId | null = null): Promise<string[]> =>
      (await queue.read(BOX, after, 10_000, Infinity)).entries.map(({ messageId }) => messageId);

    async function acknowledge(device: string, upTo: EntryId, keepAfter?: EntryId | null) {
      const result = await queue.acknowledge(BOX, { device, upTo, keepAfter });
      if (result.kind !== 'acknowledged') throw new Error(`refused: ${result.kind}`);
      return result;
    }

    /** One pass over all mailboxes; returns the receipts that it made due. */
    async function purge() {
      const found = [];
      while (await queue.purge());
      for (let owed = await queue.owed(); owed.length > 0; owed = await queue.owed()) {
        await queue.settle(owed.map((one) => one.owed));
        found.push(...owed.flatMap(({ receipts }) => receipts));
      }
      return found.map(({ to, receipt: { kind, peer, messageId } }) => ({ to, kind, peer, messageId }));
    }

    const expiredReceipt = (messageId: string, to = ALICE) => ({ to, kind: 'expired', peer: BOX, messageId });

    async function expectBalance(expected: Record<string, number>): Promise<void> {
      const ledger = await queue.ledger();
      expect(ledger).toMatchObject(expected);
      const { accepted, acknowledged, expired, dropped, pending } = ledger;
      expect(acknowledged + expired + dropped + pending).toBe(accepted);
    }

    /** In all parts, each looked at once. */
    async function ledgerImbalance(): Promise<number> {
      let imbalance = 0;
      for (let left = ledgerParts; left > 0;) {
        const check = await queue.checkLedger();
        if (check === null) throw new Error('nobody looks but us');
        expect(check.skipped).toBe(0);
        left -= check.checked;
        imbalance = check.imbalance;
      }
      return imbalance;
    }

    it('finds nothing that the ledger does not account for, whatever happened to the messages', async () => {
      const few = { ...ROOMY, maxMessages: 3, overflow: 'drop_oldest' } as const;
      await queue.open(BOX, 'phone');
      for (const id of ['m1', 'm2', 'm3', 'm4']) await store(id, {}, few);
      await store('short', { ttlMs: 10 }, few);
      const [first] = (await queue.read(BOX, null, 1, Infinity)).entries;
      await acknowledge('phone', first!.id);
      await queue.append(BOB, message('elsewhere'), ROOMY);
      expect(await ledgerImbalance()).toBe(0);
      clock.advance(10);
      await purge();
      await queue.clear(BOX);
      expect(await ledgerImbalance()).toBe(0);
      await expectBalance({ accepted: 6, acknowledged: 1, expired: 1, pending: 1 });
    });

    it('says when a mailbox has four fifths of what may wait, in messages or bytes', async () => {
      const isNearlyFull = async (id: string, limits: MailboxLimits, content = 'x') => {
        const appended = await append(id, { content }, limits);
        return appended.kind === 'stored' ? appended.isNearlyFull : appended.kind;
      };
      const five = { ...ROOMY, maxMessages: 5 };
      const byMessages = [];
      for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) byMessages.push(await isNearlyFull(id, five));
      expect(byMessages).toEqual([false, false, false, true, true, 'refused']);
      await queue.clear(BOX);
      const bytes = { ...ROOMY, maxBytes: 100 };
      expect(await isNearlyFull('g', bytes, 'x'.repeat(79))).toBe(false);
      expect(await isNearlyFull('h', bytes)).toBe(true);
      // A repeat is not stored again.
      expect(await isNearlyFull('h', bytes)).toBe('repeat');
    });

    describe('a blocked sender', () => {
      const BLOCKED = { kind: 'blocked' };
      const CONFLICT = { kind: 'refused', code: 'id_conflict' };

      it('is told nothing and nothing of it is stored, from the next message on, until it is blocked no more', async () => {
        await store('before', { from: BOB });
        await contacts.put('blocked', BOX, BOB);
        expect(await append('m1', { from: BOB })).toEqual(BLOCKED);
        await store('of-alice');
        expect(await readIds()).toEqual(['before', 'of-alice']);
        expect(await queue.size(BOX)).toBe(2);
        await expectBalance({ accepted: 2, pending: 2 });
        await contacts.remove('blocked', BOX, BOB);
        await store('m1', { from: BOB });
        expect(await readIds()).toEqual(['before', 'of-alice', 'm1']);
      });

      it('is kept out of a mailbox that never had anything', async () => {
        await contacts.put('blocked', BOX, BOB);
        expect(await append('m1', { from: BOB })).toEqual(BLOCKED);
        await store('m2');
        expect(await append('m3', { from: BOB })).toEqual(BLOCKED);
        expect(await readIds()).toEqual(['m2']);
      });

      it('is kept out once the state of the mailbox was forgotten', async () => {
        const { id } = await store('m1');
        await queue.open(BOX, 'phone');
        await acknowledge('phone', id);
        await contacts.put('blocked', BOX, BOB);
        clock.advance(CONTRACT.retentionMs + 3 * 3_600_000);
        await purge();
        await queue.open(BOX, 'phone');
        expect(await append('m2', { from: BOB })).toEqual(BLOCKED);
      });

      it('gets the answers that everybody gets: to a repeat, and to other content with the same id', async () => {
        const { id } = await store('early', { from: BOB });
        await queue.open(BOX, 'phone');
        await acknowledge('phone', id);
        await contacts.put('blocked', BOX, BOB);
        for (let i = 0; i < 3; i++) expect(await append('late', { from: BOB })).toEqual(BLOCKED);
        expect(await append('late', { from: BOB, content: 'other' })).toEqual(CONFLICT);
        expect(await append('early', { from: BOB })).toEqual({ kind: 'repeat', id, acknowledged: true });
        expect(await append('early', { from: BOB, content: 'other' })).toEqual(CONFLICT);
      });

      it('hears that its messages expired, when those of everybody would: not before, and once', async () => {
        await contacts.put('blocked', BOX, BOB);
        await append('short', { from: BOB, ttlMs: 1_000 });
        await append('long', { from: BOB, ttlMs: 60_000 });
        clock.advance(999);
        expect(await purge()).toEqual([]);
        clock.advance(1);
        expect(await purge()).toEqual([expiredReceipt('short', BOB)]);
        expect(await append('short', { from: BOB })).toEqual(BLOCKED);
        expect(await append('short', { from: BOB, content: 'other' })).toEqual(CONFLICT);
        clock.advance(60_000);
        expect(await purge()).toEqual([expiredReceipt('long', BOB)]);
        expect(await purge()).toEqual([]);
        await expectBalance({ accepted: 0, expired: 0, pending: 0 });
      });

      it('hears of them too where others wait in the mailbox, and after the block has ended', async () => {
        await store('of-alice', { ttlMs: 1_000 });
        await contacts.put('blocked', BOX, BOB);
        await append('m1', { from: BOB, ttlMs: 2_000 });
        await contacts.remove('blocked', BOX, BOB);
        clock.advance(2_000);
        const found = await purge();
        expect(found).toHaveLength(2);
        expect(found).toEqual(expect.arrayContaining([expiredReceipt('of-alice'), expiredReceipt('m1', BOB)]));
        await store('m2', { from: BOB });
      });

      it('hears nothing of what it sent again and is stored, or of what the owner drops', async () => {
        await contacts.put('blocked', BOX, BOB);
        for (const id of ['m1', 'm2', 'm3']) await append(id, { from: BOB, ttlMs: 1_000 });
        await contacts.remove('blocked', BOX, BOB);
        await store('m1', { from: BOB });
        clock.advance(1_000);
        expect((await purge()).map(({ messageId }) => messageId).sort()).toEqual(['m2', 'm3']);
        await contacts.put('blocked', BOX, BOB);
        await append('m4', { from: BOB, ttlMs: 1_000 });
        await queue.clear(BOX);
        clock.advance(1_000);
        expect(await purge()).toEqual([]);
      });

      it('is not told who took what it sent before, by any way, and hears that it expired', async () => {
        const read = await store('read', { from: BOB, ttlMs: 1_000 });
        await queue.markRead(BOX, BOB, 'read');
        const entry = await store('before', { from: BOB, ttlMs: 1_000 });
        const other = await store('of-alice');
        await queue.open(BOX, 'phone');
        await contacts.put('blocked', BOX, BOB);
        const result = await queue.acknowledge(BOX, {
          device: 'phone',
          upTo: other.id,
          messages: [[read, entry, other]],
        });
        expect(result).toMatchObject({ kind: 'acknowledged', before: 0 });
        expect([...(result.kind === 'acknowledged' ? result.silent : [])].sort()).toEqual([
          read.sequence,
          entry.sequence,
        ]);
        expect(await append('before', { from: BOB })).toEqual({ kind: 'repeat', id: entry.id, acknowledged: false });
        expect(await append('read', { from: BOB })).toEqual({ kind: 'repeat', id: read.id, acknowledged: true });
        expect(await queue.markRead(BOX, BOB, 'before')).toEqual({ kind: 'unknown' });
        await expectBalance({ accepted: 3, acknowledged: 3, pending: 0 });
        clock.advance(1_000);
        expect(await purge()).toEqual([expiredReceipt('before', BOB)]);
        expect(await append('before', { from: BOB })).toMatchObject({ kind: 'repeat', acknowledged: false });
      });

      it('may hear afterwards, by a repeat or when it is read, what was taken meanwhile, and then not that it expired', async () => {
        const entries = [await store('m1', { from: BOB }), await store('m2', { from: BOB })];
        await queue.open(BOX, 'phone');
        await contacts.put('blocked', BOX, BOB);
        await acknowledge('phone', entries[1]!.id);
        await contacts.remove('blocked', BOX, BOB);
        expect(await append('m1', { from: BOB })).toMatchObject({ kind: 'repeat', acknowledged: true });
        const mark = await queue.markRead(BOX, BOB, 'm2');
        expect(mark).toMatchObject({ kind: 'marked', wasAcknowledged: false });
        if (mark.kind === 'marked' && mark.owed !== null) await queue.settle([mark.owed]);
        clock.advance(HOUR_MS);
        expect(await purge()).toEqual([]);
      });

      /** What everybody is answered who sends these to an owner that stays away, and who blocks nobody, or the sender. */
      async function answers(limits: MailboxLimits, isBlocked: boolean, count: number, content?: string) {
        const box = addressOf(isBlocked ? 0x200001 : 0x200002) as Address;
        const send = async (i: number, from = BOB): Promise<Appended> =>
          queue.append(box, message(`m${i}`, { from, ...(content === undefined ? {} : { content }) }), limits);
        const known = ({ kind, ...more }: Appended) =>
          'code' in more ? more.code : kind === 'refused' ? '' : 'queued';
        for (let i = 0; i < 3; i++) await send(i);
        if (isBlocked) await contacts.put('blocked', box, BOB);
        // Somebody else is there too.
        await queue.append(box, message('of-alice'), limits);
        const given = [];
        for (let i = 0; i < count; i++) given.push(known(await send(i)));
        clock.advance(HOUR_MS);
        for (let i = count; i < count + 3; i++) given.push(known(await send(i)));
        return { given, ofAlice: known(await queue.append(box, message('last'), limits)) };
      }
      const SMALL: MailboxLimits = { maxMessages: 20, maxBytes: 1_000, senderShare: 0.5, overflow: 'reject' };

      it.each([
        ['as a stranger', { ...SMALL, maxStrangerMessages: 5 }, undefined],
        ['beyond its share', SMALL, undefined],
        ['beyond its share of bytes', SMALL, 'x'.repeat(110)],
        ['with a full mailbox', { ...SMALL, senderShare: 1 }, undefined],
        ['with too much at once', { ...SMALL, senderShare: 1 }, 'x'.repeat(1_001)],
        ['where the oldest gives way', { ...SMALL, overflow: 'drop_oldest' }, undefined],
      ] as const)('is refused what everybody would be refused, as long: %s', async (_, limits, content) => {
        const usual = await answers(limits, false, 25, content);
        expect((await answers(limits, true, 25, content)).given).toEqual(usual.given);
      });

      it('takes no room from anybody', async () => {
        await contacts.put('blocked', BOX, BOB);
        for (let i = 0; i < 30; i++) await append(`m${i}`, { from: BOB }, { ...SMALL, overflow: 'drop_oldest' });
        await storeMany(20, 'a', {}, { ...SMALL, senderShare: 1 });
      });

      it('leaves a bounded trace, however much it sends', async () => {
        const FEW: MailboxLimits = { ...ROOMY, maxMessages: 20, overflow: 'drop_oldest' };
        await contacts.put('blocked', BOX, BOB);
        await append('first', { from: BOB }, FEW);
        for (let i = 0; i < 2_000; i++) await append(`m${i}`, { from: BOB }, FEW);
        // The first is forgotten: it would be no conflict. The last 512 are not.
        expect(await append('first', { from: BOB, content: 'other' }, FEW)).toEqual(BLOCKED);
        expect(await append('m1500', { from: BOB, content: 'other' }, FEW)).toEqual(CONFLICT);
      });
    });

    describe('strangers', () => {
      const limits: MailboxLimits = {
        maxMessages: 100,
        maxBytes: 100_000,
        senderShare: 0.5,
        overflow: 'reject',
        maxStrangerMessages: 5,
      };
      const REFUSED = { kind: 'refused', code: 'stranger_share_full' };
      const stranger = (n: number): Address => addressOf(0x100000 + n) as Address;

      it('may have so many messages waiting, each', async () => {
        await storeMany(5, 'a', {}, limits);
        expect(await append('a6', {}, limits)).toEqual(REFUSED);
        expect(await append('a5', { content: 'content of a5' }, limits)).toMatchObject({ kind: 'repeat' });
        await storeMany(5, 'b', { from: BOB }, limits);
        expect(await append('b6', { from: BOB }, limits)).toEqual(REFUSED);
      });

      it('may go on once theirs were acknowledged', async () => {
        const entries = await storeMany(5, 'a', {}, limits);
        expect(await append('a6', {}, limits)).toEqual(REFUSED);
        await queue.open(BOX, 'phone');
        await acknowledge('phone', entries[1]!.id);
        await storeMany(2, 'later', {}, limits);
        expect(await append('a6', {}, limits)).toEqual(REFUSED);
      });

      it.each(['know', 'allow'])(
        'are none any more once the owner does %s them, and what waits of theirs does not count',
        async (how) => {
          await storeMany(5, 'a', {}, limits);
          for (let n = 1; n <= 9; n++) await storeMany(5, `s${n}-`, { from: stranger(n) }, limits);
          expect(await append('a6', {}, limits)).toEqual(REFUSED);
          expect(await append('b1', { from: BOB }, limits)).toEqual(REFUSED);
          if (how === 'know') await contacts.know(BOX, [ALICE]);
          else await contacts.put('allowed', BOX, ALICE);
          await store('a6', {}, limits);
          if (how === 'know') await storeMany(5, 'b', { from: BOB }, limits);
        },
      );

      it('have one share of the mailbox among them, and contacts the rest', async () => {
        await contacts.know(BOX, [ALICE]);
        let accepted = 0;
        for (let n = 1; n <= 1000; n++) {
          const result = await append(`m${n}`, { from: stranger(n) }, limits);
          if (result.kind === 'stored') accepted++;
          else expect(result).toEqual(REFUSED);
        }
        expect(accepted).toBe(50);
        await storeMany(50, 'of-alice', {}, limits);
        expect(await append('one-more', {}, limits)).toEqual({ kind: 'refused', code: 'mailbox_full' });
      });

      it('have one share of its bytes', async () => {
        await contacts.know(BOX, [ALICE]);
        const content = 'x'.repeat(9_000);
        const results = [];
        for (let n = 1; n <= 20; n++) results.push(await append(`m${n}`, { from: stranger(n), content }, limits));
        expect(results.filter(({ kind }) => kind === 'stored')).toHaveLength(5);
        expect(results.at(-1)).toEqual(REFUSED);
        for (let n = 1; n <= 5; n++) await store(`a${n}`, { content }, limits);
      });

      it('drop nothing to make room for themselves', async () => {
        const dropping: MailboxLimits = { ...limits, overflow: 'drop_oldest' };
        const ids = (await storeMany(5, 'a', {}, dropping)).map(({ messageId }) => messageId);
        expect(await append('a6', {}, dropping)).toEqual(REFUSED);
        expect(await readIds()).toEqual(ids);
      });

      it('may be kept out altogether', async () => {
        const closed: MailboxLimits = { ...limits, maxStrangerMessages: 0 };
        expect(await append('a1', {}, closed)).toEqual(REFUSED);
        await contacts.know(BOX, [ALICE]);
        await store('a1', {}, closed);
      });

      it('are nobody where it is not asked', async () => {
        const open: MailboxLimits = { ...limits, maxStrangerMessages: undefined };
        await storeMany(50, 'a', {}, open);
        expect(await append('a51', {}, open)).toEqual({ kind: 'refused', code: 'sender_share_full' });
      });
    });

    describe('append', () => {
      it('gives back what it was given, in the order of the calls', async () => {
        const stored = await Promise.all([store('one'), store('two', { from: BOB }), store('three')]);
        const { entries } = await queue.read(BOX, null, 10, Infinity);
        expect(entries).toEqual(stored);
        expect(entries[1]).toMatchObject({
          kind: 'message',
          from: BOB,
          messageId: 'two',
          content: 'content of two',
          timestamp: 5,
          queuedAt: clock.now(),
        });
      });

      it('keeps any content as it is: empty lines, quotes, NUL, emoji and lone surrogates', async () => {
        const content = '\n"\\\u0000 ключ 🔑 \ud800';
        await store('odd', { content });
        const { entries } = await queue.read(BOX, null, 10, Infinity);
        expect(entries[0]).toMatchObject({ content });
      });

      it('numbers entries without a hole, and ids rise even when the clock goes back', async () => {
        const first = await store('one');
        clock.jump(-HOUR_MS);
        const second = await store('two');
        expect(second.sequence).toBe(first.sequence + 1);
        expect(sequenceOf(second.id)).toBe(second.sequence);
        expect(Number(second.id.split('-')[0])).toBeGreaterThanOrEqual(Number(first.id.split('-')[0]));
      });

      it('keeps mailboxes apart', async () => {
        await store('one');
        await queue.append(BOB, message('two'), ROOMY);
        expect(await readIds()).toEqual(['one']);
        expect(await queue.size(BOB)).toBe(1);
      });
    });

    describe('a repeat', () => {
      it('is stored once and answered with the first id', async () => {
        const { id } = await store('one');
        expect(await append('one')).toEqual({ kind: 'repeat', id, acknowledged: false });
        expect(await readIds()).toEqual(['one']);
      });

      it('is stored once when fifty come at the same time', async () => {
        const results = await Promise.all(Array.from({ length: 50 }, () => append('one')));
        expect(results.filter(({ kind }) => kind === 'stored')).toHaveLength(1);
        expect(await queue.size(BOX)).toBe(1);
      });

      it('says whether a device has acknowledged the message since', async () => {
        const { id } = await store('one');
        await acknowledge('phone', id);
        expect(await append('one')).toEqual({ kind: 'repeat', id, acknowledged: true });
        expect(await readIds()).toEqual([]);
      });

      it('counts as acknowledged once its recipient has said that it was read', async () => {
        const { id } = await store('one');
        await queue.markRead(BOX, ALICE, 'one');
        expect(await append('one')).toEqual({ kind: 'repeat', id, acknowledged: true });
      });

      it('with other content is refused and stores nothing', async () => {
        await store('one');
        expect(await append('one', { content: 'other' })).toEqual({ kind: 'refused', code: 'id_conflict' });
        expect(await readIds()).toEqual(['one']);
      });

      it('of another sender is another message', async () => {
        await store('one');
        await store('one', { from: BOB });
        expect(await readIds()).toEqual(['one', 'one']);
      });

      it('is still known after 512 later messages, acknowledged or not', async () => {
        const first = await store('first');
        for (let i = 1; i <= 511; i++) await acknowledge('phone', (await store(`m${i}`)).id);
        expect(await append('first')).toEqual({ kind: 'repeat', id: first.id, acknowledged: true });
      });

      it('is known for as long as the message waits, however many came later', async () => {
        const { id } = await store('first');
        await storeMany(999);
        expect(await append('first')).toEqual({ kind: 'repeat', id, acknowledged: false });
      });

      it('is answered as a repeat even when the mailbox is full by now', async () => {
        const limits = { ...ROOMY, maxMessages: 1 };
        await store('one', {}, limits);
        expect(await append('one', {}, limits)).toMatchObject({ kind: 'repeat' });
      });

      it('is never said to be acknowledged where the message expired, though later ones were acknowledged', async () => {
        await store('short', { ttlMs: 10 });
        clock.advance(10);
        const { id } = await store('long');
        await acknowledge('phone', id);
        expect(await append('short')).toMatchObject({ kind: 'repeat', acknowledged: false });
      });
    });

    describe('a full mailbox', () => {
      const five: MailboxLimits = { ...ROOMY, maxMessages: 5 };

      it('refuses the message beyond the bound, and drops nothing', async () => {
        await storeMany(5, 'm', {}, five);
        expect(await append('m6', {}, five)).toEqual({ kind: 'refused', code: 'mailbox_full' });
        expect(await readIds()).toEqual(['m1', 'm2', 'm3', 'm4', 'm5']);
        await expectBalance({ accepted: 5, pending: 5, dropped: 0 });
      });

      it('refuses by bytes of UTF-8, not by characters', async () => {
        const limits = { ...ROOMY, maxBytes: 10 };
        await store('one', { content: 'ключ' }, limits);
        expect(await append('two', { content: 'abc' }, limits)).toMatchObject({ code: 'mailbox_full' });
        await store('three', { content: 'ab' }, limits);
      });

      it('has room again for as much as was acknowledged', async () => {
        const [, second] = await storeMany(5, 'm', {}, five);
        await acknowledge('phone', second!.id);
        await storeMany(2, 'n', {}, five);
        expect(await append('n3', {}, five)).toMatchObject({ code: 'mailbox_full' });
      });

      it('has room again once messages expired', async () => {
        await storeMany(5, 'm', { ttlMs: 10 }, five);
        clock.advance(10);
        await storeMany(5, 'n', {}, five);
      });

      it('never lets two senders past the bound at the same time', async () => {
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, i) => append(`m${i}`, { from: i % 2 === 0 ? ALICE : BOB }, five)),
        );
        expect(results.filter(({ kind }) => kind === 'stored')).toHaveLength(5);
      });

      it('keeps half of itself for others: one sender fills its share and no more', async () => {
        const limits = { ...ROOMY, maxMessages: 10, senderShare: 0.5 };
        await storeMany(5, 'a', {}, limits);
        expect(await append('a6', {}, limits)).toEqual({ kind: 'refused', code: 'sender_share_full' });
        await storeMany(5, 'b', { from: BOB }, limits);
      });

      it('counts a share by bytes too', async () => {
        const limits = { ...ROOMY, maxBytes: 100, senderShare: 0.5 };
        await store('a1', { content: 'x'.repeat(50) }, limits);
        expect(await append('a2', { content: 'x' }, limits)).toMatchObject({ code: 'sender_share_full' });
        await store('b1', { from: BOB, content: 'x'.repeat(50) }, limits);
      });

      it('drops the oldest where the operator wants that, and says how many are missing and why', async () => {
        const limits: MailboxLimits = { ...five, overflow: 'drop_oldest' };
        const entries = await storeMany(7, 'm', {}, limits);
        const page = await queue.read(BOX, null, 10, Infinity);
        expect(page.entries.map(({ messageId }) => messageId)).toEqual(['m3', 'm4', 'm5', 'm6', 'm7']);
        expect(page.droppedUpTo).toBe(entries[1]!.sequence);
        await expectBalance({ accepted: 7, pending: 5, dropped: 2 });
      });

      it('makes a sender beyond its share pay with its own oldest when dropping', async () => {
        const limits: MailboxLimits = { ...ROOMY, maxMessages: 4, senderShare: 0.5, overflow: 'drop_oldest' };
        await storeMany(2, 'b', { from: BOB }, limits);
        await storeMany(5, 'a', {}, limits);
        expect(await readIds()).toEqual(['b1', 'b2', 'a4', 'a5']);
      });

      it('refuses one message larger than the whole mailbox, whatever the policy', async () => {
        const limits: MailboxLimits = { ...ROOMY, maxBytes: 10, overflow: 'drop_oldest' };
        await store('one', { content: 'x' }, limits);
        expect(await append('two', { content: 'x'.repeat(11) }, limits)).toMatchObject({ code: 'mailbox_full' });
        expect(await readIds()).toEqual(['one']);
      });
    });

    describe('read', () => {
      it('goes on after an id, page by page, to the head', async () => {
        const entries = await storeMany(5);
        const first = await queue.read(BOX, null, 2, Infinity);
        expect(first.upTo).toBe(entries[1]!.id);
        const second = await queue.read(BOX, first.upTo, 2, Infinity);
        expect(second.entries).toEqual(entries.slice(2, 4));
        const third = await queue.read(BOX, second.upTo, 2, Infinity);
        expect(third).toMatchObject({ entries: [entries[4]], upTo: entries[4]!.id });
        expect(await queue.read(BOX, third.upTo, 2, Infinity)).toMatchObject({ entries: [], upTo: entries[4]!.id });
      });

      it('stops before a page grows beyond the bytes, but always gives one entry', async () => {
        await storeMany(3, 'm', { content: 'x'.repeat(100) });
        expect((await queue.read(BOX, null, 10, 250)).entries).toHaveLength(2);
        expect((await queue.read(BOX, null, 10, 1)).entries).toHaveLength(1);
      });

      it('removes nothing', async () => {
        await storeMany(3);
        await readIds();
        expect(await readIds()).toEqual(['m1', 'm2', 'm3']);
        expect(await queue.size(BOX)).toBe(3);
      });

      it('of an unknown mailbox is an empty page', async () => {
        expect(await queue.read(BOX, null, 10, Infinity)).toMatchObject({
          entries: [],
          upTo: null,
          droppedUpTo: 0,
          acknowledgedUpTo: 0,
        });
      });
    });

    describe('devices', () => {
      it('starts a new device at the oldest entry still owed to anybody', async () => {
        await queue.open(BOX, 'phone');
        const [first, second] = await storeMany(3);
        await acknowledge('laptop', first!.id);
        expect(await queue.open(BOX, 'tablet')).toMatchObject({ after: null });
        await acknowledge('phone', second!.id);
        await acknowledge('laptop', second!.id);
        await acknowledge('tablet', second!.id);
        const { after } = await queue.open(BOX, 'watch');
        expect(await readIds(after)).toEqual(['m3']);
      });

      it('gives a device that comes back its own place', async () => {
        await queue.open(BOX, 'phone');
        await queue.open(BOX, 'laptop');
        const [, second, third] = await storeMany(3);
        await acknowledge('phone', second!.id);
        expect(await queue.open(BOX, 'phone')).toMatchObject({ after: second!.id, head: third!.id, devices: 2 });
        expect(await queue.open(BOX, 'laptop')).toMatchObject({ after: null, head: third!.id, devices: 2 });
      });

      it('keeps an entry until every device has passed it', async () => {
        await queue.open(BOX, 'phone');
        await queue.open(BOX, 'laptop');
        const [, second] = await storeMany(2);
        await acknowledge('phone', second!.id);
        expect(await readIds()).toEqual(['m1', 'm2']);
        await acknowledge('laptop', second!.id);
        expect(await readIds()).toEqual([]);
      });

      it('never lets a forgotten device close the mailbox: it loses the oldest and is told so', async () => {
        const limits = { ...ROOMY, maxMessages: 10 };
        await queue.open(BOX, 'forgotten');
        for (let i = 1; i <= 50; i++) await acknowledge('phone', (await store(`m${i}`, {}, limits)).id);
        const { after } = await queue.open(BOX, 'forgotten');
        const page = await queue.read(BOX, after, 100, Infinity);
        expect(page.entries).toHaveLength(10);
        expect(page.entries.at(-1)).toMatchObject({ messageId: 'm50' });
        expect(page.droppedUpTo).toBe(page.entries[0]!.sequence - 1);
        await expectBalance({ accepted: 50, acknowledged: 50, dropped: 0 });
      });

      it('bounds that log by bytes too', async () => {
        const limits = { ...ROOMY, maxBytes: 1000 };
        await queue.open(BOX, 'forgotten');
        for (let i = 1; i <= 30; i++) {
          await acknowledge('phone', (await store(`m${i}`, { content: 'x'.repeat(100) }, limits)).id);
        }
        expect(await readIds()).toHaveLength(10);
      });

      it('bounds that log by the messages in it: what expired in its middle takes no place', async () => {
        const limits = { ...ROOMY, maxMessages: 4 };
        await queue.open(BOX, 'laptop');
        await store('m1', {}, limits);
        await store('short1', { ttlMs: 10 }, limits);
        await store('m2', {}, limits);
        await acknowledge('phone', (await store('short2', { ttlMs: 10 }, limits)).id);
        clock.advance(10);
        for (const id of ['m3', 'm4']) await acknowledge('phone', (await store(id, {}, limits)).id);
        expect(await readIds()).toEqual(['m1', 'm2', 'm3', 'm4']);
        await acknowledge('phone', (await store('m5', {}, limits)).id);
        expect(await readIds()).toEqual(['m2', 'm3', 'm4', 'm5']);
        // The count is right, too, after a part of it left by an acknowledgement.
        const [, second] = (await queue.read(BOX, null, 10, Infinity)).entries;
        await acknowledge('laptop', second!.id);
        for (const id of ['m6', 'm7']) await acknowledge('phone', (await store(id, {}, limits)).id);
        expect(await readIds()).toEqual(['m4', 'm5', 'm6', 'm7']);
        await acknowledge('phone', (await store('m8', {}, limits)).id);
        expect(await readIds()).toEqual(['m5', 'm6', 'm7', 'm8']);
      });

      it('bounds it by their bytes likewise, with receipts among them', async () => {
        const limits = { ...ROOMY, maxBytes: 400 };
        const content = 'x'.repeat(100);
        await queue.open(BOX, 'laptop');
        await store('m1', { content }, limits);
        await queue.appendReceipts(BOX, [{ kind: 'delivered', peer: BOB, messageId: 'r1', timestamp: 7 }]);
        await store('short', { content, ttlMs: 10 }, limits);
        await store('m2', { content }, limits);
        const last = await store('m3', { content }, limits);
        await acknowledge('phone', last.id);
        clock.advance(10);
        await acknowledge('phone', (await store('m4', { content }, limits)).id);
        expect(await readIds()).toEqual(['m1', 'r1', 'm2', 'm3', 'm4']);
        const [, receipt] = (await queue.read(BOX, null, 10, Infinity)).entries;
        await acknowledge('laptop', receipt!.id);
        await acknowledge('phone', (await store('m5', { content }, limits)).id);
        expect(await readIds()).toEqual(['m2', 'm3', 'm4', 'm5']);
      });

      it('retires a device unseen for the retention, so that it holds nothing back', async () => {
        await queue.open(BOX, 'forgotten');
        clock.advance(3 * HOUR_MS + 1);
        await queue.open(BOX, 'phone');
        const { id } = await store('one');
        await acknowledge('phone', id);
        await purge();
        expect(await readIds()).toEqual([]);
      });

      it('has room for so many, and for another once one is retired', async () => {
        for (const device of ['one', 'two', 'three', 'four']) await queue.open(BOX, device);
        await expect(queue.open(BOX, 'five')).rejects.toMatchObject({ code: 'forbidden' });
        await queue.open(BOX, 'four');
        clock.advance(2 * HOUR_MS);
        await queue.open(BOX, 'two');
        clock.advance(2 * HOUR_MS);
        await queue.open(BOX, 'five');
        await queue.open(BOX, 'two');
      });

      it('are spoken for by the latest exclusive opening only', async () => {
        const { id } = await store('one');
        const older = await queue.open(BOX, 'phone', { exclusive: true });
        const newer = await queue.open(BOX, 'phone', { exclusive: true });
        expect(newer.claim).toBeGreaterThan(older.claim);
        expect(await queue.acknowledge(BOX, { device: 'phone', upTo: id, claim: older.claim })).toEqual({
          kind: 'superseded',
        });
        expect(await readIds()).toEqual(['one']);
        expect(await queue.acknowledge(BOX, { device: 'phone', upTo: id, claim: newer.claim })).toMatchObject({
          kind: 'acknowledged',
        });
      });

      it('of an empty mailbox are not forgotten by a purge', async () => {
        const { claim } = await queue.open(BOX, 'phone', { exclusive: true });
        await purge();
        const { id } = await store('one');
        expect(await queue.acknowledge(BOX, { device: 'phone', upTo: id, claim })).toMatchObject({
          kind: 'acknowledged',
        });
      });

      it('opened fifty times at once are spoken for by one', async () => {
        const opened = await Promise.all(
          Array.from({ length: 50 }, () => queue.open(BOX, 'phone', { exclusive: true })),
        );
        expect(new Set(opened.map(({ claim }) => claim)).size).toBe(50);
      });
    });

    describe('acknowledge', () => {
      it('is cumulative, and says from where on it was the first', async () => {
        const entries = await storeMany(4);
        expect(await acknowledge('phone', entries[1]!.id)).toMatchObject({
          kind: 'acknowledged',
          before: 0,
          silent: [],
        });
        expect(await acknowledge('phone', entries[3]!.id)).toMatchObject({ before: entries[1]!.sequence });
        expect(await queue.size(BOX)).toBe(0);
        await expectBalance({ accepted: 4, acknowledged: 4, pending: 0 });
      });

      it('never goes back', async () => {
        const entries = await storeMany(3);
        await acknowledge('phone', entries[2]!.id);
        expect(await acknowledge('phone', entries[0]!.id)).toMatchObject({ before: entries[2]!.sequence });
        expect(await queue.open(BOX, 'phone')).toMatchObject({ after: entries[2]!.id });
        await expectBalance({ acknowledged: 3 });
      });

      it('counts once, whichever device was first', async () => {
        await queue.open(BOX, 'laptop');
        const { id, sequence } = await store('one');
        expect(await acknowledge('phone', id)).toMatchObject({ before: 0 });
        expect(await acknowledge('laptop', id)).toMatchObject({ before: sequence });
        await expectBalance({ accepted: 1, acknowledged: 1 });
      });

      it('that passes what expired counts on from there', async () => {
        const [, , , , last] = await storeMany(5, 'short', { ttlMs: 10 });
        clock.advance(10);
        await purge();
        await acknowledge('phone', last!.id);
        const [first] = await storeMany(4, 'long');
        await acknowledge('phone', first!.id);
        expect(await queue.size(BOX)).toBe(3);
        await expectBalance({ accepted: 9, acknowledged: 1, expired: 5, pending: 3 });
      });

      it('beyond the newest entry is refused and moves nothing', async () => {
        const { id } = await store('one');
        const ahead = id.replace(/-\d+$/, '-2') as EntryId;
        const refused: Acknowledged = { kind: 'ahead' };
        expect(await queue.acknowledge(BOX, { device: 'phone', upTo: ahead })).toEqual(refused);
        expect(await queue.acknowledge(BOB, { device: 'phone', upTo: id })).toEqual(refused);
        expect(await readIds()).toEqual(['one']);
        await expectBalance({ acknowledged: 0, pending: 1 });
      });

      it.each(['0-0', '1-0', '0-1'])('before the first entry moves nothing, and is no failure: %s', async (upTo) => {
        await store('one');
        const { kind } = await queue.acknowledge(BOX, { device: 'phone', upTo: upTo as EntryId });
        // An id that nobody gave may be called one; the entry stays either way.
        expect(['acknowledged', 'ahead']).toContain(kind);
        expect(await readIds()).toEqual(['one']);
        await expectBalance({ acknowledged: 0, pending: 1 });
      });

      it('keeps what a slower connection of the same device still has to read', async () => {
        await queue.open(BOX, 'phone');
        const [first, , third] = await storeMany(3);
        await acknowledge('phone', third!.id, first!.id);
        expect(await readIds(first!.id)).toEqual(['m2', 'm3']);
        expect(await queue.size(BOX)).toBe(0);
        await purge();
        expect(await readIds(first!.id)).toEqual(['m2', 'm3']);
        await acknowledge('phone', third!.id, third!.id);
        expect(await readIds()).toEqual([]);
      });

      it('after the expiry comes too late: the message expired, and is owed no receipt', async () => {
        const { id } = await store('one', { ttlMs: 10 });
        clock.advance(10);
        expect(await acknowledge('phone', id)).toMatchObject({ kind: 'acknowledged', before: 0, silent: [1] });
        expect(await purge()).toEqual([expiredReceipt('one', ALICE)]);
        await expectBalance({ accepted: 1, acknowledged: 0, expired: 1 });
      });
    });

    describe('an id that nobody gave', () => {
      it.each([
        ['a later time', (id: EntryId) => `${Number(id.split('-')[0]) + 1}-1`],
        ['an earlier time', () => '1-2'],
        ['a time between two entries', (id: EntryId) => `${Number(id.split('-')[0]) + 5}-3`],
      ])('with %s never loses count, nor a message that was not named', async (_, forge) => {
        const first = await store('one');
        clock.advance(10);
        await store('two');
        clock.advance(10);
        await store('three');
        await queue.acknowledge(BOX, { device: 'phone', upTo: forge(first.id) as EntryId });
        const left = await readIds();
        expect(left).toContain('three');
        const { pending } = await queue.ledger();
        expect(pending).toBe(await queue.size(BOX));
        expect((await queue.pending(BOX, null, 10, Infinity)).messages).toHaveLength(pending);
      });
    });

    describe('a glance', () => {
      it('names the newest entry of each mailbox, kept or not', async () => {
        const { id } = await store('one');
        await acknowledge('phone', id);
        const glances = await queue.glance([BOB, BOX]);
        expect(glances.map((glance) => glance?.head)).toEqual([null, id]);
      });

      it('counts the devices, and names the latest claim of each that has one', async () => {
        await queue.open(BOX, 'classic');
        await queue.open(BOX, 'phone', { exclusive: true });
        const laptop = await queue.open(BOX, 'laptop', { exclusive: true });
        const phone = await queue.open(BOX, 'phone', { exclusive: true });
        const [glance, unknown] = await queue.glance([BOX, BOB]);
        expect(glance).toMatchObject({ devices: 3, isHeldElsewhere: false });
        expect(Object.fromEntries(glance!.claims)).toEqual({ phone: phone.claim, laptop: laptop.claim });
        expect(unknown).toEqual({ head: null, devices: 0, claims: new Map(), isHeldElsewhere: false });
      });
    });

    it('answers that it can be reached', async () => {
      await queue.reach();
    });

    describe('history', () => {
      const keepFor = async (historyMs: number): Promise<void> => {
        await close();
        ({ queue, clock, close } = await open({ historyMs }));
      };
      const historyIds = async (before: EntryId | null = null, limit = 100): Promise<string[]> =>
        (await queue.history(BOX, before, limit, Infinity)).messages.map(({ messageId }) => messageId);

      it('has nothing of what left the log, where none is kept', async () => {
        await acknowledge('phone', (await store('one')).id);
        expect(await historyIds()).toEqual([]);
      });

      it('has acknowledged messages for as long as they are kept, newest first, in pages', async () => {
        await keepFor(1000);
        const entries = await storeMany(5);
        await acknowledge('phone', entries[4]!.id);
        expect(await historyIds()).toEqual(['m5', 'm4', 'm3', 'm2', 'm1']);
        const page = await queue.history(BOX, null, 2, Infinity);
        expect(page.next).toBe(entries[3]!.id);
        expect(await historyIds(page.next, 2)).toEqual(['m3', 'm2']);
        expect(await queue.history(BOX, entries[1]!.id, 2, Infinity)).toMatchObject({ next: null });
        expect(await queue.size(BOX)).toBe(0);
        clock.advance(1001);
        await purge();
        expect(await historyIds()).toEqual([]);
        await expectBalance({ accepted: 5, acknowledged: 5, expired: 0 });
      });

      it('never keeps back what waits, nor lets it expire', async () => {
        await keepFor(1000);
        await store('one');
        clock.advance(5000);
        await purge();
        expect(await readIds()).toEqual(['one']);
      });
    });

    describe('expiry', () => {
      it('hides a message from its expiry instant on, before any purge ran', async () => {
        await store('short', { ttlMs: 1000 });
        await store('long');
        clock.advance(999);
        expect(await readIds()).toEqual(['short', 'long']);
        clock.advance(1);
        expect(await readIds()).toEqual(['long']);
        expect(await queue.size(BOX)).toBe(1);
        expect((await queue.pending(BOX, null, 10, Infinity)).messages).toHaveLength(1);
      });

      it('is reported once, with who has to be told', async () => {
        await store('one', { ttlMs: 10 });
        await store('two', { ttlMs: 10, from: BOB });
        clock.advance(10);
        expect(await purge()).toEqual([expiredReceipt('one', ALICE), expiredReceipt('two', BOB)]);
        expect(await purge()).toEqual([]);
        await expectBalance({ accepted: 2, expired: 2, pending: 0, mailboxes: 0 });
      });

      it('is not reported for what a device has acknowledged, though another still lacks it', async () => {
        await queue.open(BOX, 'laptop');
        const { id } = await store('one', { ttlMs: 10 });
        await acknowledge('phone', id);
        clock.advance(10);
        expect(await purge()).toEqual([]);
        expect(await readIds()).toEqual([]);
        await expectBalance({ acknowledged: 1, expired: 0 });
      });

      it('leaves a hole that a reader can count', async () => {
        await queue.open(BOX, 'phone');
        await storeMany(3, 'short', { ttlMs: 10 });
        const { sequence } = await store('long');
        clock.advance(10);
        const page = await queue.read(BOX, null, 10, Infinity);
        expect(page).toMatchObject({ entries: [{ sequence }], droppedUpTo: 0, acknowledgedUpTo: 0 });
        expect(sequence).toBe(4);
      });

      it('of everything still moves a reader to the head', async () => {
        await storeMany(2, 'm', { ttlMs: 10 });
        const last = await store('m3', { ttlMs: 10 });
        clock.advance(10);
        expect(await queue.read(BOX, null, 10, Infinity)).toMatchObject({
          entries: [],
          upTo: last.id,
          droppedUpTo: 0,
          acknowledgedUpTo: 0,
        });
      });

      it('shows a device that comes for the first time what it missed', async () => {
        await storeMany(2, 'm', { ttlMs: 10 });
        clock.advance(10);
        await purge();
        const { after, head } = await queue.open(BOX, 'phone');
        expect(after).toBeNull();
        expect(sequenceOf(head)).toBe(2);
      });

      it('follows time that passes, not the wall clock', async () => {
        await store('one');
        clock.jump(30 * 24 * HOUR_MS);
        expect(await readIds()).toEqual(['one']);
        expect(await purge()).toEqual([]);
        clock.jump(-60 * 24 * HOUR_MS);
        clock.advance(HOUR_MS);
        expect(await readIds()).toEqual([]);
      });
    });

    describe('receipts', () => {
      const receipt = (messageId: string) => ({ kind: 'delivered', peer: BOB, messageId, timestamp: 7 }) as const;

      it('wait in the mailbox in order with its messages', async () => {
        await store('one');
        const [stored] = await queue.appendReceipts(BOX, [receipt('r1')]);
        await store('two');
        const { entries } = await queue.read(BOX, null, 10, Infinity);
        expect(entries.map(({ messageId }) => messageId)).toEqual(['one', 'r1', 'two']);
        expect(entries[1]).toEqual(stored);
        expect(stored).toMatchObject({ ...receipt('r1'), sequence: 2 });
      });

      it('never fill the mailbox, nor count as messages', async () => {
        const limits = { ...ROOMY, maxMessages: 1 };
        await queue.appendReceipts(BOX, [receipt('r1'), receipt('r2')]);
        await store('one', {}, limits);
        expect(await queue.size(BOX)).toBe(1);
        expect((await queue.pending(BOX, null, 10, Infinity)).messages).toHaveLength(1);
        await expectBalance({ accepted: 1, pending: 1 });
      });

      it('have a bound of their own: the oldest give way, messages never', async () => {
        await store('one');
        for (let i = 1; i <= 100; i++) await queue.appendReceipts(BOX, [receipt(`r${i}`)]);
        const ids = await readIds();
        expect(ids).toContain('one');
        expect(ids).toContain('r100');
        expect(ids).not.toContain('r1');
        expect(ids.length).toBeLessThanOrEqual(1 + CONTRACT.maxReceipts);
      });

      it('never turn back: a delivered that comes after the read of its message is not stored', async () => {
        const read = { kind: 'read', peer: BOB, messageId: 'r1', timestamp: 7 } as const;
        await queue.appendReceipts(BOX, [read]);
        clock.advance(60_000);
        const stored = await queue.appendReceipts(BOX, [
          receipt('r1'),
          receipt('r2'),
          { ...receipt('r1'), peer: ALICE },
        ]);
        expect(stored.map(({ peer, messageId }) => [peer, messageId])).toEqual([
          [BOB, 'r2'],
          [ALICE, 'r1'],
        ]);
        expect(await queue.appendReceipts(BOX, [receipt('r1')])).toEqual([]);
        expect(await readIds()).toEqual(['r1', 'r2', 'r1']);
      });

      it('leave with the cursor like any entry', async () => {
        const [stored] = await queue.appendReceipts(BOX, [receipt('r1')]);
        await acknowledge('phone', stored!.id);
        expect(await readIds()).toEqual([]);
        await expectBalance({ acknowledged: 0 });
      });

      it('end with the retention, unreported', async () => {
        await queue.appendReceipts(BOX, [receipt('r1')]);
        clock.advance(HOUR_MS);
        expect(await readIds()).toEqual([]);
        expect(await purge()).toEqual([]);
      });
    });

    describe('markRead', () => {
      it('is marked once', async () => {
        const { id, sequence } = await store('one');
        await acknowledge('phone', id);
        expect(await queue.markRead(BOX, ALICE, 'one')).toMatchObject({
          kind: 'marked',
          sequence,
          wasAcknowledged: true,
        });
        expect(await queue.markRead(BOX, ALICE, 'one')).toEqual({ kind: 'repeat' });
      });

      it('knows only what that sender really sent to this mailbox', async () => {
        await store('one');
        expect(await queue.markRead(BOX, BOB, 'one')).toEqual({ kind: 'unknown' });
        expect(await queue.markRead(BOX, ALICE, 'two')).toEqual({ kind: 'unknown' });
        expect(await queue.markRead(BOB, ALICE, 'one')).toEqual({ kind: 'unknown' });
      });

      it('before the acknowledgement silences the delivered that would follow', async () => {
        const [first, second, third] = await storeMany(3);
        expect(await queue.markRead(BOX, ALICE, 'm2')).toMatchObject({ kind: 'marked', wasAcknowledged: false });
        expect(await acknowledge('phone', first!.id)).toMatchObject({ silent: [] });
        expect(await acknowledge('phone', third!.id)).toMatchObject({ silent: [second!.sequence] });
      });
    });

    describe('the owner', () => {
      it('lists what no device has acknowledged, in pages', async () => {
        await queue.open(BOX, 'laptop');
        const [first, second] = await storeMany(4);
        await acknowledge('phone', first!.id);
        const page = await queue.pending(BOX, null, 2, Infinity);
        expect(page.messages.map(({ messageId }) => messageId)).toEqual(['m2', 'm3']);
        expect(page.more).toBe(true);
        const rest = await queue.pending(BOX, second!.id, 10, Infinity);
        expect(rest.messages.map(({ messageId }) => messageId)).toEqual(['m3', 'm4']);
        expect(rest.more).toBe(false);
      });

      it('lists no more bytes at once than asked for, but always one message', async () => {
        await storeMany(3, 'm', { content: 'x'.repeat(100) });
        expect((await queue.pending(BOX, null, 10, 250)).messages).toHaveLength(2);
        expect(await queue.pending(BOX, null, 10, 1)).toMatchObject({ messages: [{ messageId: 'm1' }], more: true });
      });

      it('clears the mailbox: counted as dropped, and a connected device can tell', async () => {
        await queue.open(BOX, 'phone');
        await storeMany(3);
        expect(await queue.clear(BOX)).toBe(3);
        expect(await queue.clear(BOX)).toBe(0);
        expect(await readIds()).toEqual([]);
        expect(await queue.read(BOX, null, 10, Infinity)).toMatchObject({ droppedUpTo: 3 });
        await expectBalance({ accepted: 3, dropped: 3, pending: 0, mailboxes: 0 });
      });

      it('clears what is on its way too: its acknowledgement is owed no receipt', async () => {
        const { id, sequence } = await store('one');
        await queue.clear(BOX);
        expect(await acknowledge('phone', id)).toMatchObject({ silent: [sequence] });
      });

      it('may be sent the same again after clearing: it is a repeat, and not delivered', async () => {
        await store('one');
        await queue.clear(BOX);
        await acknowledge('phone', (await store('two')).id);
        expect(await append('one')).toMatchObject({ kind: 'repeat', acknowledged: false });
      });
    });

    describe('devices', () => {
      it('of an unknown mailbox are none', async () => {
        expect(await queue.devices(BOX)).toEqual([]);
        expect(await queue.retire(BOX, 'phone')).toBe(false);
      });

      it('are listed with their last use and what is owed to each', async () => {
        const openedAt = clock.now();
        await queue.open(BOX, 'phone', { exclusive: true });
        await queue.open(BOX, 'laptop', { exclusive: true });
        const [, second] = await storeMany(3);
        clock.advance(1000);
        await acknowledge('laptop', second!.id);
        const byName = (await queue.devices(BOX)).toSorted((a, b) => (a.device < b.device ? -1 : 1));
        expect(byName).toEqual([
          { device: 'laptop', lastUsedAt: openedAt + 1000, pending: 1 },
          { device: 'phone', lastUsedAt: openedAt, pending: 3 },
        ]);
      });

      it('are not listed once they were unseen for the retention', async () => {
        await queue.open(BOX, 'phone');
        clock.advance(4 * HOUR_MS);
        expect(await queue.devices(BOX)).toEqual([]);
      });

      it('hold nothing back once they are retired, and count no more', async () => {
        await queue.open(BOX, 'phone');
        await queue.open(BOX, 'lost');
        const [, second, third] = await storeMany(3);
        await acknowledge('phone', second!.id);
        expect(await readIds()).toEqual(['m1', 'm2', 'm3']);
        expect(await queue.retire(BOX, 'lost')).toBe(true);
        expect(await queue.retire(BOX, 'lost')).toBe(false);
        expect(await readIds()).toEqual(['m3']);
        expect((await queue.devices(BOX)).map(({ device }) => device)).toEqual(['phone']);
        await acknowledge('phone', third!.id);
        expect(await readIds()).toEqual([]);
        await expectBalance({ accepted: 3, acknowledged: 3, pending: 0, mailboxes: 0 });
      });

      it('leave what nobody acknowledged, even when the last one is retired', async () => {
        await queue.open(BOX, 'phone');
        const [first] = await storeMany(2);
        await acknowledge('phone', first!.id);
        expect(await queue.retire(BOX, 'phone')).toBe(true);
        expect(await readIds()).toEqual(['m2']);
        expect(await queue.open(BOX, 'phone')).toMatchObject({ after: first!.id });
        expect(await queue.size(BOX)).toBe(1);
      });

      it('that are retired leave what a live connection still reads', async () => {
        await queue.open(BOX, 'phone');
        await queue.open(BOX, 'lost');
        const [first, , third] = await storeMany(3);
        await queue.acknowledge(BOX, { device: 'phone', upTo: third!.id, keepAfter: first!.id });
        expect(await queue.retire(BOX, 'lost', { keepAfter: first!.id })).toBe(true);
        expect(await readIds()).toEqual(['m2', 'm3']);
      });

      it('that are retired by an opening are so only while it has their place', async () => {
        const early = await queue.open(BOX, 'phone', { exclusive: true });
        const late = await queue.open(BOX, 'phone', { exclusive: true });
        expect([early.isNew, late.isNew]).toEqual([true, false]);
        expect(await queue.retire(BOX, 'phone', { claim: early.claim })).toBe(false);
        expect(await queue.devices(BOX)).toHaveLength(1);
        expect(await queue.retire(BOX, 'phone', { claim: late.claim })).toBe(true);
        expect(await queue.devices(BOX)).toEqual([]);
        expect(await queue.open(BOX, 'phone', { exclusive: true })).toMatchObject({ isNew: true });
        expect(await queue.retire(BOX, 'phone', { claim: late.claim })).toBe(false);
      });

      it('that are retired speak for themselves no more: their openings are superseded', async () => {
        const { claim } = await queue.open(BOX, 'phone', { exclusive: true });
        const { id } = await store('one');
        await queue.retire(BOX, 'phone');
        const late = { device: 'phone', upTo: id, claim };
        expect(await queue.acknowledge(BOX, late)).toEqual({ kind: 'superseded' });
        await queue.open(BOX, 'phone', { exclusive: true });
        expect(await queue.acknowledge(BOX, late)).toEqual({ kind: 'superseded' });
        expect(await queue.size(BOX)).toBe(1);
      });

      it('make room for others when they are retired', async () => {
        for (const device of ['a', 'b', 'c', 'd']) await queue.open(BOX, device);
        await expect(queue.open(BOX, 'e')).rejects.toMatchObject({ code: 'forbidden' });
        await queue.retire(BOX, 'b');
        expect(await queue.open(BOX, 'e')).toMatchObject({ devices: 4 });
      });
    });

    describe('purge', () => {
      it('forgets a mailbox nobody uses, and ids go on rising afterwards', async () => {
        const before = await store('one', { ttlMs: 10 });
        clock.advance(4 * HOUR_MS);
        await purge();
        clock.advance(4 * HOUR_MS);
        await purge();
        const after = await store('two');
        expect(Number(after.id.split('-')[0])).toBeGreaterThan(Number(before.id.split('-')[0]));
      });

      it('works through any number of mailboxes, in parts', async () => {
        const boxes = Array.from({ length: 5000 }, (_, i) => addressOf(1000 + i) as Address);
        await Promise.all(boxes.map(async (box) => queue.append(box, message('one', { ttlMs: 10 }), ROOMY)));
        clock.advance(10);
        expect(await purge()).toHaveLength(5000);
        await expectBalance({ accepted: 5000, expired: 5000, pending: 0, mailboxes: 0 });
      }, 20_000);
    });
  });
}
