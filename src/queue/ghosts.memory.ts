import { type Address, LIMITS } from '@relay/protocol';
import type { Load, Tally } from './pending-load.memory.js';

/** What a blocked sender believes to be waiting; never its content. */
export interface Ghost {
  readonly from: Address;
  readonly messageId: string;
  readonly fingerprint: number;
  readonly bytes: number;
  /** On the monotonic clock. */
  readonly expiresAt: number;
  /** Its time has not come, and nobody was told otherwise. */
  readonly waits: boolean;
}

/** With its key and its place in the maps, about. */
const GHOST_COST_BYTES = 300;
const NOTHING: Load = { messages: 0, bytes: 0 };

/** Of one mailbox. Those whose time has come are remembered, the last 512, so that other content with the same id is refused. */
export class Ghosts {
  /** By sender and messageId, oldest first. */
  private readonly ghosts = new Map<string, Ghost>();
  private readonly senders = new Map<Address, Load>();
  private waiting = NOTHING;
  private due = Infinity;

  constructor(private readonly tally: Tally) {}

  /** When the first one's time comes; may be too early. */
  get nextExpiry(): number {
    return this.due;
  }

  get size(): number {
    return this.ghosts.size;
  }

  get isWaiting(): boolean {
    return this.waiting.messages > 0;
  }

  /** What seems to wait, in all and of that sender. */
  loads(from: Address): { readonly all: Load; readonly own: Load } {
    return { all: this.waiting, own: this.senders.get(from) ?? NOTHING };
  }

  find(from: Address, messageId: string): Ghost | undefined {
    return this.ghosts.get(from + messageId);
  }

  add(ghost: Omit<Ghost, 'waits'>): void {
    const key = ghost.from + ghost.messageId;
    // One whose time had come gives its place up: it is counted already, and the new one is the newest.
    if (!this.ghosts.delete(key)) this.tally.bytes += GHOST_COST_BYTES;
    this.ghosts.set(key, { ...ghost, waits: true });
    this.change(ghost.from, 1, ghost.bytes);
    this.due = Math.min(this.due, ghost.expiresAt);
    this.forgetOldest();
  }

  /** Its sender is told otherwise what became of it. */
  cancel(from: Address, messageId: string): void {
    const ghost = this.find(from, messageId);
    if (ghost?.waits === true) this.settle(ghost);
  }

  /** Those whose time has come, once. */
  takeExpired(nowMs: number): readonly Ghost[] {
    if (nowMs < this.due) return [];
    const expired: Ghost[] = [];
    this.due = Infinity;
    for (const ghost of this.ghosts.values()) {
      if (!ghost.waits) continue;
      if (ghost.expiresAt <= nowMs) expired.push(ghost);
      else this.due = Math.min(this.due, ghost.expiresAt);
    }
    for (const ghost of expired) this.settle(ghost);
    return expired;
  }

  /** As where the oldest message gives way: of that sender where one is named. */
  dropOldest(of: Address | null): void {
    for (const ghost of this.ghosts.values()) {
      if (ghost.waits && (of === null || ghost.from === of)) return this.settle(ghost);
    }
  }

  /** Their senders are told nothing. */
  dropAll(): void {
    for (const ghost of this.ghosts.values()) if (ghost.waits) this.settle(ghost);
  }

  /** The mailbox goes. */
  forgetAll(): void {
    this.tally.bytes -= this.ghosts.size * GHOST_COST_BYTES;
    this.ghosts.clear();
  }

  private settle(ghost: Ghost): void {
    this.ghosts.set(ghost.from + ghost.messageId, { ...ghost, waits: false });
    this.change(ghost.from, -1, -ghost.bytes);
  }

  private change(from: Address, messages: 1 | -1, bytes: number): void {
    const { own } = this.loads(from);
    this.waiting = { messages: this.waiting.messages + messages, bytes: this.waiting.bytes + bytes };
    if (own.messages + messages === 0) this.senders.delete(from);
    else this.senders.set(from, { messages: own.messages + messages, bytes: own.bytes + bytes });
  }

  /** Not with each, where most of them wait. */
  private forgetOldest(): void {
    let older = this.ghosts.size - this.waiting.messages - LIMITS.rememberedMessages;
    if (older < LIMITS.rememberedMessages) return;
    for (const [key, { waits }] of this.ghosts) {
      if (waits || older-- <= 0) continue;
      this.ghosts.delete(key);
      this.tally.bytes -= GHOST_COST_BYTES;
    }
  }
}
