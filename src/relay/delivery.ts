import { type Address, LIMITS, statusFrame } from '@relay/protocol';
import type { Backplane } from '../backplane/backplane.js';
import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logger.js';
import type { Metrics } from '../common/metrics.js';
import type { EntryId } from '../queue/entry-id.js';
import {
  type Acknowledged,
  CLASSIC_DEVICE,
  type Entry,
  type Glance,
  type MessageEntry,
  type Owed,
  type OwedReceipts,
  type QueueRepository,
  type Receipt,
} from '../queue/queue.repository.js';
import type { Acquaintance } from './acquaintance.js';
import type { Connection } from './connection.js';
import { entryFrame } from './mailbox-reader.js';
import type { Letter, ReceiptPost } from './receipt-post.js';
import type { Receipts } from './receipts.js';
import { learn, type Room, type Rooms, supersede } from './room.js';
import type { Verdicts } from './verdicts.js';

/** By then word between nodes has come, or counts as lost. */
const LETTERS_COME_WITHIN_MS = 2 * LIMITS.deliveredWithinMs;
/** Whose mailboxes are looked at in one go. */
const ROOMS_PER_CALL = 500;

export interface DeliveryParts {
  readonly rooms: Rooms;
  readonly queue: QueueRepository;
  readonly receipts: Receipts;
  readonly post: ReceiptPost;
  readonly verdicts: Verdicts;
  readonly backplane: Backplane;
  readonly acquaintance: Acquaintance;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Messages for which somebody may wait on that node; `null`: nobody does elsewhere. */
interface Group {
  readonly node: string | null;
  readonly messages: MessageEntry[];
}

/** From the mailbox to the connections of its owner, and from their acknowledgements back to the sender. */
export class Delivery {
  /** Receipts that were passed on, for the store to forget. */
  private passedOn: Owed[] = [];

  constructor(private readonly parts: DeliveryParts) {
    parts.post.observe({
      received: (letter) => this.deliveredElsewhere(letter),
      returned: ({ mailbox, messages, owed }) => this.delivered(mailbox, messages, owed),
    });
  }

  /** A message was stored: offers it to whoever is connected, and answers its sender now or once somebody has it. */
  stored(sender: Connection, to: Address, entry: MessageEntry, isHeldElsewhere: boolean): void {
    const room = this.parts.rooms.get(to);
    if (!sender.wasToldOf(to, entry.messageId)) {
      if (room === undefined && !isHeldElsewhere) {
        return sender.link.send(statusFrame('queued', entry.messageId, to, this.parts.clock.now()));
      }
      this.parts.verdicts.wait(sender, entry.from, to, entry.messageId);
    }
    if (room !== undefined) this.offer(room, entry);
  }

  /** An entry came into a mailbox by another node. */
  appendedElsewhere(mailbox: Address, entry: Entry): void {
    const room = this.parts.rooms.get(mailbox);
    if (room !== undefined) this.offer(room, entry);
  }

  /** A connection's client has everything up to `upTo`. One call to the store at a time: what comes meanwhile shares the next. */
  acknowledge(connection: Connection, room: Room, upTo: EntryId): void {
    if (!connection.mayAcknowledge(upTo)) return;
    const { device, claim } = connection;
    const entries = connection.unsettled(upTo);
    const groups = this.byNode(entries);
    const messages = groups.map((group) => group.messages);
    const keepAfter = this.slowestPosition(room.address);
    const isShared = this.parts.receipts.mayBeElsewhere(room);
    connection.acknowledging = this.parts.queue
      .acknowledge(room.address, { device, upTo, claim, keepAfter, isShared, messages })
      .then(
        (result) => {
          const passedBack = this.acknowledged(connection, room, upTo, groups, result);
          this.acknowledgeNext(connection, room);
          return passedBack;
        },
        (error: unknown) => {
          // The window stays as it was, and the client is asked again.
          this.parts.logger.warn('acknowledgement not stored', { connection: connection.id, reason: reasonOf(error) });
          connection.makeRoom(0);
          connection.askAgain(connection.acknowledgementEnded() ?? upTo);
        },
      );
    connection.makeRoom(entries.length);
  }

  /** These messages have been acknowledged for the first time; `owed` until their senders know, or it waits in their mailboxes. */
  delivered(mailbox: Address, messages: Letter['messages'], owed: Owed | null): void {
    const { told, untold } = this.answer(mailbox, messages, () => true);
    this.settleAfter(untold.size === 0 ? null : this.parts.receipts.sendAll(untold, told), told, owed);
  }

