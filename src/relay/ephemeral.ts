import { type Address, errorFrame, LIMITS, type MessageFrame, statusFrame } from '@relay/protocol';
import type { Backplane } from '../backplane/backplane.js';
import type { Clock } from '../common/clock.js';
import type { Acquaintance } from './acquaintance.js';
import type { Connection } from './connection.js';
import type { Rooms } from './room.js';

interface Waiting {
  readonly sender: Connection;
  readonly messageId: string;
  readonly to: Address;
  readonly dueAt: number;
  /** Who may still take it: connections here, and other nodes that have not said that they have none. Below 0 where they say it before they are counted. */
  candidates: number;
  /** Whether it is known how many other nodes were asked. */
  isCounted: boolean;
}

const NOBODY = '-';
const ARRIVED = '+';

/** Messages that are never stored: to whoever is connected now, on whichever node, or to nobody. */
export class Ephemeral {
  private readonly waiting = new Map<string, Waiting>();
  private count = 0;

  constructor(
    private readonly rooms: Rooms,
    private readonly backplane: Backplane,
    private readonly acquaintance: Acquaintance,
    private readonly clock: Clock,
  ) {
    // `<number> <sender> <frame>`, answered to the sender's address: `<number> <+ or ->`.
    backplane.listen('u', (to, payload) => this.received(to, payload));
    backplane.listen('a', (_, payload) => this.answered(payload));
  }

  send(sender: Connection, from: Address, { to, content, messageId, timestamp }: MessageFrame): void {
    const now = this.clock.now();
    const frame = JSON.stringify({ type: 'message', from, content, messageId, timestamp: timestamp ?? now });
    const number = `${this.backplane.node}.${++this.count}`;
    const dueAt = this.clock.monotonic() + LIMITS.verdictWithinMs / 2;
    const waiting: Waiting = { sender, messageId, to, dueAt, candidates: 0, isCounted: false };
    this.waiting.set(number, waiting);
    waiting.candidates += this.offer(to, from, frame, () => this.arrived(number));
    this.backplane.send('mailbox', to, 'u', `${number} ${from} ${frame}`).then(
      (nodes) => this.counted(number, nodes),
      () => this.counted(number, 0),
    );
  }

  /** Nobody acknowledged in time: it may have arrived or not, and will not be tried again. */
  sweep(): void {
    const now = this.clock.monotonic();
    for (const [number, { dueAt }] of this.waiting) {
      if (dueAt > now) return;
      this.refuse(number, 'unknown');
    }
  }

  /** Returns to how many. Somebody who is still reading a backlog would get it before older messages. */
  private offer(to: Address, from: Address, frame: string, arrived: () => void): number {
    if (this.acquaintance.isBlocked(to, from)) return 0;
    const live = this.rooms.get(to)?.connections.filter((connection) => connection.canTakeUnstored) ?? [];
    for (const connection of live) connection.sendUnstored(frame, arrived);
    return live.length;
  }

  private received(to: Address, payload: string): void {
    const [number = '', from = ''] = payload.split(' ', 2);
    const frame = payload.slice(number.length + from.length + 2);
    const answer = (word: string): void => {
      const text = `${number} ${word}`;
      this.backplane.send('mailbox', from as Address, 'a', text).catch(() => undefined);
    };
    if (this.offer(to, from as Address, frame, () => answer(ARRIVED)) === 0) answer(NOBODY);
  }

  private answered(payload: string): void {
    const [number = '', word] = payload.split(' ', 2);
    if (word === ARRIVED) this.arrived(number);
    else this.declined(number);
  }

  private arrived(number: string): void {
    const waiting = this.waiting.get(number);
    if (waiting === undefined) return;
    this.waiting.delete(number);
    const { sender, messageId, to } = waiting;
    sender.link.send(statusFrame('delivered', messageId, to, this.clock.now()));
  }

  /** So many other nodes heard of it; some may have answered already. */
  private counted(number: string, nodes: number): void {
    const waiting = this.waiting.get(number);
    if (waiting === undefined) return;
    waiting.isCounted = true;
    waiting.candidates += nodes;
    if (waiting.candidates <= 0) this.refuse(number, 'refused');
  }

  /** One candidate fewer; without any, nobody has it. */
  private declined(number: string): void {
    const waiting = this.waiting.get(number);
    if (waiting === undefined) return;
    waiting.candidates--;
    if (waiting.isCounted && waiting.candidates <= 0) this.refuse(number, 'refused');
  }

  private refuse(number: string, outcome: 'refused' | 'unknown'): void {
    const waiting = this.waiting.get(number);
    if (waiting === undefined) return;
    this.waiting.delete(number);
    waiting.sender.link.send(errorFrame('recipient_offline', { messageId: waiting.messageId, outcome }));
  }
}
