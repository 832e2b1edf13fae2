import type { Address } from '@relay/protocol';
import type { SignInLinkRepository } from '../../src/auth/sign-in-link.repository.js';
import { addressOf } from '../support/classic-client.js';
import type { ManualClock } from '../support/manual-clock.js';

export interface LinksUnderTest {
  /** Three nodes' views of one store; the same one thrice where a store is of one node. */
  readonly nodes: readonly SignInLinkRepository[];
  readonly clock: ManualClock;
  readonly close: () => Promise<void>;
}

const ALICE = addressOf(1) as Address;
const BOB = addressOf(2) as Address;
const TOKEN = '428489af-3ca1-4861-b1c7-5f634f6466e2';
const TTL_MS = 60_000;

/** The rules of `SignInLinkRepository`, for every implementation. */
export function signInLinkContract(name: string, open: (maxLinks?: number) => Promise<LinksUnderTest>): void {
  describe(`SignInLinkRepository: ${name}`, () => {
    let links: SignInLinkRepository;
    let nodes: readonly SignInLinkRepository[];
    let clock: ManualClock;
    let close: () => Promise<void>;

    beforeEach(async () => {
      ({ nodes, clock, close } = await open());
      links = nodes[0]!;
    });

    afterEach(() => close());

    const begin = (token = TOKEN, nonce = 'nonce-1', address = ALICE) => links.begin(token, address, nonce, TTL_MS);

    it('gives back what was begun', async () => {
      expect(await links.find(TOKEN)).toBeNull();
      expect(await begin()).toBe(true);
      expect(await links.find(TOKEN)).toEqual({ address: ALICE, nonce: 'nonce-1', provenForMs: null });
    });

    it('takes any token as it is, and keeps them apart', async () => {
      const tokens = ['a', 'A', '{a}', '*', '0', '__proto__', 'x'.repeat(128)];
      for (const token of tokens) expect(await begin(token, `nonce-of-${token}`)).toBe(true);
      for (const token of tokens) expect(await links.find(token)).toMatchObject({ nonce: `nonce-of-${token}` });
    });

    it('begins once with a token, also when it is proven', async () => {
      await begin();
      expect(await begin(TOKEN, 'nonce-2', BOB)).toBe(false);
      await links.prove(TOKEN, 'nonce-1', TTL_MS);
      expect(await begin(TOKEN, 'nonce-2', BOB)).toBe(false);
      expect(await links.find(TOKEN)).toMatchObject({ address: ALICE, nonce: 'nonce-1' });
    });

    it('has one winner of many that begin at once, on any node', async () => {
      const races = Array.from({ length: 30 }, (_, i) => nodes[i % 3]!.begin(TOKEN, ALICE, `nonce-${i}`, TTL_MS));
      expect((await Promise.all(races)).filter(Boolean)).toHaveLength(1);
    });

    it('proves with its own nonce only, once, and says how long ago', async () => {
      await begin();
      expect(await links.prove(TOKEN, 'nonce-2', TTL_MS)).toBe(false);
      expect(await links.prove('another', 'nonce-1', TTL_MS)).toBe(false);
      expect(await links.find(TOKEN)).toMatchObject({ provenForMs: null });
      expect(await links.prove(TOKEN, 'nonce-1', TTL_MS)).toBe(true);
      clock.advance(7);
      expect(await links.find(TOKEN)).toEqual({ address: ALICE, nonce: 'nonce-1', provenForMs: 7 });
      expect(await links.prove(TOKEN, 'nonce-1', TTL_MS)).toBe(false);
    });

    it('has one winner of each of a hundred races for one nonce over three nodes', async () => {
      for (let race = 0; race < 100; race++) {
        const token = `token-${race}`;
        await begin(token, `nonce-${race}`);
        const tries = Array.from({ length: 9 }, (_, i) => nodes[i % 3]!.prove(token, `nonce-${race}`, TTL_MS));
        expect((await Promise.all(tries)).filter(Boolean)).toHaveLength(1);
      }
    });

    it('is over when its time is; its token may then begin anew', async () => {
      await begin();
      clock.advance(TTL_MS - 1);
      expect(await links.find(TOKEN)).not.toBeNull();
      clock.advance(1);
      expect(await links.find(TOKEN)).toBeNull();
      expect(await links.prove(TOKEN, 'nonce-1', TTL_MS)).toBe(false);
      expect(await begin(TOKEN, 'nonce-2')).toBe(true);
      expect(await links.prove(TOKEN, 'nonce-1', TTL_MS)).toBe(false);
    });

    it('lasts for its new time once it is proven', async () => {
      await begin();
      await links.prove(TOKEN, 'nonce-1', 3 * TTL_MS);
      clock.advance(3 * TTL_MS - 1);
      expect(await links.find(TOKEN)).not.toBeNull();
      clock.advance(1);
      expect(await links.take(TOKEN)).toBeNull();
    });

    it('is taken by one, and only when it is proven', async () => {
      await begin();
      expect(await links.take(TOKEN)).toBeNull();
      await links.prove(TOKEN, 'nonce-1', TTL_MS);
      const taken = await Promise.all(Array.from({ length: 9 }, (_, i) => nodes[i % 3]!.take(TOKEN)));
      expect(taken.filter((address) => address !== null)).toEqual([ALICE]);
      expect(await links.find(TOKEN)).toBeNull();
    });

    describe('with room for three', () => {
      beforeEach(async () => {
        await close();
        ({ nodes, clock, close } = await open(3));
        links = nodes[0]!;
      });

      /** One after the other, each on another node. */
      async function beginAll(...tokens: readonly string[]): Promise<void> {
        for (const [i, token] of tokens.entries()) {
          expect(await nodes[i % 3]!.begin(token, ALICE, `nonce-of-${token}`, TTL_MS)).toBe(true);
          clock.advance(1);
        }
      }

      async function proveAll(...tokens: readonly string[]): Promise<void> {
        for (const [i, token] of tokens.entries()) {
          expect(await nodes[i % 3]!.prove(token, `nonce-of-${token}`, 3 * TTL_MS)).toBe(true);
          clock.advance(1);
        }
      }

      async function leftOf(...tokens: readonly string[]): Promise<string[]> {
        const found = await Promise.all(tokens.map((token) => links.find(token)));
        return tokens.filter((_, i) => found[i] !== null);
      }

      it('takes in who comes later, and the oldest that waits gives way', async () => {
        await beginAll('d', 'c', 'b', 'a');
        expect(await leftOf('d', 'c', 'b', 'a')).toEqual(['c', 'b', 'a']);
        expect(await links.prove('d', 'nonce-of-d', TTL_MS)).toBe(false);
        await beginAll('d');
        expect(await leftOf('d', 'c', 'b', 'a')).toEqual(['d', 'b', 'a']);
      });

      it('keeps what is proven, however many begin', async () => {
        await beginAll('mine');
        await proveAll('mine');
        await beginAll(...Array.from({ length: 20 }, (_, i) => `flood-${i}`));
        expect(await links.take('mine')).toBe(ALICE);
      });

      it('keeps what waits, however many are proven, of which the oldest gives way', async () => {
        await beginAll('mine');
        for (const token of ['p1', 'p2', 'p3', 'p4']) {
          await beginAll(token);
          await proveAll(token);
        }
        expect(await leftOf('mine', 'p1', 'p2', 'p3', 'p4')).toEqual(['mine', 'p2', 'p3', 'p4']);
        expect(await links.take('p1')).toBeNull();
      });

      it('has room again for each that ended, was proven, or is over', async () => {
        await beginAll('a', 'b', 'c');
        await links.drop('b');
        await proveAll('c');
        await beginAll('d', 'e');
        expect(await leftOf('a', 'b', 'c', 'd', 'e')).toEqual(['a', 'c', 'd', 'e']);
        await beginAll('f', 'g');
        await proveAll('f', 'g');
        await links.take('f');
        await beginAll('h');
        await proveAll('h');
        expect(await leftOf('c', 'f', 'g', 'h')).toEqual(['c', 'g', 'h']);
        clock.advance(TTL_MS);
        await beginAll('a', 'b', 'd');
        expect(await leftOf('a', 'b', 'd', 'c', 'g', 'h')).toEqual(['a', 'b', 'd', 'c', 'g', 'h']);
      });
    });

    it('is dropped in any state', async () => {
      await begin();
      await links.drop(TOKEN);
      expect(await links.find(TOKEN)).toBeNull();
      await begin();
      await links.prove(TOKEN, 'nonce-1', TTL_MS);
      await links.drop(TOKEN);
      await links.drop(TOKEN);
      expect(await links.take(TOKEN)).toBeNull();
    });
  });
}
