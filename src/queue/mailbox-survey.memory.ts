import type { Address } from '@relay/protocol';
import { type MailboxLoad, MailboxSurvey } from './mailbox-survey.js';
import type { MemoryQueueRepository } from './queue.repository.memory.js';

const MAILBOXES_PER_PART = 2_000;

export class MemoryMailboxSurvey extends MailboxSurvey {
  constructor(private readonly queue: MemoryQueueRepository) {
    super();
  }

  override load(mailbox: Address): Promise<MailboxLoad> {
    return Promise.resolve(this.queue.load(mailbox));
  }

  override async *round(): AsyncGenerator<readonly MailboxLoad[], undefined> {
    let part: MailboxLoad[] = [];
    let seen = 0;
    for (const load of this.queue.loads()) {
      if (load.messages > 0) part.push(load);
      if (++seen % MAILBOXES_PER_PART > 0) continue;
      yield await Promise.resolve(part);
      part = [];
    }
    yield part;
  }
}
