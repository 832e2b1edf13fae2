/** What may be on its way to the store at once: several times what keeps it busy, and what a newcomer has to wait for. */
export const MOST_UNDER_WAY = 2048;
export const MOST_CHARACTERS_UNDER_WAY = 4 * 1024 * 1024;
/** What may wait; half of it where others of the same lane wait already. */
export const MOST_WAITING = 100_000;
export const MOST_CHARACTERS_WAITING = 128 * 1024 * 1024;
/**
 * A store that takes everything in turn would take this one later than its sender may wait for an answer: 4 s in its inbox
 * and 3 s for the store's answer are the rest of the 10.
 */
export const PATIENCE_MS = 2_500;
/** One of more waits for as many turns as it has of these. */
export const CHARACTERS_PER_TURN = 4096;

/** What waits in all lanes that share its bounds. */
export interface Backlog {
  items: number;
  characters: number;
}

export interface LanesOptions<T> {
  /** ms that only ever pass. */
  now(): number;
  /** Its turn has come; `left` is to be called for it, and not from here. */
  go(item: T): void;
  /** It did not go, and will not. */
  refuse(item: T): void;
  readonly backlog: Backlog;
}

interface Waiting<T> {
  readonly item: T;
  readonly characters: number;
  readonly giveUpAt: number;
}

interface Lane<T> {
  readonly name: string;
  readonly waiting: Waiting<T>[];
  /** Characters, by turns in which its first was too large to go. */
  saved: number;
}

/**
 * Whoever wants to the store goes at once while little is on its way there. Beyond that each waits in its lane, and the lanes
 * take turns as answers come: who sends one thing waits for one of each other lane, however much they hold
 * (docs/decisions/0036-lanes-before-the-store.md). In a lane everything goes in its order.
 */
export class Lanes<T> {
  /** Those in which something waits, as long as there is no room on the way. */
  private readonly lanes = new Map<string, Lane<T>>();
  private round: Lane<T>[] = [];
  private nextRound: Lane<T>[] = [];
  private at = 0;
  private underWay = 0;
  private charactersUnderWay = 0;
  /** Nothing that waits is given up before. */
  private giveUpAt = Infinity;

  constructor(private readonly options: LanesOptions<T>) {}

  enter(name: string, item: T, characters: number): void {
    if (this.lanes.size === 0 && this.hasRoom) return this.go(item, characters);
    const lane = this.lanes.get(name);
    if (this.isFull(lane === undefined ? 1 : 0.5)) return this.options.refuse(item);
    const giveUpAt = this.options.now() + PATIENCE_MS;
    this.giveUpAt = Math.min(this.giveUpAt, giveUpAt);
    this.count(1, characters);
    const waiting = { item, characters, giveUpAt };
    if (lane === undefined) this.open({ name, waiting: [waiting], saved: 0 });
    else lane.waiting.push(waiting);
  }

  /** So many of those that went have their answers, or will get none. */
  left(items: number, characters: number): void {
    this.underWay -= items;
    this.charactersUnderWay -= characters;
    if (this.lanes.size === 0) return;
    this.giveUp(this.options.now());
    while (this.lanes.size > 0 && this.hasRoom) this.takeTurn();
  }

  private get hasRoom(): boolean {
    return this.underWay < MOST_UNDER_WAY && this.charactersUnderWay < MOST_CHARACTERS_UNDER_WAY;
  }

  private isFull(share: number): boolean {
    const { items, characters } = this.options.backlog;
    return items >= MOST_WAITING * share || characters >= MOST_CHARACTERS_WAITING * share;
  }

  private count(items: number, characters: number): void {
    this.options.backlog.items += items;
    this.options.backlog.characters += characters;
  }

  private open(lane: Lane<T>): void {
    this.lanes.set(lane.name, lane);
    this.nextRound.push(lane);
  }

  private go(item: T, characters: number): void {
    this.underWay++;
    this.charactersUnderWay += characters;
    this.options.go(item);
  }

  private takeTurn(): void {
    if (this.at === this.round.length) {
      [this.round, this.nextRound, this.at] = [this.nextRound, [], 0];
    }
    const lane = this.round[this.at++]!;
    const first = lane.waiting[0];
    // All that was in it was given up.
    if (first === undefined) return;
    lane.saved += CHARACTERS_PER_TURN;
    if (lane.saved >= first.characters) {
      lane.saved = 0;
      const { item, characters } = this.takeFirst(lane);
      this.go(item, characters);
    }
    if (lane.waiting.length > 0) this.nextRound.push(lane);
  }

  private takeFirst(lane: Lane<T>): Waiting<T> {
    const first = lane.waiting.shift()!;
    this.count(-1, -first.characters);
    if (lane.waiting.length === 0) this.lanes.delete(lane.name);
    return first;
  }

  /** Looks at all lanes, but not before one of them may have something to give up. */
  private giveUp(now: number): void {
    if (now < this.giveUpAt) return;
    this.giveUpAt = Infinity;
    for (const lane of this.lanes.values()) {
      while (lane.waiting.length > 0 && lane.waiting[0]!.giveUpAt <= now)
        this.options.refuse(this.takeFirst(lane).item);
      this.giveUpAt = Math.min(this.giveUpAt, lane.waiting[0]?.giveUpAt ?? Infinity);
    }
  }
}
