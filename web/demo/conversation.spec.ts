import { MemoryStore } from '@relay/client';
import { AppData } from '../../client/app-data.js';
import { Conversation } from './conversation.js';
import { burstMessageId, type Entry } from './entries.js';

describe('the conversation', () => {
  let data: AppData;
  let now = 0;
  let changes: Entry[];
  let conversation: Conversation;

  const load = (): Promise<Conversation> =>
    Conversation.load(
      data,
      () => now,
      (entry) => changes.push(entry),
    );
  const statuses = (): string[] => conversation.all.map(({ status }) => status);
  const put = (key: string, value: string): void => void data.write([[key, value]]);

  beforeEach(async () => {
    data = new AppData(new MemoryStore());
    now = 1_000;
    changes = [];
    conversation = await load();
  });

  it('turns the ticks of one message, and never back', () => {
    conversation.text('a', 'hello');
    for (const kind of ['queued', 'delivered', 'queued', 'read', 'delivered', 'expired'] as const) {
      conversation.receipt({ kind, messageId: 'a' });
    }
    expect(changes.map(({ status }) => status)).toEqual(['waiting', 'queued', 'delivered', 'read']);
  });

  it('counts as read what was delivered before what was read, but not what was refused or never came', () => {
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) conversation.text(id, id);
    conversation.receipt({ kind: 'delivered', messageId: 'a' });
    conversation.failed('b');
    conversation.receipt({ kind: 'queued', messageId: 'c' });
    conversation.receipt({ kind: 'read', messageId: 'e' });
    conversation.receipt({ kind: 'delivered', messageId: 'f' });
    expect(statuses()).toEqual(['read', 'failed', 'queued', 'waiting', 'read', 'delivered']);
  });

  it('tells the newest unseen message of theirs once', () => {
    conversation.theirText('a', 'one', put);
    conversation.theirText('b', 'two', put);
    expect(conversation.unseenCount).toBe(2);
    expect(conversation.seen()).toMatchObject({ messageId: 'b' });
    expect(conversation.seen()).toBeNull();
    expect(conversation.newestSeen).toMatchObject({ messageId: 'b' });
  });

  it('keeps apart what both sides call the same', () => {
    conversation.text('a', 'mine');
    conversation.theirText('a', 'theirs', put);
    conversation.receipt({ kind: 'delivered', messageId: 'a' });
    expect(conversation.all).toMatchObject([
      { isMine: true, text: 'mine', status: 'delivered' },
      { isMine: false, text: 'theirs', status: 'delivered' },
    ]);
  });

  it('is there again after a reload, in the same order', async () => {
    conversation.text('a', 'one');
    conversation.theirText('b', 'two', put);
    conversation.receipt({ kind: 'queued', messageId: 'a' });
    const before = conversation.all;
    conversation = await load();
    expect(conversation.all).toEqual(before);
    conversation.text('c', 'three');
    expect(conversation.all.map(({ sequence }) => sequence)).toEqual([0, 1, 2]);
  });

  it('forgets the oldest beyond its bound, and everything when it is cleared', async () => {
    for (let i = 0; i < 301; i++) conversation.text(`m${i}`, 'x');
    expect(conversation.all).toHaveLength(300);
    expect((await data.list('entry/')).length).toBe(300);
    await conversation.clear();
    expect([conversation.all, await data.list('entry/')]).toEqual([[], []]);
  });

  describe('with a burst', () => {
    it('is delivered with the last of it, and says how long that took', () => {
      conversation.burst('ab', 2);
      conversation.burstGrew('ab');
      conversation.burstGrew('ab');
      conversation.receipt({ kind: 'queued', messageId: burstMessageId('ab', 0) });
      expect(statuses()).toEqual(['waiting']);
      conversation.receipt({ kind: 'delivered', messageId: burstMessageId('ab', 0) });
      expect(statuses()).toEqual(['queued']);
      now += 250;
      conversation.receipt({ kind: 'delivered', messageId: burstMessageId('ab', 1) });
      expect(conversation.all).toMatchObject([{ status: 'delivered', good: 2, tookMs: 250 }]);
    });

    it('says of theirs whether each came once and in its place', () => {
      for (const index of [0, 1, 1, 3, 2]) conversation.theirBurst({ run: 'cd', index, of: 4 }, put);
      expect(conversation.all).toMatchObject([{ count: 5, good: 3, status: 'queued' }]);
      for (const index of [0, 1]) conversation.theirBurst({ run: 'ef', index, of: 2 }, put);
      expect(conversation.all[1]).toMatchObject({ count: 2, good: 2, status: 'delivered' });
    });

    it('is as long as what was in the outbox when the window was loaded again', async () => {
      conversation.burst('ab', 10);
      for (let i = 0; i < 3; i++) conversation.burstGrew('ab');
      conversation = await load();
      expect(conversation.all).toMatchObject([{ of: 3 }]);
    });
  });
});
