import { MemoryPresenceRepository } from '../../src/presence/presence.repository.memory.js';
import { ManualClock } from '../support/manual-clock.js';
import { presenceContract } from './presence.contract.js';

presenceContract('memory', () => {
  const clock = new ManualClock();
  return Promise.resolve({ presence: new MemoryPresenceRepository(clock), clock, close: () => Promise.resolve() });
});
