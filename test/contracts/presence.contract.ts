import type { Address } from '@relay/protocol';
import { type PresenceRepository, SWEEP_EVERY_MS } from '../../src/presence/presence.repository.js';
import { addressOf } from '../support/classic-client.js';
import type { ManualClock } from '../support/manual-clock.js';

export const LAST_SEEN_MS = 60 * 60 * 1000;

/** Remembers for `LAST_SEEN_MS` when people were last seen. */
export interface PresenceUnderTest {
  readonly presence: PresenceRepository;
  readonly clock: ManualClock;
  readonly close: () => Promise<void>;
}

const ALICE = addressOf(1) as Address;
const BOB = addressOf(2) as Address;

/** The rules of `PresenceRepository`, for every implementation. */
export function presenceContract(name: string, open: () => Promise<PresenceUnderTest>): void {
  describe(`PresenceRepository: ${name}`, () => {
    let presence: PresenceRepository;
    let clock: ManualClock;
    let close: () => Promise<void>;

    beforeEach(async () => {
      ({ presence, clock, close } = await open());
    });

    afterEach(() => close());

    const statusOf = async (address: Address) => (await presence.statuses([address]))[0];

    it('knows nothing of somebody who never came', async () => {
      expect(await statusOf(ALICE)).toEqual({ online: false, lastSeen: null });
    });

    it('is online while connected, and last seen when the last connection went', async () => {
      expect(await presence.connected(ALICE, 'a')).toBe(true);
      expect(await statusOf(ALICE)).toEqual({ online: true, lastSeen: null });
      clock.advance(1000);
      expect(await presence.disconnected(ALICE, 'a')).toBe(true);
      expect(await statusOf(ALICE)).toEqual({ online: false, lastSeen: clock.now() });
    });

    it('stays online when one of two connections goes', async () => {
      await presence.connected(ALICE, 'a');
      expect(await presence.connected(ALICE, 'b')).toBe(false);
      expect(await presence.disconnected(ALICE, 'a')).toBe(false);
      expect(await statusOf(ALICE)).toMatchObject({ online: true });
      expect(await presence.disconnected(ALICE, 'b')).toBe(true);
      expect(await statusOf(ALICE)).toMatchObject({ online: false });
    });

    it('counts a connection once, however often it is named', async () => {
      await presence.connected(ALICE, 'a');
      await presence.connected(ALICE, 'a');
      expect(await presence.disconnected(ALICE, 'unknown')).toBe(false);
      expect(await presence.disconnected(ALICE, 'a')).toBe(true);
      expect(await presence.disconnected(ALICE, 'a')).toBe(false);
      expect(await statusOf(ALICE)).toMatchObject({ online: false });
    });

    it('answers many in the order asked for', async () => {
      await presence.connected(BOB, 'b');
      const statuses = await presence.statuses([ALICE, BOB, ALICE]);
      expect(statuses.map(({ online }) => online)).toEqual([false, true, false]);
    });

    it('shows a hidden address as offline, never seen, and nowhere in the list', async () => {
      await presence.connected(ALICE, 'a');
      expect(await presence.setVisible(ALICE, false)).toBe(true);
      expect(await statusOf(ALICE)).toEqual({ online: false, lastSeen: null });
      expect(await presence.online(null, 10)).toEqual({ addresses: [], next: null });
      expect(await presence.disconnected(ALICE, 'a')).toBe(false);
      expect(await statusOf(ALICE)).toEqual({ online: false, lastSeen: null });
    });

    it('keeps an address hidden over its connections, until it shows itself', async () => {
      await presence.connected(ALICE, 'a');
      await presence.setVisible(ALICE, false);
      await presence.disconnected(ALICE, 'a');
      expect(await presence.connected(ALICE, 'b')).toBe(false);
      expect(await presence.setVisible(ALICE, true)).toBe(true);
      expect(await statusOf(ALICE)).toMatchObject({ online: true });
    });

    it('changes nothing for others when an offline address hides', async () => {
      expect(await presence.setVisible(ALICE, false)).toBe(false);
      expect(await presence.setVisible(ALICE, true)).toBe(false);
    });

    it('lists everybody online once, in pages', async () => {
      const everybody = Array.from({ length: 25 }, (_, i) => addressOf(100 + i) as Address).sort();
      for (const address of [...everybody].reverse()) await presence.connected(address, `c-${address}`);
      const seen: Address[] = [];
      let next: Address | null = null;
      do {
        const page = await presence.online(next, 10);
        expect(page.addresses.length).toBeLessThanOrEqual(10);
        seen.push(...page.addresses);
        ({ next } = page);
      } while (next !== null);
      expect(seen).toEqual(everybody);
    });

    it('forgets when people were last seen, but not who is here', async () => {
      await presence.connected(ALICE, 'a');
      await presence.disconnected(ALICE, 'a');
      await presence.connected(BOB, 'b');
      const seen = clock.now();
      clock.advance(LAST_SEEN_MS);
      expect(await statusOf(ALICE)).toEqual({ online: false, lastSeen: seen });
      clock.advance(1);
      expect(await statusOf(ALICE)).toEqual({ online: false, lastSeen: null });
      expect(await presence.sweep()).not.toContain(ALICE);
      expect(await statusOf(ALICE)).toEqual({ online: false, lastSeen: null });
      expect(await statusOf(BOB)).toMatchObject({ online: true });
    });

    it('remembers a hidden address hidden, whatever is forgotten', async () => {
      await presence.setVisible(ALICE, false);
      clock.advance(2 * LAST_SEEN_MS);
      await presence.sweep();
      expect(await presence.connected(ALICE, 'a')).toBe(false);
      expect(await statusOf(ALICE)).toEqual({ online: false, lastSeen: null });
    });

    it('shows again when somebody hidden was last seen', async () => {
      await presence.connected(ALICE, 'a');
      await presence.setVisible(ALICE, false);
      await presence.disconnected(ALICE, 'a');
      const seen = clock.now();
      clock.advance(1000);
      expect(await presence.setVisible(ALICE, true)).toBe(false);
      expect(await statusOf(ALICE)).toEqual({ online: false, lastSeen: seen });
    });

    it('has nothing to say in a sweep while everybody is well', async () => {
      await presence.connected(ALICE, 'a');
      for (let i = 0; i < 12; i++) {
        clock.advance(SWEEP_EVERY_MS);
        expect(await presence.sweep()).toEqual([]);
      }
      expect(await statusOf(ALICE)).toMatchObject({ online: true });
    });

    it('gets it right when one comes and goes at once', async () => {
      const changes = Array.from({ length: 20 }, (_, i) => [
        presence.connected(ALICE, `c${i}`),
        presence.disconnected(ALICE, `c${i}`),
      ]);
      await Promise.all(changes.flat());
      expect(await statusOf(ALICE)).toMatchObject({ online: false });
      await Promise.all([presence.disconnected(ALICE, 'z'), presence.connected(ALICE, 'z')]);
      expect(await statusOf(ALICE)).toMatchObject({ online: true });
    });
  });
}
