import { MemoryNodeRepository } from '../../src/admin/node.repository.memory.js';
import { ManualClock } from '../support/manual-clock.js';
import { nodeContract } from './node.contract.js';

nodeContract('memory', () => {
  const clock = new ManualClock();
  return Promise.resolve({ nodes: new MemoryNodeRepository(clock), clock, close: () => Promise.resolve() });
});
