import { MemorySignInLinkRepository } from '../../src/auth/sign-in-link.repository.memory.js';
import type { Address } from '@relay/protocol';
import { addressOf } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { signInLinkContract } from './sign-in-link.contract.js';

signInLinkContract('memory', () => {
  const clock = new ManualClock();
  const links = new MemorySignInLinkRepository(clock);
  return Promise.resolve({ nodes: [links, links, links], clock, close: () => Promise.resolve() });
});

it('has room for so many links, and for others once some are over', async () => {
  const clock = new ManualClock();
  const links = new MemorySignInLinkRepository(clock, 2);
  const begin = (token: string) => links.begin(token, addressOf(1) as Address, 'nonce', 1000);
  await begin('a');
  await begin('b');
  await expect(begin('c')).rejects.toMatchObject({ code: 'store_unavailable' });
  clock.advance(1000);
  expect(await begin('c')).toBe(true);
});
