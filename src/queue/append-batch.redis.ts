import type { Address } from '@relay/protocol';
import { NotExecuted, type RedisClient, type Script } from '../redis/redis-client.redis.js';
import { bucketOf } from '../redis/redis-key.redis.js';
import { type EntryId, formatEntryId, msOf, sequenceOf } from './entry-id.js';
import { fingerprint } from './fingerprint.js';
import { Lanes } from './lanes.js';
import { packContent } from './packed-entry.redis.js';
import type { Appended, NewMessage } from './queue.repository.js';

/** As append.lua answers; `failed`: a mistake of ours, or a damaged mailbox. */
export type AppendReply = readonly [string, (string | number)?, number?];
/** As append-many.lua answers for one mailbox. */
type MailboxReply = string | readonly [string, number] | readonly AppendReply[];

/** An entry's id, and the two numbers in it. */
export interface Place {
  readonly id: EntryId;
  readonly ms: number;
  readonly sequence: number;
}

interface Waiting {
  readonly mailbox: Address;
  readonly message: NewMessage;
  resolve(appended: Appended | Promise<Appended>): void;
  reject(error: unknown): void;
}

interface Size {
  readonly messages: number;
  readonly characters: number;
}

export interface BatchOptions {
  readonly client: RedisClient;
  readonly node: string;
  now(): number;
  /** mb, st, tot and exp of a mailbox. */
  keysOf(mailbox: Address): readonly string[];
  listensTo(mailbox: Address): boolean;
  stored(mailbox: Address, message: NewMessage, place: Place, others: number): Appended | Promise<Appended>;
  /** Not stored one after the other with all others. */
  answered(mailbox: Address, message: NewMessage, reply: AppendReply): Appended | Promise<Appended>;
  /** Redis did not answer, or not as it should. */
  failed(error: unknown): Appended;
}

/** One call keeps Redis from all others for as long as it takes, some tenths of a millisecond. */
const MOST_MESSAGES = 64;
const MOST_CHARACTERS = 256 * 1024;

/**
 * What one turn of the event loop appends, in one call of a script, which costs Redis and us a multiple of what it does
 * for one message; in a Cluster, where a call stays within one slot, in one for each mailbox. Messages of one mailbox stay in their order, but for those
 * of different senders where more wants to Redis than it takes: there the senders take turns.
 */
export class AppendBatch {
  private mailboxes = new Map<Address, Waiting[]>();
  private messages = 0;
  private characters = 0;
  /** By bucket in a Cluster, where a primary that does not answer must not keep what goes to another; there is one else. */
  private readonly lanes = new Map<number, Lanes<Waiting>>();
  private readonly backlog = { items: 0, characters: 0 };

  constructor(
    private readonly script: Script,
    private readonly options: BatchOptions,
  ) {}

  add(mailbox: Address, message: NewMessage): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const waiting = { mailbox, message, resolve, reject };
      this.lanesOf(mailbox).enter(message.from, waiting, message.content.length);
    });
  }

  private readonly gather = (waiting: Waiting): void => {
    const { mailbox, message } = waiting;
    if (this.messages === 0) this.options.client.whenTurnEnds(this.send);
    const others = this.mailboxes.get(mailbox);
    if (others === undefined) this.mailboxes.set(mailbox, [waiting]);
    else others.push(waiting);
    this.messages++;
    this.characters += message.content.length;
    if (this.messages >= MOST_MESSAGES || this.characters >= MOST_CHARACTERS) this.send();
  };

  private readonly send = (): void => {
    if (this.messages === 0) return;
    const { mailboxes, messages, characters } = this;
    this.mailboxes = new Map();
    this.messages = 0;
    this.characters = 0;
    if (!this.options.client.isCluster) return this.call([...mailboxes], { messages, characters });
    for (const one of mailboxes) this.call([one], sizeOf(one[1]));
  };

  private call(mailboxes: readonly (readonly [Address, readonly Waiting[]])[], { messages, characters }: Size): void {
    const { client, node, keysOf, listensTo, now } = this.options;
    const nowMs = now();
    const keys: string[] = [];
    const args: (string | number)[] = [nowMs, node];
    for (const [mailbox, some] of mailboxes) {
      for (const key of keysOf(mailbox)) keys.push(key);
      args.push(mailbox, listensTo(mailbox) ? 1 : 0, some.length);
      for (const { message } of some) {
        const { from, messageId, content, timestamp, ttlMs } = message;
        const { letter, text } = packContent(content);
        // Decimal: in another base a number of 53 bits takes a microsecond to write.
        args.push(from, messageId, letter + String(fingerprint(content)), nowMs + ttlMs, timestamp, text);
      }
    }
    const lanes = this.lanesOf(mailboxes[0]![0]);
    client.run(this.script, keys, args, messages).then(
      (replies) => {
        lanes.left(messages, characters);
        mailboxes.forEach(([mailbox, some], i) => this.answer(mailbox, some, (replies as MailboxReply[])[i]!));
      },
      (error: unknown) => {
        lanes.left(messages, characters);
        for (const [, some] of mailboxes) for (const waiting of some) this.fail(waiting, error);
      },
    );
  }

  private lanesOf(mailbox: Address): Lanes<Waiting> {
    const group = this.options.client.isCluster ? bucketOf(mailbox) : 0;
    let lanes = this.lanes.get(group);
    if (lanes === undefined) {
      const refuse = (waiting: Waiting): void => this.fail(waiting, new NotExecuted('Too much waits for storage'));
      lanes = new Lanes({ now: () => this.options.now(), go: this.gather, refuse, backlog: this.backlog });
      this.lanes.set(group, lanes);
    }
    return lanes;
  }

  private answer(mailbox: Address, some: readonly Waiting[], reply: MailboxReply): void {
    const [first, others] = typeof reply === 'string' ? [reply, 0] : reply;
    if (typeof first !== 'string') return this.answerEach(mailbox, some, reply as readonly AppendReply[]);
    // All were stored one after the other; the id is that of the last.
    const ms = msOf(first as EntryId);
    let sequence = sequenceOf(first as EntryId) - some.length;
    for (const { message, resolve } of some) {
      sequence++;
      const place = { id: formatEntryId(ms, sequence), ms, sequence };
      resolve(this.options.stored(mailbox, message, place, others as number));
    }
  }

  private answerEach(mailbox: Address, some: readonly Waiting[], replies: readonly AppendReply[]): void {
    some.forEach((waiting, i) => {
      const reply = replies[i]!;
      if (reply[0] === 'failed') this.fail(waiting, new Error(`${this.script.name}: ${reply[1]}`));
      else waiting.resolve(this.options.answered(mailbox, waiting.message, reply));
    });
  }

  private fail({ resolve, reject }: Waiting, error: unknown): void {
    try {
      resolve(this.options.failed(error));
    } catch (unexpected) {
      reject(unexpected);
    }
  }
}

function sizeOf(some: readonly Waiting[]): Size {
  return { messages: some.length, characters: some.reduce((sum, { message }) => sum + message.content.length, 0) };
}