  /**
   * The same, said by another node. It may come late, when a `read` went before it, to a connection that is here no more: so
   * only who has waited here since the message was sent is told at once, and all others by their mailboxes.
   */
  private deliveredElsewhere({ mailbox, messages, owed }: Letter): void {
    const { receipts } = this.parts;
    const { told, untold } = this.answer(mailbox, messages, (from) => receipts.isAlone(from));
    this.settleAfter(untold.size === 0 ? null : receipts.storeAll(untold), told, owed);
  }

  /** Tells the connections that wait for it, of the senders who may be told so. */
  private answer(mailbox: Address, messages: Letter['messages'], mayTell: (from: Address) => boolean) {
    const timestamp = this.parts.clock.now();
    const told = new Set<Connection>();
    const untold = new Map<Address, Receipt[]>();
    for (const { from, messageId } of messages) {
      const sender = mayTell(from) ? this.parts.verdicts.take(from, mailbox, messageId) : null;
      const receipt: Receipt = { kind: 'delivered', peer: mailbox, messageId, timestamp };
      if (sender?.isOpen === true && this.parts.receipts.answer(from, sender, receipt)) told.add(sender);
      else addTo(untold, from, receipt);
    }
    return { told, untold };
  }

  /** The recipient said that it has read the message. */
  read(reader: Address, from: Address, messageId: string, owed: Owed | null): void {
    const receipt: Receipt = { kind: 'read', peer: reader, messageId, timestamp: this.parts.clock.now() };
    const receipts = new Map([[from, [receipt]]]);
    const told = new Set<Connection>();
    // A `delivered` may be on its way from another node, of another device or to where the sender was: the mailbox keeps the two in order.
    const isFirst = this.parts.receipts.isAllHere(reader) && this.knowsAllOf(from);
    this.settleAfter(
      isFirst ? this.parts.receipts.sendAll(receipts, told) : this.parts.receipts.storeAll(receipts),
      told,
      owed,
    );
  }

  /** Receipts that nobody passed on when they became due; through mailboxes, so that they come in one order. */
  passOn(receipts: OwedReceipts['receipts']): Promise<void> {
    const bySender = new Map<Address, Receipt[]>();
    for (const { to, receipt } of receipts) addTo(bySender, to, receipt);
    return this.parts.receipts.storeAll(bySender);
  }

  /** The store may forget what was passed on. */
  async settle(): Promise<void> {
    if (this.passedOn.length === 0) return;
    const { passedOn } = this;
    this.passedOn = [];
    await this.parts.queue.settle(passedOn);
  }

  /** A device counts as seen while it is connected, however quiet its mailbox is. */
  async refreshDevices(): Promise<void> {
    for (const { address, connections } of this.parts.rooms.values()) {
      for (const device of new Set(connections.map((connection) => connection.device))) {
        await this.parts.queue.open(address, device);
      }
    }
  }

  /** Hints may have been lost: looks whether any mailbox has more entries, devices or claims than this node was told of. */
  async recheck(): Promise<void> {
    const rooms = [...this.parts.rooms.values()];
    for (let i = 0; i < rooms.length; i += ROOMS_PER_CALL) {
      const some = rooms.slice(i, i + ROOMS_PER_CALL);
      const hearings = some.map(({ address }) => this.parts.backplane.hearing('mailbox', address));
      const glances = await this.parts.queue.glance(some.map(({ address }) => address));
      some.forEach((room, j) => this.glanced(room, glances[j] ?? null, hearings[j]!));
    }
  }

  /** The mailbox has entries up to this one. */
  announce(mailbox: Address, head: EntryId | null): void {
    if (head === null) return;
    for (const connection of this.parts.rooms.get(mailbox)?.connections ?? []) connection.expectUpTo(head);
  }

  /** How far the slowest classic connection of an address has been sent its mailbox; `undefined` where none is connected. */
  slowestPosition(mailbox: Address): EntryId | null | undefined {
    let slowest: Connection | undefined;
    for (const connection of this.parts.rooms.get(mailbox)?.connections ?? []) {
      if (connection.device !== CLASSIC_DEVICE) continue;
      if (slowest === undefined || connection.sentUpTo < slowest.sentUpTo) slowest = connection;
    }
    return slowest?.sentId;
  }

