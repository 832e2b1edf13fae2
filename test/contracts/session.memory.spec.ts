import { type Address, RelayError } from '@relay/protocol';
import { MAX_REVOCATIONS, REVOCATIONS_KEPT_MS, SESSION_MS } from '../../src/auth/session.repository.js';
import { MemorySessionRepository } from '../../src/auth/session.repository.memory.js';
import { addressOf } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { sessionContract } from './session.contract.js';

sessionContract('memory', () => {
  const clock = new ManualClock();
  return Promise.resolve({ sessions: new MemorySessionRepository(clock), clock, close: () => Promise.resolve() });
});

describe('MemorySessionRepository', () => {
  const of = (n: number): Address => addressOf(n) as Address;

  it('refuses what its memory has no room for, and never forgets who has signed in to make some', async () => {
    const clock = new ManualClock();
    const sessions = new MemorySessionRepository(clock, 10_000);
    let made = 0;
    while (
      await sessions.create(of(made), 'phone').then(
        () => ++made,
        () => 0,
      )
    )
      expect(made).toBeLessThan(100);
    expect(made).toBeGreaterThan(5);
    await expect(sessions.create(of(1000), 'phone')).rejects.toThrow(RelayError);
    for (let i = 0; i < made; i++) expect(await sessions.hasSignedIn(of(i))).toBe(true);
    // One more of somebody known takes room, while there is some; one in the place of another none.
    await sessions.create(of(0), 'tablet');
    await expect(sessions.create(of(0), 'laptop')).rejects.toThrow(RelayError);
    for (let i = 0; i < made; i++) await sessions.create(of(i), 'phone');
    await sessions.create(of(0), 'tablet');
    // Sessions that are over make room.
    clock.advance(SESSION_MS);
    await sessions.create(of(1000), 'phone');
    expect(await sessions.hasSignedIn(of(0))).toBe(true);
  });

  it('keeps revocations for ten minutes, and no more than so many', async () => {
    const clock = new ManualClock();
    const sessions = new MemorySessionRepository(clock);
    await sessions.create(of(1), 'phone');
    const { mark } = await sessions.revokedSince(null);
    await sessions.revoke(of(1), 'phone');
    clock.advance(REVOCATIONS_KEPT_MS - 1);
    expect(await sessions.revokedSince(mark)).toMatchObject({ missed: false, revoked: [{ device: 'phone' }] });
    clock.advance(1);
    expect(await sessions.revokedSince(mark)).toMatchObject({ missed: true, revoked: [] });
    for (let i = 0; i <= MAX_REVOCATIONS; i++) await sessions.create(of(2), 'phone');
    expect((await sessions.revokedSince(mark)).revoked.length).toBe(MAX_REVOCATIONS);
  });
});
