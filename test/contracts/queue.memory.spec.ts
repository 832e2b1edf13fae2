import { MemoryQueueRepository } from '../../src/queue/queue.repository.memory.js';
import { ManualClock } from '../support/manual-clock.js';
import { CONTRACT, queueContract } from './queue.contract.js';

queueContract('memory', (options) => {
  const clock = new ManualClock();
  return Promise.resolve({
    queue: new MemoryQueueRepository({ clock, ...CONTRACT, ...options, maxTotalBytes: Infinity }),
    clock,
    close: () => Promise.resolve(),
  });
});