  private glanced(room: Room, glance: Glance | null, hearing: number): void {
    if (glance === null) return;
    learn(room, glance, hearing);
    for (const [device, claim] of glance.claims) supersede(room, device, claim);
    this.announce(room.address, glance.head);
  }

  private offer(room: Room, entry: Entry): void {
    const frame = entryFrame(entry, false);
    for (const connection of room.connections) connection.offer(entry, frame);
  }

  private acknowledged(
    connection: Connection,
    room: Room,
    upTo: EntryId,
    groups: readonly Group[],
    result: Acknowledged,
  ): Promise<unknown> | null {
    connection.settle(upTo);
    switch (result.kind) {
      case 'superseded':
        connection.close(4409);
        return null;
      case 'ahead':
        this.parts.logger.warn('acknowledgement beyond the mailbox', { connection: connection.id });
        return null;
      case 'acknowledged': {
        const { before, silent, owed } = result;
        const now = this.parts.queue.now();
        const passing = groups.map(({ node, messages }, i) => {
          const first = messages.filter(({ sequence }) => sequence > before && !silent.includes(sequence));
          for (const { from, queuedAt } of first) {
            // Not whoever is blocked: those are silent.
            this.parts.acquaintance.meet(room, from);
            this.parts.metrics.delivering.observe(now - queuedAt);
          }
          return this.passBack(room.address, node, first, owed[i] ?? null);
        });
        const passed = passing.filter((one) => one !== null);
        return passed.length > 0 ? Promise.all(passed) : null;
      }
    }
  }

  /** A promise where it goes to another node: resolves once what this node says next comes after it. */
  private passBack(
    mailbox: Address,
    node: string | null,
    first: readonly MessageEntry[],
    owed: Owed | null,
  ): Promise<void> | null {
    if (first.length > 0 && node !== null) {
      const messages = first.map(({ from, messageId }) => ({ from, messageId }));
      return this.parts.post.send(node, { mailbox, messages, owed });
    }
    if (first.length > 0 || owed !== null) this.delivered(mailbox, first, owed);
    return null;
  }

  private byNode(entries: readonly Entry[]): Group[] {
    const since = this.parts.queue.now() - LIMITS.deliveredWithinMs;
    const groups: Group[] = [];
    for (const entry of entries) {
      if (entry.kind !== 'message') continue;
      // Whoever is here is told from here, and of what is older everybody has a verdict: the mailbox keeps its order.
      const isAwaited = entry.queuedAt > since && this.parts.rooms.get(entry.from) === undefined;
      const node = isAwaited ? (entry.appendedBy ?? null) : null;
      const known = groups.find((group) => group.node === node);
      if (known === undefined) groups.push({ node, messages: [entry] });
      else known.messages.push(entry);
    }
    return groups;
  }

  /** Whether nothing that another node was told may still be on its way to that address. */
  private knowsAllOf(address: Address): boolean {
    if (!this.parts.post.hasSentWithin(LETTERS_COME_WITHIN_MS)) return true;
    const since = this.parts.clock.monotonic() - LETTERS_COME_WITHIN_MS;
    return this.parts.rooms.get(address)?.connections.every(({ startedAt }) => startedAt <= since) === true;
  }

  private acknowledgeNext(connection: Connection, room: Room): void {
    const next = connection.acknowledgementEnded();
    if (next !== null) this.acknowledge(connection, room, next);
  }

  /** What is owed stays owed, and is passed on later, where it cannot be stored or a link was dead that it was sent on. */
  private settleAfter(stored: Promise<void> | null, told: ReadonlySet<Connection>, owed: Owed | null): void {
    const settle = (): void => {
      if (owed === null) return;
      let waiting = told.size;
      const arrived = (): void => void (--waiting === 0 && this.passedOn.push(owed));
      if (waiting === 0) this.passedOn.push(owed);
      for (const connection of told) connection.whenArrived(arrived);
    };
    if (stored === null) return settle();
    stored.then(settle, (error: unknown) => this.parts.logger.warn('receipts not stored', { reason: reasonOf(error) }));
  }
}

function addTo(receipts: Map<Address, Receipt[]>, to: Address, receipt: Receipt): void {
  const known = receipts.get(to);
  if (known === undefined) receipts.set(to, [receipt]);
  else known.push(receipt);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
