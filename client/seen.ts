import { type Change, type ClientStore, sequenceKey, sequenceOf } from './store.js';

const PREFIX = 'seen/';
/** Twice what may be unacknowledged at most: only that much can come again. */
const REMEMBERED = 2048;

/** The messages that the application was handed, by sender and messageId; beyond a bound the oldest are forgotten. */
export class Seen {
  private readonly sequences = new Map<string, number>();
  private nextSequence = 0;

  static async load(store: ClientStore): Promise<Seen> {
    const seen = new Seen();
    for (const [key, name] of await store.list(PREFIX)) {
      const sequence = sequenceOf(PREFIX, key);
      seen.sequences.set(name, sequence);
      seen.nextSequence = sequence + 1;
    }
    return seen;
  }

  has(name: string): boolean {
    return this.sequences.has(name);
  }

  /** Counts from now on; what is returned makes it outlive the process. */
  add(name: string): Change[] {
    const sequence = this.nextSequence++;
    this.sequences.set(name, sequence);
    const changes: Change[] = [[sequenceKey(PREFIX, sequence), name]];
    if (this.sequences.size > REMEMBERED) {
      const [oldest, itsSequence] = this.sequences.entries().next().value!;
      this.sequences.delete(oldest);
      changes.push([sequenceKey(PREFIX, itsSequence), null]);
    }
    return changes;
  }

  /** It could not be made durable, so it will be handed over again. */
  forget(name: string): void {
    this.sequences.delete(name);
  }
}
