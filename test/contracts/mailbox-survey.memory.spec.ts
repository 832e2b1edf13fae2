import { MemoryMailboxSurvey } from '../../src/queue/mailbox-survey.memory.js';
import { MemoryQueueRepository } from '../../src/queue/queue.repository.memory.js';
import { ManualClock } from '../support/manual-clock.js';
import { mailboxSurveyContract } from './mailbox-survey.contract.js';

mailboxSurveyContract('memory', () => {
  const clock = new ManualClock();
  const rules = { retentionMs: 3_600_000, historyMs: 0, maxReceipts: 100, maxDevices: 10, maxTotalBytes: 1e9 };
  const queue = new MemoryQueueRepository({ clock, ...rules });
  return Promise.resolve({ survey: new MemoryMailboxSurvey(queue), queue, clock, close: () => Promise.resolve() });
});
