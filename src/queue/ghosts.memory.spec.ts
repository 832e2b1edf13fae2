import type { Address } from '@relay/protocol';
import { Ghosts } from './ghosts.memory.js';
import type { Tally } from './pending-load.memory.js';

const ALICE = `0x${'a'.repeat(40)}` as Address;

describe('Ghosts', () => {
  const ghost = (messageId: string) => ({ from: ALICE, messageId, fingerprint: 1, bytes: 10, expiresAt: 100 });
  let tally: Tally;
  let ghosts: Ghosts;

  beforeEach(() => {
    const counts = { accepted: 0, acknowledged: 0, expired: 0, dropped: 0, pending: 0, mailboxes: 0 };
    tally = { ...counts, bytes: 0, unreported: [] };
    ghosts = new Ghosts(tally);
  });

  it('cost once, however often one of the same name comes again', () => {
    ghosts.add(ghost('a'));
    const { bytes } = tally;
    for (let i = 0; i < 3; i++) {
      ghosts.cancel(ALICE, 'a');
      ghosts.add(ghost('a'));
    }
    expect([tally.bytes, ghosts.size, ghosts.loads(ALICE).all.messages]).toEqual([bytes, 1, 1]);
    ghosts.forgetAll();
    expect(tally.bytes).toBe(0);
  });

  it('are as old as their last coming', () => {
    ghosts.add(ghost('a'));
    ghosts.cancel(ALICE, 'a');
    ghosts.add(ghost('b'));
    ghosts.add(ghost('a'));
    ghosts.dropOldest(null);
    expect([ghosts.find(ALICE, 'a')?.waits, ghosts.find(ALICE, 'b')?.waits]).toEqual([true, false]);
  });
});
