import type { Address } from '@relay/protocol';
import { NotExecuted, type RedisClient, type Script, type ScriptArgument } from '../redis/redis-client.redis.js';
import { bucketOf } from '../redis/redis-key.redis.js';
import { type EntryId, formatEntryId, msOf, sequenceOf } from './entry-id.js';
import { fingerprint } from './fingerprint.js';
import { Lanes } from './lanes.js';
import { digestOf } from './message-digest.redis.js';
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

/** Messages for one mailbox that expire together, in their order. */
interface Run {
  readonly mailbox: Address;
  readonly ttlMs: number;
  readonly waiting: Waiting[];
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
  /** How long a message may wait for its turn, if not as usual. */
  readonly patienceMs?: number;
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
  private runs: Run[] = [];
  /** The last run of each mailbox. */
  private mailboxes = new Map<Address, Run>();
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
    this.runOf(mailbox, message.ttlMs).waiting.push(waiting);
    this.messages++;
    this.characters += message.content.length;
    if (this.messages >= MOST_MESSAGES || this.characters >= MOST_CHARACTERS) this.send();
  };

  private runOf(mailbox: Address, ttlMs: number): Run {
    const last = this.mailboxes.get(mailbox);
    if (last?.ttlMs === ttlMs) return last;
    const run: Run = { mailbox, ttlMs, waiting: [] };
    this.mailboxes.set(mailbox, run);
    this.runs.push(run);
    return run;
  }

  private readonly send = (): void => {
    if (this.messages === 0) return;
    const { runs, messages } = this;
    this.runs = [];
    this.mailboxes = new Map();
    this.messages = 0;
    this.characters = 0;
    if (!this.options.client.isCluster) return this.call(runs, messages);
    for (const run of runs) this.call([run], run.waiting.length);
  };

  private call(runs: readonly Run[], messages: number): void {
    const { client, node, keysOf, listensTo, now } = this.options;
    const nowMs = now();
    const keys: string[] = [];
    const args: ScriptArgument[] = [nowMs, node];
    let characters = 0;
    for (const { mailbox, ttlMs, waiting } of runs) {
      for (const key of keysOf(mailbox)) keys.push(key);
      const expires = String(nowMs + ttlMs);
      args.push(mailbox, listensTo(mailbox) ? 1 : 0, waiting.length, expires);
      for (const { message } of waiting) {
        const { from, messageId, content, timestamp } = message;
        const { letter, text } = packContent(content);
        characters += content.length;
        // Decimal: in another base a number of 53 bits takes a microsecond to write.
        args.push(digestOf(from, messageId), letter + String(fingerprint(content)));
        const bytes = Buffer.byteLength(text);
        // ASCII: the whole is not looked through again for its length.
        const header = `${bytes} ${expires} ${timestamp} ${from} ${messageId}\n`;
        args.push({ text: header + text, bytes: header.length + bytes });
      }
    }
    const lanes = this.lanesOf(runs[0]!.mailbox);
    client.run(this.script, keys, args, messages).then(
      (replies) => {
        lanes.left(messages, characters);
        runs.forEach((run, i) => this.answer(run, (replies as MailboxReply[])[i]!));
      },
      (error: unknown) => {
        lanes.left(messages, characters);
        for (const { waiting } of runs) for (const one of waiting) this.fail(one, error);
      },
    );
  }

  private lanesOf(mailbox: Address): Lanes<Waiting> {
    const group = this.options.client.isCluster ? bucketOf(mailbox) : 0;
    let lanes = this.lanes.get(group);
    if (lanes === undefined) {
      const refuse = (waiting: Waiting): void => this.fail(waiting, new NotExecuted('Too much waits for storage'));
      const { patienceMs, now } = this.options;
      lanes = new Lanes({ now, go: this.gather, refuse, backlog: this.backlog, patienceMs });
      this.lanes.set(group, lanes);
    }
    return lanes;
  }

  private answer({ mailbox, waiting: some }: Run, reply: MailboxReply): void {
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
