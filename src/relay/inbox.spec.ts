import { FRAMES_PER_TURN, Inbox, MAX_SENDS_IN_FLIGHT, MAX_SENDS_TO_SLOW_STORE, STORE_PATIENCE_MS } from './inbox.js';
import type { Flushable } from './turn.js';

describe('an inbox', () => {
  let nowMs: number;
  let scheduled: Flushable[];
  let handled: number;
  let link: { turnNumber: number; afterOthers: (work: Flushable) => void };
  let inbox: Inbox;

  beforeEach(() => {
    nowMs = 1_000;
    scheduled = [];
    handled = 0;
    link = { turnNumber: 1, afterOthers: (work) => scheduled.push(work) };
    inbox = new Inbox(link, { handleInbox: () => handled++ }, { now: () => nowMs });
  });

  const allowed = (most = 5_000): number => {
    let count = 0;
    while (count < most && inbox.mayHandleNext()) count++;
    return count;
  };
  const send = (count: number): void => {
    for (let n = 0; n < count; n++) inbox.sendStarted();
  };

  it('lets the others go first after so many frames, in each turn', () => {
    expect(allowed()).toBe(FRAMES_PER_TURN);
    expect(allowed()).toBe(0);
    link.turnNumber++;
    expect(allowed()).toBe(FRAMES_PER_TURN);
  });

  it('keeps what waits in its order', () => {
    for (const text of ['a', 'b', 'c']) inbox.add(text);
    expect([inbox.take(), inbox.takeAll(), inbox.isEmpty, inbox.take()]).toEqual(['a', ['b', 'c'], true, undefined]);
  });

  it('is looked at once in the next turn, however often that is asked for', () => {
    inbox.handleLater();
    inbox.handleLater();
    expect(scheduled).toEqual([inbox]);
    inbox.flush();
    expect(handled).toBe(1);
    inbox.handleLater();
    expect(scheduled).toHaveLength(2);
  });

  it('waits for a store that has as many sends as there may be, and reads on at half of that', () => {
    send(MAX_SENDS_IN_FLIGHT - 1);
    expect([inbox.isStoreBehind, allowed(1)]).toEqual([false, 1]);
    send(1);
    expect([inbox.isStoreBehind, allowed(), inbox.mayReadOn]).toEqual([true, 0, false]);
    inbox.handleLater();
    expect(scheduled).toEqual([]);
    inbox.sendEnded();
    expect([inbox.isStoreBehind, inbox.mayReadOn]).toEqual([false, false]);
    while (inbox.sends >= MAX_SENDS_IN_FLIGHT / 2) inbox.sendEnded();
    expect(inbox.mayReadOn).toBe(true);
  });

  it('lets more sends wait for a slow store, once frames have waited so long, up to a second bound', () => {
    inbox.add('waits');
    send(MAX_SENDS_IN_FLIGHT);
    nowMs += STORE_PATIENCE_MS - 1;
    expect(inbox.isStoreBehind).toBe(true);
    // An answer and another send are no news for what waits.
    inbox.sendEnded();
    send(1);
    nowMs += 1;
    expect(inbox.isStoreBehind).toBe(false);
    inbox.take();
    expect(inbox.mayReadOn).toBe(true);
    send(MAX_SENDS_TO_SLOW_STORE - inbox.sends);
    expect([inbox.isStoreBehind, inbox.mayReadOn]).toEqual([true, false]);
  });

  it('is patient with each frame by itself, however long the store has been full', () => {
    send(MAX_SENDS_IN_FLIGHT);
    inbox.add('first');
    nowMs += STORE_PATIENCE_MS - 1;
    inbox.add('second');
    nowMs++;
    expect([inbox.isStoreBehind, inbox.take()]).toEqual([false, 'first']);
    expect(inbox.isStoreBehind).toBe(true);
    nowMs += STORE_PATIENCE_MS - 1;
    expect([inbox.isStoreBehind, inbox.take()]).toEqual([false, 'second']);
    // What is read now waits in its turn.
    expect([inbox.mayReadOn, inbox.isStoreBehind]).toEqual([true, true]);
  });

  it('is not patient with what lay in the system while the socket was not read', () => {
    send(MAX_SENDS_IN_FLIGHT);
    nowMs += STORE_PATIENCE_MS;
    expect(inbox.mayReadOn).toBe(true);
    inbox.readingGoesOn();
    inbox.add('unread until now');
    expect([inbox.isStoreBehind, inbox.take()]).toEqual([false, 'unread until now']);
    inbox.add('has just come');
    expect(inbox.isStoreBehind).toBe(true);
  });

  it('is patient anew once nothing waits any more', () => {
    send(MAX_SENDS_IN_FLIGHT);
    nowMs += STORE_PATIENCE_MS;
    inbox.sendEnded();
    send(1);
    expect(inbox.isStoreBehind).toBe(true);
  });
});
