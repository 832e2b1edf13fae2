import { MemoryKeyRepository } from '../../src/keys/key.repository.memory.js';
import { ManualClock } from '../support/manual-clock.js';
import { keyContract } from './key.contract.js';

keyContract('memory', () => {
  const clock = new ManualClock();
  return Promise.resolve({ keys: new MemoryKeyRepository(clock), clock, close: () => Promise.resolve() });
});
