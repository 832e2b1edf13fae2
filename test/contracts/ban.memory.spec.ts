import { MemoryBanRepository } from '../../src/bans/ban.repository.memory.js';
import { ManualClock } from '../support/manual-clock.js';
import { banContract } from './ban.contract.js';

banContract('memory', () => {
  const clock = new ManualClock();
  return Promise.resolve({ bans: new MemoryBanRepository(clock), clock, close: () => Promise.resolve() });
});
