import { MemorySignInLinkRepository } from '../../src/auth/sign-in-link.repository.memory.js';
import { ManualClock } from '../support/manual-clock.js';
import { signInLinkContract } from './sign-in-link.contract.js';

signInLinkContract('memory', (maxLinks = 1000) => {
  const clock = new ManualClock();
  const links = new MemorySignInLinkRepository(clock, maxLinks);
  return Promise.resolve({ nodes: [links, links, links], clock, close: () => Promise.resolve() });
});
