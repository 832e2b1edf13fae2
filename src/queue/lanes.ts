/** What may be on its way to the store at once: several times what keeps it busy, and what a newcomer has to wait for. */
export const MOST_UNDER_WAY = 2048;
export const MOST_CHARACTERS_UNDER_WAY = 4 * 1024 * 1024;
/** What may wait; half of it where others of the same lane wait already. */
export const MOST_WAITING = 100_000;
export const MOST_CHARACTERS_WAITING = 128 * 1024 * 1024;
/**
 * A store that takes everything in turn would take this one later than its sender may wait for an answer: 4 s in its inbox
 * and 3 s for the store's answer are the rest of the 10. Where the answer takes longer, `patienceMs` is less.
 */
export const PATIENCE_MS = 2_500;
/** One of more waits for as many turns as it has of these; what comes first in its lane goes, and those behind it wait instead. */
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
  readonly patienceMs?: number | undefined;
}

interface Waiting<T> {
  readonly item: T;
  readonly characters: number;
  readonly giveUpAt: number;
}

interface Lane<T> {
  readonly waiting: Waiting<T>[];
  /** Characters, by turns in which its first was too large to go; negative: what a newcomer has had too much. */
  saved: number;
}

/**
 * Whoever wants to the store goes at once while little is on its way there. Beyond that each waits in its lane, and the lanes
 * take turns as answers come: one that had nothing waiting goes first, once in a round, and nobody waits for more than one of each
 * other lane, however much they hold (docs/decisions/0036-lanes-before-the-store.md). In a lane everything goes in its order.
 */
export class Lanes<T> {
  /** Those that have something waiting, or had their turn in this round; none while nothing waits. */
  private readonly lanes = new Map<string, Lane<T>>();
  private waiting = 0;
  private newcomers: string[] = [];
  private newcomersAt = 0;
  private round: string[] = [];
  private nextRound: string[] = [];
  private at = 0;
  private underWay = 0;
  private charactersUnderWay = 0;
  /** Nothing that waits is given up before. */
  private giveUpAt = Infinity;

  constructor(private readonly options: LanesOptions<T>) {}

  enter(name: string, item: T, characters: number): void {
    if (this.waiting === 0 && this.hasRoom) return this.go(item, characters);
    const known = this.lanes.get(name);
    const hasMore = known !== undefined && known.waiting.length > 0;
    if (this.isFull(hasMore ? 0.5 : 1)) return this.options.refuse(item);
    const giveUpAt = this.options.now() + (this.options.patienceMs ?? PATIENCE_MS);
    this.giveUpAt = Math.min(this.giveUpAt, giveUpAt);
    this.count(1, characters);
    (known ?? this.open(name)).waiting.push({ item, characters, giveUpAt });
  }

  /** So many of those that went have their answers, or will get none. */
  left(items: number, characters: number): void {
    this.underWay -= items;
    this.charactersUnderWay -= characters;
    if (this.waiting === 0) return;
    this.giveUp(this.options.now());
    while (this.waiting > 0 && this.hasRoom) this.takeTurn();
    if (this.waiting === 0) this.clear();
  }

  private get hasRoom(): boolean {
    return this.underWay < MOST_UNDER_WAY && this.charactersUnderWay < MOST_CHARACTERS_UNDER_WAY;
  }

  private isFull(share: number): boolean {
    const { items, characters } = this.options.backlog;
    return items >= MOST_WAITING * share || characters >= MOST_CHARACTERS_WAITING * share;
  }

  private count(items: number, characters: number): void {
    this.waiting += items;
    this.options.backlog.items += items;
    this.options.backlog.characters += characters;
  }

  private open(name: string): Lane<T> {
    const lane: Lane<T> = { waiting: [], saved: 0 };
    this.lanes.set(name, lane);
    this.newcomers.push(name);
    return lane;
  }

  private clear(): void {
    this.lanes.clear();
    [this.newcomers, this.newcomersAt] = [[], 0];
    [this.round, this.nextRound, this.at] = [[], [], 0];
  }

  private go(item: T, characters: number): void {
    this.underWay++;
    this.charactersUnderWay += characters;
    this.options.go(item);
  }

  private takeTurn(): void {
    const isNewcomer = this.newcomersAt < this.newcomers.length;
    const name = isNewcomer ? this.nextNewcomer() : this.nextInRound();
    const lane = this.lanes.get(name)!;
    const [first] = lane.waiting;
    // It keeps its place until here, so that it is no newcomer again in the round in which it was one.
    if (first === undefined) return void this.lanes.delete(name);
    this.nextRound.push(name);
    lane.saved += CHARACTERS_PER_TURN;
    if (lane.saved < first.characters && !isNewcomer) return;
    lane.saved = Math.min(0, lane.saved - first.characters);
    this.take(lane);
    this.go(first.item, first.characters);
  }

  private nextNewcomer(): string {
    const name = this.newcomers[this.newcomersAt++]!;
    if (this.newcomersAt === this.newcomers.length) [this.newcomers, this.newcomersAt] = [[], 0];
    return name;
  }

  private nextInRound(): string {
    if (this.at === this.round.length) [this.round, this.nextRound, this.at] = [this.nextRound, [], 0];
    return this.round[this.at++]!;
  }

  private take(lane: Lane<T>): T {
    const { item, characters } = lane.waiting.shift()!;
    this.count(-1, -characters);
    return item;
  }

  /** Looks at all lanes, but not before one of them may have something to give up. */
  private giveUp(now: number): void {
    if (now < this.giveUpAt) return;
    this.giveUpAt = Infinity;
    for (const lane of this.lanes.values()) {
      while (lane.waiting.length > 0 && lane.waiting[0]!.giveUpAt <= now) this.options.refuse(this.take(lane));
      this.giveUpAt = Math.min(this.giveUpAt, lane.waiting[0]?.giveUpAt ?? Infinity);
    }
  }
}
