import type { Address } from '@relay/protocol';
import {
  MAX_SESSIONS,
  SESSION_MS,
  type SessionRepository,
  UNPROVEN,
  USE_RECORDED_EVERY_MS,
} from '../../src/auth/session.repository.js';
import { addressOf } from '../support/classic-client.js';
import type { ManualClock } from '../support/manual-clock.js';

export interface SessionsUnderTest {
  readonly sessions: SessionRepository;
  readonly clock: ManualClock;
  readonly close: () => Promise<void>;
}

const ALICE = addressOf(1) as Address;
const BOB = addressOf(2) as Address;

/** The rules of `SessionRepository`, for every implementation. */
export function sessionContract(name: string, open: () => Promise<SessionsUnderTest>): void {
  describe(`SessionRepository: ${name}`, () => {
    let sessions: SessionRepository;
    let clock: ManualClock;
    let close: () => Promise<void>;

    beforeEach(async () => {
      ({ sessions, clock, close } = await open());
    });

    afterEach(() => close());

    const create = async (address: Address, device: string) => (await sessions.create(address, device)).token;

    it('gives a token of 256 bits, which opens the session that it is of', async () => {
      const { token, session } = await sessions.create(ALICE, 'phone');
      const now = clock.now();
      expect(token).toMatch(/^rs_[0-9a-f]{40}_[A-Za-z0-9_-]{43}$/);
      expect(session).toMatchObject({ address: ALICE, device: 'phone', createdAt: now, expiresAt: now + SESSION_MS });
      expect(token).not.toContain(session.id);
      expect(await sessions.use(token)).toEqual(session);
      expect(await create(ALICE, 'phone')).not.toBe(token);
    });

    it('knows no token but those, whatever it looks like', async () => {
      const token = await create(ALICE, 'phone');
      const secret = token.slice(-43);
      const others = [
        '',
        'x',
        secret,
        token.slice(0, -1),
        `${token}A`,
        token.toUpperCase(),
        `rs_${BOB.slice(2)}_${secret}`,
        `rs_${'0'.repeat(40)}_${secret}`,
        `rs_${ALICE.slice(2)}_${'A'.repeat(43)}`,
        `rs_${ALICE.slice(2)}_${'*'.repeat(43)}`,
      ];
      for (const other of others) expect(await sessions.use(other)).toBeNull();
    });

    it('moves the end on with each use, and ends after 30 days without', async () => {
      const token = await create(ALICE, 'phone');
      for (let month = 0; month < 3; month++) {
        clock.advance(SESSION_MS - 1);
        expect(await sessions.use(token)).toMatchObject({
          lastUsedAt: clock.now(),
          expiresAt: clock.now() + SESSION_MS,
        });
      }
      clock.advance(SESSION_MS);
      expect(await sessions.use(token)).toBeNull();
      expect(await sessions.list(ALICE)).toEqual([]);
      expect(await sessions.revoke(ALICE, 'phone')).toBe(false);
      expect(await sessions.use(token)).toBeNull();
    });

    it('need not move the end on within an hour', async () => {
      const token = await create(ALICE, 'phone');
      clock.advance(USE_RECORDED_EVERY_MS - 1);
      const { expiresAt } = (await sessions.use(token))!;
      expect(expiresAt).toBeGreaterThan(clock.now() + SESSION_MS - USE_RECORDED_EVERY_MS);
      clock.advance(expiresAt - clock.now());
      expect(await sessions.use(token)).toBeNull();
    });

    it('moves the end on for a live connection too', async () => {
      const { token, session } = await sessions.create(ALICE, 'phone');
      clock.advance(SESSION_MS - 1);
      expect(await sessions.keep(session)).toMatchObject({ id: session.id, expiresAt: clock.now() + SESSION_MS });
      clock.advance(SESSION_MS - 1);
      expect(await sessions.use(token)).not.toBeNull();
      expect(await sessions.keep({ ...session, id: 'other' })).toBeNull();
      await sessions.revoke(ALICE, 'phone');
      expect(await sessions.keep(session)).toBeNull();
    });

    it('goes by time that passed, not by a wall clock that jumps', async () => {
      const token = await create(ALICE, 'phone');
      clock.jump(2 * SESSION_MS);
      expect(await sessions.use(token)).not.toBeNull();
    });

    it('has one session for each device', async () => {
      const old = await create(ALICE, 'phone');
      const tablet = await create(ALICE, 'tablet');
      const bobs = await create(BOB, 'phone');
      clock.advance(1);
      const { token, session } = await sessions.create(ALICE, 'phone');
      expect(await sessions.use(old)).toBeNull();
      for (const each of [token, tablet, bobs]) expect(await sessions.use(each)).not.toBeNull();
      expect((await sessions.list(ALICE)).map(({ device }) => device)).toEqual(['phone', 'tablet']);
      expect((await sessions.list(ALICE))[0]).toEqual(session);
    });

    it('keeps one of two that are made for a device at once', async () => {
      const tokens = await Promise.all(Array.from({ length: 20 }, () => create(ALICE, 'phone')));
      const alive = await Promise.all(tokens.map((token) => sessions.use(token)));
      expect(alive.filter((session) => session !== null)).toHaveLength(1);
      expect(await sessions.list(ALICE)).toHaveLength(1);
    });

    it('ends the one unused for longest where there are too many', async () => {
      const first = await sessions.create(ALICE, 'd0');
      const second = await sessions.create(ALICE, 'd1');
      clock.advance(USE_RECORDED_EVERY_MS);
      for (let i = 2; i < MAX_SESSIONS; i++) await sessions.create(ALICE, `d${i}`);
      clock.advance(USE_RECORDED_EVERY_MS);
      await sessions.use(first.token);
      const { mark } = await sessions.revokedSince(null);
      await sessions.create(ALICE, 'one-more');
      expect(await sessions.list(ALICE)).toHaveLength(MAX_SESSIONS);
      expect(await sessions.use(second.token)).toBeNull();
      expect(await sessions.use(first.token)).not.toBeNull();
      expect((await sessions.revokedSince(mark)).revoked.map(({ id }) => id)).toEqual([second.session.id]);
    });

    it('remembers who has signed in, also when the sessions are over', async () => {
      expect(await sessions.hasSignedIn(ALICE)).toBe(false);
      await create(ALICE, 'phone');
      expect(await sessions.hasSignedIn(ALICE)).toBe(true);
      expect(await sessions.hasSignedIn(BOB)).toBe(false);
      await sessions.revoke(ALICE, 'phone');
      clock.advance(2 * SESSION_MS);
      expect(await sessions.hasSignedIn(ALICE)).toBe(true);
    });

    it('revokes once, and that session only', async () => {
      const phone = await create(ALICE, 'phone');
      const tablet = await create(ALICE, 'tablet');
      expect(await sessions.revoke(ALICE, 'other')).toBe(false);
      expect(await sessions.revoke(BOB, 'phone')).toBe(false);
      const answers = await Promise.all([sessions.revoke(ALICE, 'phone'), sessions.revoke(ALICE, 'phone')]);
      expect(answers.sort()).toEqual([false, true]);
      expect(await sessions.use(phone)).toBeNull();
      expect(await sessions.use(tablet)).not.toBeNull();
    });

    it('ends the very session that is named, and none that came after it on the device', async () => {
      const { session: earlier } = await sessions.create(ALICE, 'phone');
      const { token, session } = await sessions.create(ALICE, 'phone');
      const tablet = await create(ALICE, 'tablet');
      const { mark } = await sessions.revokedSince(null);
      expect(await sessions.end(earlier)).toBe(false);
      expect(await sessions.end({ ...session, address: BOB })).toBe(false);
      expect(await sessions.use(token)).not.toBeNull();
      expect(await sessions.end(session)).toBe(true);
      expect(await sessions.end(session)).toBe(false);
      expect(await sessions.use(token)).toBeNull();
      expect(await sessions.use(tablet)).not.toBeNull();
      expect((await sessions.revokedSince(mark)).revoked.map(({ id }) => id)).toEqual([session.id]);
      expect(await sessions.hasSignedIn(ALICE)).toBe(true);
    });

    it('tells what was revoked since a mark: each once, and nothing from before', async () => {
      const { session: phone } = await sessions.create(ALICE, 'phone');
      await sessions.create(BOB, 'tablet');
      await sessions.create(ALICE, 'tablet');
      await sessions.revoke(ALICE, 'tablet');
      const start = await sessions.revokedSince(null);
      expect(start).toMatchObject({ revoked: [], missed: false });
      await sessions.revoke(ALICE, 'phone');
      const { session: replaced } = await sessions.create(BOB, 'phone');
      await sessions.create(BOB, 'phone');
      const names = [phone, replaced].map(({ id, address, device }) => ({ id, address, device }));
      const after = await sessions.revokedSince(start.mark);
      expect(after).toMatchObject({ revoked: names, missed: false });
      // Another node asks by its own mark.
      expect((await sessions.revokedSince(start.mark)).revoked).toEqual(names);
      expect(await sessions.revokedSince(after.mark)).toMatchObject({ revoked: [], missed: false, mark: after.mark });
    });

    it('tells of the first sign-in, which ends what was believed, and of it alone', async () => {
      const { mark } = await sessions.revokedSince(null);
      await sessions.create(ALICE, 'phone');
      await sessions.create(ALICE, 'tablet');
      expect((await sessions.revokedSince(mark)).revoked).toEqual([{ id: UNPROVEN, address: ALICE, device: '' }]);
    });

    it('says so where a mark means nothing to it', async () => {
      await sessions.create(ALICE, 'phone');
      await sessions.revoke(ALICE, 'phone');
      const { mark } = await sessions.revokedSince('99999999999999-5');
      expect((await sessions.revokedSince('99999999999999-5')).missed).toBe(true);
      expect((await sessions.revokedSince(mark)).missed).toBe(false);
    });
  });
}
