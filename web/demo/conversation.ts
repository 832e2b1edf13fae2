import type { AppData, Change, Receipt } from '@relay/client';
import { type BurstEntry, type Entry, isNews, runOf, type Status, type TextEntry } from './entries.js';

const PREFIX = 'entry/';
const SEQUENCE_DIGITS = 10;
/** More than anybody scrolls back in a demonstration, and far less than a window may keep. */
const MAX_ENTRIES = 300;

/** Takes changes that are to be written together with something else. */
export type Put = (key: string, value: string) => void;

type Draft<Kind extends Entry> = Omit<Kind, 'sequence' | 'at'>;
type News = Partial<Pick<BurstEntry, 'count' | 'good' | 'tookMs' | 'of'>> & { readonly status?: Status };

/** What was said in this window, oldest first. It survives a reload in the client's store. */
export class Conversation {
  private readonly entries = new Map<string, Entry>();
  private nextSequence = 0;

  private constructor(
    private readonly data: AppData,
    private readonly now: () => number,
    private readonly changed: (entry: Entry) => void,
  ) {}

  static async load(data: AppData, now: () => number, changed: (entry: Entry) => void): Promise<Conversation> {
    const conversation = new Conversation(data, now, changed);
    for (const [, value] of await data.list(PREFIX)) conversation.restore(JSON.parse(value) as Entry);
    return conversation;
  }

  get all(): readonly Entry[] {
    return [...this.entries.values()];
  }

  text(messageId: string, text: string): TextEntry {
    return this.add({ kind: 'text', isMine: true, messageId, text, status: 'waiting' });
  }

  burst(run: string, of: number): BurstEntry {
    return this.add({ kind: 'burst', isMine: true, run, of, count: 0, good: 0, tookMs: 0, status: 'waiting' });
  }

  /** One more of a burst is in the outbox. */
  burstGrew(run: string): void {
    const entry = this.entries.get(nameOf(true, run));
    if (entry?.kind === 'burst') this.update(entry, { count: entry.count + 1 });
  }

  /** Written with the mark that it was handed over, so it stands here once. */
  theirText(messageId: string, text: string, put: Put): void {
    this.add<TextEntry>({ kind: 'text', isMine: false, messageId, text, status: 'delivered' }, put);
  }

  theirBurst({ run, index, of }: { run: string; index: number; of: number }, put: Put): void {
    const known = this.entries.get(nameOf(false, run));
    const none: Draft<BurstEntry> = {
      kind: 'burst',
      isMine: false,
      run,
      of,
      count: 0,
      good: 0,
      tookMs: 0,
      status: 'queued',
    };
    const entry = known?.kind === 'burst' ? known : this.add(none, put);
    const good = entry.good + (index === entry.good ? 1 : 0);
    const status = good === of ? 'delivered' : 'queued';
    this.update(entry, { count: entry.count + 1, good, tookMs: this.now() - entry.at, status }, put);
  }

  /** What the relay said of one of mine. */
  receipt({ kind, messageId }: Pick<Receipt, 'kind' | 'messageId'>): void {
    const run = runOf(messageId);
    const entry = this.entries.get(nameOf(true, run ?? messageId));
    if (kind === 'read') return this.readUpTo(entry);
    if (entry?.kind === 'text') return this.advance(entry, kind);
    if (entry?.kind !== 'burst' || kind !== 'delivered') return;
    const good = entry.good + 1;
    this.update(entry, { good, tookMs: this.now() - entry.at });
    this.advance(this.entries.get(nameOf(true, entry.run))!, good === entry.of ? 'delivered' : 'queued');
  }

  failed(messageId: string): void {
    const entry = this.entries.get(nameOf(true, runOf(messageId) ?? messageId));
    if (entry !== undefined) this.advance(entry, 'failed');
  }

  /** The newest of theirs that nobody had seen; from now on all of them are. */
  seen(): Entry | null {
    const unseen = this.all.filter(({ isMine, status }) => !isMine && status === 'delivered');
    for (const entry of unseen) this.update(entry, { status: 'read' });
    return unseen.at(-1) ?? null;
  }

  get unseenCount(): number {
    return this.all.filter(({ isMine, status }) => !isMine && status === 'delivered').length;
  }

  /** The newest of theirs that was seen. */
  get newestSeen(): Entry | null {
    return this.all.findLast(({ isMine, status }) => !isMine && status === 'read') ?? null;
  }

  async clear(): Promise<void> {
    const changes = this.all.map(({ sequence }): Change => [keyOf(sequence), null]);
    this.entries.clear();
    await this.data.write(changes);
  }

  /**
   * Who has seen one has seen what came before it. What never came stays as it is: a relay in memory may have forgotten it while its
   * sender was already told that it is there.
   */
  private readUpTo(last: Entry | undefined): void {
    if (last === undefined) return;
    const earlier = this.all.filter(({ isMine, sequence }) => isMine && sequence < last.sequence);
    for (const entry of earlier) if (entry.status === 'delivered') this.advance(entry, 'read');
    this.advance(last, 'read');
  }

  private advance(entry: Entry, status: Status): void {
    if (isNews(entry.status, status)) this.update(entry, { status });
  }

  private add<Kind extends Entry>(draft: Draft<Kind>, put?: Put): Kind {
    const entry = { ...draft, sequence: this.nextSequence++, at: this.now() } as Kind;
    this.save(entry, put);
    this.forgetOldest();
    return entry;
  }

  private update(entry: Entry, news: News, put?: Put): void {
    this.save({ ...entry, ...news }, put);
  }

  private save(entry: Entry, put?: Put): void {
    this.entries.set(nameOf(entry.isMine, entry.kind === 'text' ? entry.messageId : entry.run), entry);
    const change = [keyOf(entry.sequence), JSON.stringify(entry)] as const;
    // A window whose storage is full shows everything all the same, until it is loaded again.
    if (put === undefined) this.data.write([change]).catch(() => undefined);
    else put(...change);
    this.changed(entry);
  }

  private restore(entry: Entry): void {
    // What was not in the outbox when the window was loaded again never will be.
    const whole = entry.kind === 'burst' && entry.isMine ? { ...entry, of: entry.count } : entry;
    this.entries.set(nameOf(entry.isMine, entry.kind === 'text' ? entry.messageId : entry.run), whole);
    this.nextSequence = Math.max(this.nextSequence, entry.sequence + 1);
  }

  private forgetOldest(): void {
    if (this.entries.size <= MAX_ENTRIES) return;
    const [name, { sequence }] = this.entries.entries().next().value!;
    this.entries.delete(name);
    this.data.write([[keyOf(sequence), null]]).catch(() => undefined);
  }
}

/** Both sides choose their ids themselves, and may choose the same. */
function nameOf(isMine: boolean, id: string): string {
  return `${isMine ? 'mine' : 'theirs'}/${id}`;
}

function keyOf(sequence: number): string {
  return PREFIX + String(sequence).padStart(SEQUENCE_DIGITS, '0');
}
