import type { Address } from '@relay/protocol';
import type { MailboxLoad, MailboxSurvey } from '../../src/queue/mailbox-survey.js';
import { CLASSIC_DEVICE, type MailboxLimits, type QueueRepository } from '../../src/queue/queue.repository.js';
import { addressOf } from '../support/classic-client.js';
import type { ManualClock } from '../support/manual-clock.js';

export interface SurveyUnderTest {
  readonly survey: MailboxSurvey;
  readonly queue: QueueRepository;
  readonly clock: ManualClock;
  readonly close: () => Promise<void>;
}

const ALICE = addressOf(1) as Address;
const BOB = addressOf(2) as Address;
const CAROL = addressOf(3) as Address;
const LIMITS: MailboxLimits = { maxMessages: 1_000, maxBytes: 1e6, senderShare: 1, overflow: 'reject' };
const HOUR_MS = 3_600_000;

/** The rules of `MailboxSurvey`, for every implementation. */
export function mailboxSurveyContract(name: string, open: () => Promise<SurveyUnderTest>): void {
  describe(`MailboxSurvey: ${name}`, () => {
    let survey: MailboxSurvey;
    let queue: QueueRepository;
    let clock: ManualClock;
    let close: () => Promise<void>;
    let sent = 0;

    beforeEach(async () => {
      ({ survey, queue, clock, close } = await open());
    });

    afterEach(() => close());

    async function send(to: Address, content = 'hello') {
      const message = { from: CAROL, messageId: `m${++sent}`, content, timestamp: 5, ttlMs: HOUR_MS };
      const appended = await queue.append(to, message, LIMITS);
      if (appended.kind !== 'stored') throw new Error(appended.kind);
      return appended.entry;
    }

    async function all(): Promise<MailboxLoad[]> {
      const round = survey.round();
      const found: MailboxLoad[] = [];
      for (let part = await round.next(); part.done !== true; part = await round.next()) found.push(...part.value);
      return found.sort((a, b) => (a.address < b.address ? -1 : 1));
    }

    it('finds nothing where nothing waits', async () => {
      expect(await all()).toEqual([]);
      expect(await survey.load(ALICE)).toEqual({ address: ALICE, messages: 0, bytes: 0, oldestAt: null });
    });

    it('says of each mailbox what waits: messages, bytes in UTF-8, and since when', async () => {
      const first = await send(ALICE, 'h\u00e9');
      clock.advance(5_000);
      await send(ALICE, 'x'.repeat(100));
      const bobs = await send(BOB, 'y');
      const loads = [
        { address: ALICE, messages: 2, bytes: 103, oldestAt: first.queuedAt },
        { address: BOB, messages: 1, bytes: 1, oldestAt: bobs.queuedAt },
      ];
      expect(await all()).toEqual(loads);
      expect(await survey.load(ALICE)).toEqual(loads[0]);
    });

    it('counts what no device has acknowledged, however far one is behind', async () => {
      const first = await send(ALICE);
      await queue.open(ALICE, CLASSIC_DEVICE);
      await queue.open(ALICE, 'behind');
      await queue.acknowledge(ALICE, { device: CLASSIC_DEVICE, upTo: first.id });
      expect(await all()).toEqual([]);
      clock.advance(1_000);
      await queue.appendReceipts(ALICE, [{ kind: 'delivered', peer: BOB, messageId: 'x', timestamp: 1 }]);
      clock.advance(1_000);
      const { queuedAt } = await send(ALICE);
      expect(await all()).toEqual([{ address: ALICE, messages: 1, bytes: 5, oldestAt: queuedAt }]);
    });

    it('has no mailbox in which only receipts wait', async () => {
      await queue.appendReceipts(ALICE, [{ kind: 'read', peer: BOB, messageId: 'x', timestamp: 1 }]);
      expect(await all()).toEqual([]);
    });

    it('finds every one of many, each once, also while others come and go', async () => {
      const boxes = Array.from({ length: 3_000 }, (_, i) => addressOf(0x200000 + i) as Address);
      for (let i = 0; i < boxes.length; i += 500) await Promise.all(boxes.slice(i, i + 500).map((box) => send(box)));
      const going = boxes.slice(0, 100);
      const round = survey.round();
      const found: Address[] = [];
      for (let part = await round.next(); part.done !== true; part = await round.next()) {
        found.push(...part.value.map(({ address }) => address));
        const gone = going.pop();
        if (gone !== undefined) await queue.clear(gone);
        await send(addressOf(0x300000 + found.length) as Address);
      }
      const seen = new Set(found);
      expect(boxes.slice(100).filter((box) => !seen.has(box))).toEqual([]);
      expect(found.length).toBe(new Set(found).size);
    });
  });
}
