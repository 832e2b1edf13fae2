import type { Address } from '@relay/protocol';
import { ManualClock } from '../../test/support/manual-clock.js';
import type { EntryId } from '../queue/entry-id.js';
import type { MailboxLimits, MessageEntry, Page } from '../queue/queue.repository.js';
import { MemoryQueueRepository } from '../queue/queue.repository.memory.js';
import type { Link } from './link.js';
import { entryFrame, MailboxReader } from './mailbox-reader.js';

const BOX = `0x${'b'.repeat(40)}` as Address;
const ALICE = `0x${'a'.repeat(40)}` as Address;
const LIMITS: MailboxLimits = { maxMessages: 1000, maxBytes: 1e9, senderShare: 1, overflow: 'reject' };

/** Answers reads when it is told to, as a store at the other end of a network does. */
class SlowRepository extends MemoryQueueRepository {
  private readonly waiting: (() => void)[] = [];
  isSlow = true;
  isAway = false;

  override async read(mailbox: Address, after: EntryId | null, entries: number, bytes: number): Promise<Page> {
    if (this.isAway) throw new Error('away');
    // The answer is what was there when the store was asked.
    const page = await super.read(mailbox, after, entries, bytes);
    if (this.isSlow) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return page;
  }

  async answer(): Promise<void> {
    await new Promise(setImmediate);
    this.waiting.shift()?.();
    await new Promise(setImmediate);
  }
}

