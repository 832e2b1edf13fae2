import type { Address, MessageFrame } from '@relay/protocol';
import { ManualClock } from '../../test/support/manual-clock.js';
import { Backplane, type Kind, type Topic } from '../backplane/backplane.js';
import { MemoryContactRepository } from '../contacts/contact.repository.memory.js';
import { Acquaintance } from './acquaintance.js';
import type { Connection } from './connection.js';
import { Ephemeral } from './ephemeral.js';
import { Rooms } from './room.js';

const ALICE = `0x${'a'.repeat(40)}` as Address;
const BOB = `0x${'b'.repeat(40)}` as Address;

/** Says how many nodes heard it when it is told to, as a store whose answer is late. */
class LateBackplane extends Backplane {
  readonly node = 'node0001';
  sent = '';
  answer: (nodes: number) => void = () => undefined;
  fail: (error: Error) => void = () => undefined;

  override join(): Promise<void> {
    return Promise.resolve();
  }

  override leave(): void {
    // Nobody joined.
  }

  override hearing(): number {
    return 1;
  }

  override tell(): Promise<boolean> {
    return Promise.resolve(false);
  }

  override endHearing(): void {
    return undefined;
  }

  override send(_topic: Topic, _address: Address, _kind: Kind, payload: string): Promise<number> {
    this.sent = payload;
    return new Promise((resolve, reject) => {
      this.answer = resolve;
      this.fail = reject;
    });
  }

  /** Another node answers the last that was sent. */
  says(word: '+' | '-'): void {
    this.heard('a', ALICE, `${this.sent.split(' ', 1)[0]} ${word}`, 'node0002');
  }
}

describe('Ephemeral', () => {
  let backplane: LateBackplane;
  let told: { type: string; code?: string; outcome?: string }[];

  const turn = (): Promise<void> => new Promise(setImmediate);

  beforeEach(() => {
    backplane = new LateBackplane();
    told = [];
    const send = (text: string): number => told.push(JSON.parse(text) as (typeof told)[number]);
    const sender = { link: { send } } as unknown as Connection;
    const rooms = new Rooms({ ratePerSecond: 1, burst: 1 });
    const acquaintance = new Acquaintance(rooms, new MemoryContactRepository(new ManualClock()), false);
    const frame = { type: 'message', to: BOB, content: 'x', messageId: 'm1', timestamp: 1 } as unknown as MessageFrame;
    new Ephemeral(rooms, backplane, acquaintance, new ManualClock()).send(sender, ALICE, frame);
  });

  it('is not refused before it is known how many nodes were asked: another may still have it', async () => {
    backplane.says('-');
    backplane.says('-');
    backplane.answer(3);
    await turn();
    expect(told).toEqual([]);
    backplane.says('+');
    expect(told).toMatchObject([{ type: 'delivered' }]);
  });

  it('is refused as soon as all that were asked have declined, whatever came first', async () => {
    backplane.says('-');
    backplane.answer(2);
    await turn();
    expect(told).toEqual([]);
    backplane.says('-');
    expect(told).toMatchObject([{ code: 'recipient_offline', outcome: 'refused' }]);
  });

  it('is refused where the others declined before they were counted', async () => {
    backplane.says('-');
    backplane.answer(1);
    await turn();
    expect(told).toMatchObject([{ code: 'recipient_offline', outcome: 'refused' }]);
  });

  it('is refused where nobody could be asked', async () => {
    backplane.fail(new Error('away'));
    await turn();
    expect(told).toMatchObject([{ code: 'recipient_offline' }]);
  });
});
