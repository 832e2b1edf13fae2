import { MemoryPresenceRepository } from '../../src/presence/presence.repository.memory.js';
import { ManualClock } from '../support/manual-clock.js';
import { LAST_SEEN_MS, presenceContract } from './presence.contract.js';

presenceContract('memory', () => {
  const clock = new ManualClock();
  const presence = new MemoryPresenceRepository(clock, LAST_SEEN_MS);
  return Promise.resolve({ presence, clock, close: () => Promise.resolve() });
});