describe('MailboxReader', () => {
  let queue: SlowRepository;
  let reader: MailboxReader;
  let sent: { type: string; messageId?: string; queued?: boolean; count?: number }[];
  let failures: unknown[];
  let synced: unknown[];
  const link = { isOpen: true, isCongested: false };
  let count = 0;

  beforeEach(() => {
    queue = new SlowRepository({
      clock: new ManualClock(),
      retentionMs: 1e6,
      maxDevices: 10,
      historyMs: 0,
      maxReceipts: 10,
      maxTotalBytes: Infinity,
    });
    sent = [];
    failures = [];
    count = 0;
    Object.assign(link, { isOpen: true, isCongested: false });
    const fakeLink = Object.assign(link, {
      send: (text: string) => sent.push(JSON.parse(text) as (typeof sent)[number]),
    });
    const events = {
      moved: () => undefined,
      failed: (error: unknown) => failures.push(error),
      mayTell: () => true,
      caughtUp: (upTo: string | null) => synced.push(upTo),
    };
    synced = [];
    reader = new MailboxReader(BOX, queue, fakeLink as unknown as Link, events, { entries: 4, bytes: 1000 }, true);
  });

  function store(content = 'x'): MessageEntry {
    const message = { from: ALICE, messageId: `m${++count}`, content, timestamp: 1, ttlMs: 1000 };
    const appended = queue.append(BOX, message, LIMITS);
    if (appended.kind !== 'stored') throw new Error(appended.kind);
    return appended.entry;
  }

  async function start(): Promise<void> {
    reader.start(await queue.open(BOX, 'phone'));
  }

  /** As the delivery does with a new entry. */
  function live(): MessageEntry {
    const entry = store();
    if (reader.canTake(entry)) reader.take(entry, entryFrame(entry, false));
    else reader.expect(entry);
    return entry;
  }

  const ids = (): unknown[] => sent.map(({ messageId }) => messageId);

  it('lets no live message overtake a backlog that is being read', async () => {
    store();
    await start();
    live();
    expect(ids()).toEqual([]);
    await queue.answer();
    expect(ids()).toEqual(['m1']);
    await queue.answer();
    expect(ids()).toEqual(['m1', 'm2']);
    expect(sent.map(({ queued }) => queued)).toEqual([true, undefined]);
  });

  it('sends a live message at once where it has caught up, without reading', async () => {
    await start();
    live();
    expect(ids()).toEqual(['m1']);
  });

  it('reads what it was not told of: a missed wake-up costs a detour, not a message', async () => {
    await start();
    store();
    live();
    expect(ids()).toEqual([]);
    await queue.answer();
    expect(ids()).toEqual(['m1', 'm2']);
  });

  it('sends nothing twice, though it is offered what it has read', async () => {
    store();
    await start();
    const entry = live();
    await queue.answer();
    await queue.answer();
    expect(reader.canTake(entry)).toBe(false);
    reader.expect(entry);
    expect(ids()).toEqual(['m1', 'm2']);
  });

  it('stops at its window, and goes on as it is acknowledged', async () => {
    await start();
    const entries = [live(), live(), live(), live(), live(), live()];
    expect(ids()).toEqual(['m1', 'm2', 'm3', 'm4']);
    expect(reader.unsettled(entries[1]!.id)).toEqual(entries.slice(0, 2));
    reader.settle(entries[1]!.id);
    reader.readOn();
    await queue.answer();
    expect(ids()).toEqual(['m1', 'm2', 'm3', 'm4', 'm5', 'm6']);
  });

  it('reads on while an acknowledgement is on its way to the store', async () => {
    for (let i = 0; i < 9; i++) store();
    queue.isSlow = false;
    await start();
    await queue.answer();
    expect(ids()).toEqual(['m1', 'm2', 'm3', 'm4']);
    reader.makeRoom(3);
    await queue.answer();
    expect(ids()).toEqual(['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7']);
    expect(reader.unacknowledged).toBe(7);
  });

  it('sends no more than its window allows once that acknowledgement has failed', async () => {
    const entries = Array.from({ length: 9 }, () => store());
    queue.isSlow = false;
    await start();
    await queue.answer();
    reader.makeRoom(3);
    await queue.answer();
    reader.makeRoom(0);
    reader.readOn();
    await queue.answer();
    expect(ids()).toHaveLength(7);
    reader.settle(entries[3]!.id);
    reader.readOn();
    await queue.answer();
    expect(ids()).toHaveLength(8);
  });

  it.each([
    ['entries', 'x', 8],
    ['bytes', 'x'.repeat(600), 4],
  ])('holds no more than two windows of %s, however many acknowledgements fail', async (_, content, expected) => {
    for (let i = 0; i < 30; i++) store(content);
    queue.isSlow = false;
    await start();
    await queue.answer();
    for (let i = 0; i < 5; i++) {
      reader.makeRoom(reader.unsettled(reader.sentId!).length);
      await queue.answer();
      reader.makeRoom(0);
      await queue.answer();
    }
    expect(ids()).toHaveLength(expected);
    reader.settle(reader.sentId!);
    reader.readOn();
    await queue.answer();
    expect(ids().length).toBeGreaterThan(expected);
  });

  it.each([
    [2, 4],
    [0, 2],
  ])('counts %i acknowledged entries as room by their bytes too', async (acknowledged, expected) => {
    for (let i = 0; i < 4; i++) store('x'.repeat(600));
    queue.isSlow = false;
    await start();
    await queue.answer();
    reader.makeRoom(acknowledged);
    await queue.answer();
    expect(ids()).toHaveLength(expected);
  });

  it('stops at its window by bytes too', async () => {
    for (let i = 0; i < 4; i++) store('x'.repeat(600));
    queue.isSlow = false;
    await start();
    await queue.answer();
    expect(ids()).toEqual(['m1', 'm2']);
  });

  it('waits while the socket is congested', async () => {
    await start();
    link.isCongested = true;
    live();
    expect(ids()).toEqual([]);
    link.isCongested = false;
    reader.readOn();
    await queue.answer();
    expect(ids()).toEqual(['m1']);
  });

  it('stands where it stood after a read that failed, and reads again when asked', async () => {
    store();
    queue.isAway = true;
    await start();
    await queue.answer();
    expect(failures).toHaveLength(1);
    queue.isAway = false;
    reader.readOn();
    await queue.answer();
    expect(ids()).toEqual(['m1']);
  });

  it('says once that it has caught up with what waited, and up to where', async () => {
    const entries = [];
    for (let i = 0; i < 6; i++) entries.push(store());
    await start();
    await queue.answer();
    expect(synced).toEqual([]);
    reader.settle(entries[3]!.id);
    reader.readOn();
    live();
    await queue.answer();
    expect(synced).toEqual([entries[5]!.id]);
    await queue.answer();
    expect(ids()).toEqual(['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7']);
    expect(synced).toHaveLength(1);
  });

  it('has caught up at once where nothing waits', async () => {
    await start();
    expect(synced).toEqual([null]);
  });

  it('is told of an entry it was not offered, and reads it', async () => {
    await start();
    const entry = store();
    reader.expectUpTo(entry.id);
    await queue.answer();
    expect(ids()).toEqual(['m1']);
    reader.expectUpTo(entry.id);
    await queue.answer();
    expect(ids()).toEqual(['m1']);
  });

  it.each([
    ['what is in flight', 1, 'sent'],
    ['what is settled', 0, 'old'],
    ['more than was sent', 3, 'ahead'],
  ] as const)('judges an id that names %s', async (_, index, judgement) => {
    await start();
    const entries = [live(), live(), live()];
    const ahead = store();
    reader.settle(entries[0]!.id);
    expect(reader.judge([...entries, ahead][index]!.id)).toBe(judgement);
  });

  it('judges an id of its own making as beyond what was sent', async () => {
    await start();
    const { id } = live();
    expect(reader.judge(id.replace(/^\d+/, '1') as typeof id)).toBe('ahead');
    expect(reader.judge('99-99' as typeof id)).toBe('ahead');
  });

  it('sends nothing after it was stopped, whatever the store still answers', async () => {
    store();
    await start();
    reader.stop();
    await queue.answer();
    expect(sent).toEqual([]);
  });
});
