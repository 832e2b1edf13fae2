import type { Address } from '@relay/protocol';
import { ManualClock } from '../../test/support/manual-clock.js';
import { SingleNodeBackplane } from '../backplane/backplane.memory.js';
import { Metrics } from '../common/metrics.js';
import { MemoryQueueRepository } from '../queue/queue.repository.memory.js';
import type { Receipt } from '../queue/queue.repository.js';
import type { Connection } from './connection.js';
import { Receipts } from './receipts.js';
import { learn, type Room, Rooms } from './room.js';
import { UnstoredFrames } from './unstored-frames.js';

const ALICE = `0x${'a'.repeat(40)}` as Address;
const BOB = `0x${'b'.repeat(40)}` as Address;
const RECEIPT: Receipt = { kind: 'delivered', peer: BOB, messageId: 'm1', timestamp: 1 };

class Wire extends SingleNodeBackplane {
  session = 1;

  override hearing(): number {
    return this.session;
  }
}

describe('Receipts', () => {
  let backplane: Wire;
  let queue: MemoryQueueRepository;
  let receipts: Receipts;
  let room: Room;
  let told: Receipt[];
  let connection: Connection & { canConfirm: boolean; isLive: boolean };

  beforeEach(() => {
    backplane = new Wire();
    const rules = { retentionMs: 1e6, maxDevices: 10, historyMs: 0, maxReceipts: 10, maxTotalBytes: Infinity };
    queue = new MemoryQueueRepository({ clock: new ManualClock(), ...rules });
    const rooms = new Rooms({ ratePerSecond: 1, burst: 1 });
    receipts = new Receipts(rooms, queue, backplane, new Metrics());
    told = [];
    const tell = (receipt: Receipt): number => told.push(receipt);
    const offer = (): void => undefined;
    connection = { device: 'phone', isLive: true, canConfirm: true, tell, offer } as unknown as typeof connection;
    room = rooms.join(ALICE, connection);
    learn(room, { devices: 1, isHeldElsewhere: false }, backplane.hearing());
  });

  const sendAll = (): Promise<void> => receipts.sendAll(new Map([[ALICE, [RECEIPT]]]), new Set());
  const stored = async (): Promise<number> => (await queue.read(ALICE, null, 10, Infinity)).entries.length;

  it('go straight to the only device of the sender', async () => {
    expect(receipts.answer(ALICE, connection, RECEIPT)).toBe(true);
    await sendAll();
    expect(told).toHaveLength(2);
    expect(await stored()).toBe(0);
  });

  it.each([
    ['the subscription is lost', 0],
    ['it came back, and the store was not asked since', 2],
  ])('go by the mailbox, too, while %s: another device may be on another node', async (_, session) => {
    backplane.session = session;
    expect(receipts.isAllHere(ALICE)).toBe(false);
    expect(receipts.answer(ALICE, connection, RECEIPT)).toBe(false);
    await sendAll();
    expect(await stored()).toBe(1);
    learn(room, { devices: 1, isHeldElsewhere: false }, session);
    expect(receipts.isAllHere(ALICE)).toBe(session > 0);
  });

  it('go by the mailbox once the store said that there is a second device, or another node', () => {
    learn(room, { devices: 2, isHeldElsewhere: false }, 1);
    expect(receipts.isAllHere(ALICE)).toBe(false);
    // An answer that is older and comes later takes nothing back.
    learn(room, { devices: 1, isHeldElsewhere: false }, 1);
    expect(receipts.isAllHere(ALICE)).toBe(false);
  });

  it('go by the mailbox to a client that confirms nothing', async () => {
    connection.canConfirm = false;
    connection.isLive = false;
    expect(receipts.answer(ALICE, connection, RECEIPT)).toBe(false);
    await sendAll();
    expect(await stored()).toBe(1);
  });
});

describe('what waits to be confirmed', () => {
  it('is full at a bound, and has room again when the client confirms', () => {
    const unstored = new UnstoredFrames();
    let count = 0;
    while (!unstored.isFull) unstored.add(() => undefined, count++ < 10);
    expect(count).toBe(4096);
    expect(unstored.size).toBe(10);
    unstored.arrivedUpTo(1);
    expect(unstored.isFull).toBe(false);
    unstored.arrivedUpTo(4096);
    expect(unstored).toMatchObject({ isWaiting: false, size: 0 });
  });
});
