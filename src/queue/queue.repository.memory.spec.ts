import type { Address } from '@relay/protocol';
import { ManualClock } from '../../test/support/manual-clock.js';
import { MemoryQueueRepository } from './queue.repository.memory.js';
import type { MailboxLimits } from './queue.repository.js';

const LIMITS: MailboxLimits = { maxMessages: 1000, maxBytes: 1e9, senderShare: 1, overflow: 'reject' };
const ALICE = `0x${'a'.repeat(40)}` as Address;
const mailbox = (n: number): Address => `0x${n.toString(16).padStart(40, '0')}` as Address;

/** What only the memory of one process can run out of. */
describe('MemoryQueueRepository', () => {
  const open = (maxTotalBytes: number): MemoryQueueRepository =>
    new MemoryQueueRepository({
      clock: new ManualClock(),
      retentionMs: 1e6,
      maxDevices: 10,
      historyMs: 0,
      maxReceipts: 10,
      maxTotalBytes,
    });

  const message = (messageId: string) => ({
    from: ALICE,
    messageId,
    content: 'x'.repeat(1000),
    timestamp: 1,
    ttlMs: 1e6,
  });

  it('notices when what waits is not what the ledger leaves over', async () => {
    const queue = open(50_000);
    queue.append(mailbox(1), message('m'), LIMITS);
    expect(await queue.checkLedger()).toEqual({ imbalance: 0, checked: 1, skipped: 0 });
    (queue as unknown as { tally: { acknowledged: number } }).tally.acknowledged += 3;
    expect(await queue.checkLedger()).toEqual({ imbalance: 3, checked: 1, skipped: 0 });
  });

  it('refuses beyond what all mailboxes together may cost, and takes mail again once some was acknowledged', async () => {
    const queue = open(50_000);
    let stored = 0;
    for (let n = 1; n <= 100; n++) {
      const { kind } = queue.append(mailbox(n), message('m'), LIMITS);
      if (kind === 'stored') stored++;
    }
    expect(stored).toBeGreaterThan(10);
    expect(stored).toBeLessThan(30);
    expect(queue.append(mailbox(999), message('n'), LIMITS)).toEqual({
      kind: 'refused',
      code: 'store_unavailable',
    });
    for (const full of [mailbox(1), mailbox(2), mailbox(3)]) {
      const [entry] = (await queue.pending(full, null, 1, Infinity)).messages;
      await queue.acknowledge(full, { device: 'phone', upTo: entry!.id });
    }
    expect(queue.append(mailbox(999), message('n'), LIMITS)).toMatchObject({ kind: 'stored' });
  });

  it('answers a repeat as a repeat, however full it is', () => {
    const queue = open(5_000);
    queue.append(mailbox(1), message('first'), LIMITS);
    expect(queue.append(mailbox(1), { ...message('big'), content: 'x'.repeat(5_000) }, LIMITS)).toEqual({
      kind: 'refused',
      code: 'store_unavailable',
    });
    expect(queue.append(mailbox(1), message('first'), LIMITS)).toMatchObject({ kind: 'repeat' });
  });

  it('remembers no more of what expired because one old message still waits', () => {
    const clock = new ManualClock();
    const queue = new MemoryQueueRepository({
      clock,
      retentionMs: 1e9,
      maxDevices: 10,
      historyMs: 0,
      maxReceipts: 10,
      maxTotalBytes: 1_000_000,
    });
    queue.append(mailbox(1), { ...message('waits'), ttlMs: 1e9 }, LIMITS);
    for (let n = 1; n <= 8_000; n++) {
      const appended = queue.append(mailbox(1), { ...message(`m${n}`), content: 'x', ttlMs: 10 }, LIMITS);
      expect(appended.kind).toBe('stored');
      clock.advance(10);
    }
    expect(queue.append(mailbox(1), { ...message('waits'), ttlMs: 1e9 }, LIMITS)).toMatchObject({
      kind: 'repeat',
    });
  });

  it('does not keep what strangers leave behind who sign in and never get mail', async () => {
    const queue = open(1_000_000);
    for (let n = 1; n <= 990; n++) await queue.open(mailbox(n), 'classic');
    await queue.purge();
    for (let n = 1; n <= 300; n++) {
      expect(queue.append(mailbox(2000 + n), message('m'), LIMITS)).toMatchObject({ kind: 'stored' });
    }
  });
});
