import { MemoryContactRepository } from '../../src/contacts/contact.repository.memory.js';
import { MemoryQueueRepository } from '../../src/queue/queue.repository.memory.js';
import { ManualClock } from '../support/manual-clock.js';
import { CONTRACT, queueContract } from './queue.contract.js';

queueContract('memory', (options) => {
  const clock = new ManualClock();
  const contacts = new MemoryContactRepository(clock);
  return Promise.resolve({
    queue: new MemoryQueueRepository({ clock, ...CONTRACT, ...options, maxTotalBytes: Infinity, screen: contacts }),
    contacts,
    clock,
    ledgerParts: 1,
    close: () => Promise.resolve(),
  });
});
