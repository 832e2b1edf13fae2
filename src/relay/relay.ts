import {
  type Address,
  encodeFrame,
  type ErrorCode,
  type HistoryFrame,
  LIMITS,
  type MessageFrame,
  RelayError,
  statusFrame,
} from '@relay/protocol';
import type { Revocations } from '../auth/revocations.js';
import { type Session, type SessionName, UNPROVEN } from '../auth/session.repository.js';
import type { Backplane } from '../backplane/backplane.js';
import type { Bans } from '../bans/bans.js';
import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logger.js';
import type { Metrics } from '../common/metrics.js';
import type { Tracing } from '../common/tracing.js';
import type { KeyChange } from '../keys/keys.service.js';
import type { PresenceService } from '../presence/presence.service.js';
import { type EntryId, sequenceOf } from '../queue/entry-id.js';
import type {
  Appended,
  Cursor,
  DeviceId,
  MailboxLimits,
  QueueRepository,
  ReceiptEntry,
} from '../queue/queue.repository.js';
import type { Acquaintance } from './acquaintance.js';
import type { Connection, ConnectionHost, Joined, SignedInFrame, SignInOutcome } from './connection.js';
import type { Delivery } from './delivery.js';
import type { Ephemeral } from './ephemeral.js';
import { MailboxReader, type Window } from './mailbox-reader.js';
import { learn, type Room, type Rooms, supersede } from './room.js';
import type { Entrance, Opening } from './sign-in.js';
import type { Verdicts } from './verdicts.js';
import type { WaitingRoom } from './waiting-room.js';

export interface RelayParts {
  readonly rooms: Rooms;
  readonly queue: QueueRepository;
  readonly presence: PresenceService;
  readonly delivery: Delivery;
  readonly verdicts: Verdicts;
  readonly backplane: Backplane;
  readonly ephemeral: Ephemeral;
  readonly acquaintance: Acquaintance;
  readonly revocations: Revocations;
  readonly bans: Bans;
  readonly waiting: WaitingRoom;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly tracing: Tracing;
}

export interface RelayOptions {
  readonly mailbox: MailboxLimits;
  readonly retentionMs: number;
  readonly maxFrameBytes: number;
  /** Whether acknowledged messages are kept for a while. */
  readonly keepsHistory: boolean;
}

interface Sent extends Pick<MessageFrame, 'to' | 'messageId'> {
  /** Monotonic ms. */
  readonly startedAt: number;
}

/** A network pays a token for each so many characters of content that it began. */
const NETWORK_TOKEN_CHARS = 4096;
/** One for all that ask for no other. */
const WINDOW: Window = { entries: LIMITS.windowEntries, bytes: LIMITS.windowBytes };
const HOUR_MS = 60 * 60 * 1000;
/** Of a ping: a burst of sends beyond the rate is a mistake, ten times as much of it a flood. */
const REFUSAL_WEIGHT = 0.1;
const HISTORY_RETRY_AFTER_MS = 1_000;

/** What happens to a frame once it is decoded and its sender known. */
export class Relay implements ConnectionHost {
  constructor(
    private readonly parts: RelayParts,
    private readonly options: RelayOptions,
  ) {}

  now(): number {
    return this.parts.clock.monotonic();
  }

  get waiting(): WaitingRoom {
    return this.parts.waiting;
  }

  isRevoked(session: SessionName): boolean {
    return this.parts.revocations.has(session);
  }

  /** Whatever came in by that session ends; without proof, whoever came in without. */
  revoked({ address, id }: SessionName): void {
    for (const connection of [...(this.parts.rooms.get(address)?.connections ?? [])]) {
      if ((connection.session?.id ?? UNPROVEN) === id) connection.revoked();
    }
  }

  /** Whatever the address has open here ends. */
  banned(address: Address): void {
    for (const connection of [...(this.parts.rooms.get(address)?.connections ?? [])]) connection.banned();
  }

  async join(connection: Connection, entrance: Entrance): Promise<Joined | null> {
    try {
      return await this.enter(connection, entrance);
    } catch (error) {
      await entrance.abandon();
      throw error;
    }
  }

  private async enter(connection: Connection, entrance: Entrance): Promise<Joined | null> {
    const { rooms, queue, presence, backplane, acquaintance, logger } = this.parts;
    const { opening } = entrance;
    const { address } = opening;
    // Banned since it was let in; from here on `banned` finds it in the room.
    this.parts.bans.refuse(address);
    // In the room before the mailbox is opened: an entry that comes in between is offered, not missed.
    const room = rooms.join(address, connection);
    try {
      // What other nodes say is a hint: without it the mailbox is looked at every few seconds.
      await backplane
        .join('mailbox', address)
        .catch(() => logger.debug('not subscribed yet', { connection: connection.id }));
      const exclusive = opening.type === 'hello';
      const hearing = backplane.hearing('mailbox', address);
      const [cursor] = await Promise.all([
        queue.open(address, connection.device, { exclusive }),
        presence.connected(address, connection.id),
        acquaintance.loadBlocked(room),
      ]);
      learn(room, cursor, hearing);
      if (exclusive) this.takeOver(connection, room, cursor.claim);
      if (!(await entrance.isStillIn())) {
        await this.undoOpening(connection, room, cursor);
        return null;
      }
      const reader = new MailboxReader(address, queue, connection.link, connection, windowOf(opening), !exclusive);
      // After the takeover: the device's earlier connection was replaced, which is what it is told.
      if (entrance.token !== null) this.parts.revocations.announce(address);
      const { maxFrameBytes } = this.options;
      return { room, reader, cursor, welcome: this.welcome(connection, entrance, cursor), maxFrameBytes };
    } catch (error) {
      // It may have been registered all the same: an error says only that there was no answer.
      this.leave(connection, room);
      throw error;
    }
  }

  /** Its device was ended while it came in. Who ended it may have been earlier than the place that was made for it here. */
  private async undoOpening(connection: Connection, room: Room, { claim, isNew }: Cursor): Promise<void> {
    const keepAfter = this.parts.delivery.slowestPosition(room.address);
    if (isNew) await this.parts.queue.retire(room.address, connection.device, { claim, keepAfter });
    this.leave(connection, room);
  }

  leave(connection: Connection, room: Room): void {
    const { presence } = this.parts;
    this.parts.rooms.leave(room, connection);
    this.parts.backplane.leave('mailbox', room.address);
    this.nobodyLeft(room);
    presence.unwatchAll(connection);
    presence
      .disconnected(room.address, connection.id)
      .catch((error: unknown) => this.failed(connection, 'presence not updated', error));
  }

  handle(connection: Connection, room: Room, frame: SignedInFrame): void {
    switch (frame.type) {
      case 'message':
        return this.message(connection, room, frame);
      case 'ping':
        connection.link.send(encodeFrame({ type: 'pong', timestamp: this.parts.clock.now() }));
        return connection.chattered(1);
      case 'typing': {
        const { to, isTyping } = frame;
        return this.route(connection, room, to, encodeFrame({ type: 'typing', from: room.address, isTyping }));
      }
      case 'signal': {
        const { to, data } = frame;
        return this.route(connection, room, to, encodeFrame({ type: 'signal', from: room.address, data }));
      }
      case 'read_receipt':
        return this.readReceipt(connection, room, frame.to, frame.messageId);
      case 'history':
        return this.history(connection, room, frame);
      case 'subscribe_presence':
        if (!this.mayRoute(connection, room)) return;
        return this.run(connection, this.parts.presence.watch(connection, frame.addresses));
      case 'unsubscribe_presence':
        if (!this.mayRoute(connection, room)) return;
        return this.parts.presence.unwatch(connection, frame.addresses);
      case 'set_presence':
        if (!this.mayRoute(connection, room)) return;
        return this.run(connection, this.parts.presence.setVisible(room.address, frame.visible));
    }
  }

  acknowledge(connection: Connection, room: Room, upTo: EntryId): void {
    this.parts.delivery.acknowledge(connection, room, upTo);
  }

  tells(connection: Connection, room: Room, { kind, peer, messageId }: ReceiptEntry): void {
    if (kind === 'expired') return;
    const wasAwaited = this.parts.verdicts.told(connection, room.address, peer, messageId);
    // Word of the acknowledgement may yet be on its way from another node, and every send has its verdict.
    if (kind === 'read' && wasAwaited) {
      connection.link.send(statusFrame('delivered', messageId, peer, this.parts.clock.now()));
    }
    connection.toldOf(peer, messageId);
  }

  /** Another node opened that device of the address. */
  openedElsewhere(address: Address, device: DeviceId, claim: number): void {
    const room = this.parts.rooms.get(address);
    if (room === undefined) return;
    room.isHeldElsewhere = true;
    if (claim > 0) supersede(room, device, claim);
  }

  signInEnded({ startedAt }: Connection, outcome: SignInOutcome): void {
    const { tracing } = this.parts;
    if (tracing.isOn) {
      const isFailed = outcome === 'internal' || outcome === 'store_unavailable';
      const tookMs = this.now() - startedAt;
      tracing.record({ name: 'sign in', kind: 'server', tookMs, fields: { 'relay.outcome': outcome }, isFailed });
    }
    this.parts.metrics.signIns.add(outcome);
    if (outcome === 'rate_limited') this.parts.metrics.limited.add('sign_ins');
  }

  failed(connection: Connection, what: string, error: unknown): void {
    this.parts.logger.error(what, error, { connection: connection.id });
  }

  private message(connection: Connection, room: Room, frame: MessageFrame): void {
    const { messageId } = frame;
    const startedAt = this.now();
    if (!this.mayRoute(connection, room, messageId, startedAt)) return;
    if (frame.ephemeral) {
      this.parts.metrics.sends.add('ephemeral');
      this.parts.acquaintance.meet(room, frame.to);
      return this.parts.ephemeral.send(connection, room.address, frame);
    }
    if (!this.mayStore(connection, frame, startedAt)) return;

    const { to, content, timestamp, ttlSeconds } = frame;
    const { mailbox, retentionMs } = this.options;
    const ttlMs = ttlSeconds === null ? retentionMs : Math.min(retentionMs, ttlSeconds * 1000);
    const message = {
      from: room.address,
      messageId,
      content,
      timestamp: timestamp ?? this.parts.clock.now(),
      ttlMs,
    };
    const answer = this.parts.queue.append(to, message, mailbox);
    if (answer instanceof Promise) this.appendedLater(connection, room, { to, messageId, startedAt }, answer);
    else this.appended(connection, room, { to, messageId, startedAt }, answer);
  }

  private appendedLater(connection: Connection, room: Room, sent: Sent, answer: Promise<Appended>): void {
    connection.sendStarted();
    answer.then(
      (result) => {
        this.appended(connection, room, sent, result);
        connection.sendEnded();
      },
      (error: unknown) => {
        connection.sendEnded();
        this.sendFailed(connection, sent.messageId, error);
      },
    );
  }

  private appended(connection: Connection, room: Room, sent: Sent, result: Appended): void {
    const { to, messageId, startedAt } = sent;
    this.parts.metrics.accepting.observe(this.now() - startedAt);
    this.parts.metrics.sends.add(result.kind === 'refused' ? result.code : result.kind);
    switch (result.kind) {
      case 'stored':
        if (result.isNearlyFull) this.parts.metrics.nearlyFull.add('stored');
        this.parts.acquaintance.meet(room, to);
        return this.parts.delivery.stored(connection, to, result.entry, result.isHeldElsewhere);
      case 'repeat': {
        const verdict = result.acknowledged ? 'delivered' : 'queued';
        // Its first answer was lost, and with it perhaps the word to whoever is connected here.
        if (!result.acknowledged) this.parts.delivery.announce(to, result.id);
        if (verdict === 'queued' && connection.wasToldOf(to, messageId)) return;
        return connection.link.send(statusFrame(verdict, messageId, to, this.parts.clock.now()));
      }
      case 'blocked':
        this.parts.acquaintance.meet(room, to);
        return connection.link.send(statusFrame('queued', messageId, to, this.parts.clock.now()));
      case 'refused':
        return connection.refuse(result.code, { messageId, outcome: 'refused' });
    }
  }

  /** The store did not say whether it has the message. The same id may be sent again: it is stored once. */
  private sendFailed(connection: Connection, messageId: string, error: unknown): void {
    this.failed(connection, 'message not stored', error);
    const code: ErrorCode = error instanceof RelayError ? error.code : 'internal';
    this.parts.metrics.sends.add(code);
    connection.refuse(code, { messageId, outcome: 'unknown' });
  }

  /** The owner's devices hear of it, wherever they are connected: nobody replaces a key unnoticed. */
  keyChanged({ address, updatedAt, version }: KeyChange): void {
    const frame = { type: 'key_changed', address, updatedAt } as const;
    this.tellOwner(address, encodeFrame(version === null ? frame : { ...frame, version }));
  }

  /** The same for a session that came of a wallet's link: whoever did not ask for it can end it. */
  sessionOpened({ address, device, createdAt }: Session): void {
    this.tellOwner(address, encodeFrame({ type: 'session_opened', address, deviceId: device, openedAt: createdAt }));
  }

  private tellOwner(address: Address, frame: string): void {
    this.routed(address, address, frame);
    this.parts.backplane.send('mailbox', address, 'f', address + frame).catch(() => undefined);
  }

  /** Frames that are never stored go to whoever is connected and can take them now. */
  private route(connection: Connection, room: Room, to: Address, frame: string): void {
    if (!this.mayRoute(connection, room)) return;
    this.routed(to, room.address, frame);
    this.parts.backplane.send('mailbox', to, 'f', room.address + frame).catch(() => undefined);
  }

  /** To whoever of that address is connected here and can take it now. */
  routed(to: Address, from: Address, frame: string): void {
    if (this.parts.acquaintance.isBlocked(to, from)) return;
    for (const recipient of this.parts.rooms.get(to)?.connections ?? []) {
      if (recipient.isOpen && !recipient.link.isBusy) recipient.link.send(frame);
    }
  }

  private readReceipt(connection: Connection, room: Room, to: Address, messageId: string): void {
    if (!this.mayRoute(connection, room, messageId)) return;
    connection.sendStarted();
    this.run(
      connection,
      this.markRead(connection, room, to, messageId).finally(() => connection.sendEnded()),
    );
  }

  private history(connection: Connection, room: Room, { before, limit }: HistoryFrame): void {
    if (!this.options.keepsHistory) {
      connection.refuse('unsupported');
      return connection.chattered(1);
    }
    if (!this.mayRoute(connection, room)) return;
    const answer = (): Promise<void> =>
      this.attempt(connection, this.sendHistory(connection, room.address, before as EntryId | null, limit));
    if (connection.answerInTurn(answer)) return;
    connection.refuse('rate_limited', { retryAfterMs: HISTORY_RETRY_AFTER_MS });
    connection.chattered(REFUSAL_WEIGHT);
  }

  private async sendHistory(connection: Connection, of: Address, before: EntryId | null, limit: number | null) {
    const { queue } = this.parts;
    const page = await queue.history(of, before, limit ?? LIMITS.pageSize, LIMITS.pageBytes);
    const entries = page.messages.map(({ id, from, content, messageId, timestamp }) => {
      return { type: 'message' as const, id, from, content, messageId, timestamp };
    });
    connection.link.send(encodeFrame({ type: 'history', entries, next: page.next }));
  }

  /** Silent where that message is unknown: a client reading an old conversation has done nothing wrong. */
  private async markRead(connection: Connection, room: Room, from: Address, messageId: string): Promise<void> {
    const { queue, delivery, acquaintance } = this.parts;
    const reader = room.address;
    if (acquaintance.isBlocked(reader, from)) return;
    const mark = await queue.markRead(reader, from, messageId);
    if (mark.kind !== 'marked') return;
    // Both answers may come in one turn, and `read` may not overtake the `delivered` that the other makes.
    if (mark.wasAcknowledged) await connection.acknowledging;
    acquaintance.meet(room, from);
    // Whoever has read it has it, and `delivered` may not follow `read`.
    if (!mark.wasAcknowledged) delivery.delivered(reader, [{ from, messageId }], null);
    delivery.read(reader, from, messageId, mark.owed);
  }

  /** What it takes of its network's budget goes by what it takes of the store. */
  private mayStore(connection: Connection, { content, messageId }: MessageFrame, now: number): boolean {
    const tokens = Math.ceil((content.length + 1) / NETWORK_TOKEN_CHARS);
    const retryAfterMs = this.parts.rooms.takeOfNetwork(connection.network, tokens, now);
    return this.mayPass(connection, retryAfterMs, 'network', messageId);
  }

  private mayRoute(connection: Connection, room: Room, messageId?: string, now = this.now()): boolean {
    return this.mayPass(connection, this.parts.rooms.takeOf(room, now), 'frames', messageId);
  }

  private mayPass(
    connection: Connection,
    retryAfterMs: number,
    limit: 'frames' | 'network',
    messageId?: string,
  ): boolean {
    if (retryAfterMs === 0) return true;
    const outcome = messageId === undefined ? undefined : 'refused';
    this.parts.metrics.limited.add(limit);
    connection.refuse('rate_limited', { messageId, outcome, retryAfterMs });
    connection.chattered(REFUSAL_WEIGHT);
    return false;
  }

  /** What a frame set off may fail, and its sender hears of it. */
  private run(connection: Connection, work: Promise<void>): void {
    void this.attempt(connection, work);
  }

  private attempt(connection: Connection, work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) => {
      if (error instanceof RelayError) return connection.refuse(error.code, { message: error.message });
      this.failed(connection, 'frame not handled', error);
      connection.refuse('internal');
    });
  }

  /** Nobody here will acknowledge any more: whoever waits for that need not. */
  private nobodyLeft(room: Room): void {
    if (room.connections.length > 0 || room.isHeldElsewhere) return;
    this.parts.verdicts.answerNow((_, to) => to === room.address);
  }

  /** Of the connections of one device only the newest stays, on whichever node. */
  private takeOver(connection: Connection, room: Room, claim: number): void {
    const latest = room.claims?.get(connection.device) ?? 0;
    // At once: an opening that is answered in the same turn must find it.
    connection.claim = claim;
    supersede(room, connection.device, claim);
    if (latest > claim) connection.close(4409);
  }

  private welcome(connection: Connection, { opening, session, token }: Entrance, cursor: Cursor): string {
    const timestamp = this.parts.clock.now();
    const { address } = opening;
    if (opening.type === 'auth') return encodeFrame({ type: 'auth_success', address, timestamp });
    const { maxFrameBytes, mailbox, retentionMs } = this.options;
    return encodeFrame({
      type: 'auth_success',
      address,
      timestamp,
      v: 2,
      deviceId: opening.deviceId,
      sessionId: connection.id,
      ...(session === null || token === null ? {} : { token, tokenExpiresAt: session.expiresAt }),
      limits: {
        maxFrameBytes,
        window: windowOf(opening).entries,
        maxOfflineMessages: mailbox.maxMessages,
        retentionHours: retentionMs / HOUR_MS,
      },
      pending: Math.max(0, sequenceOf(cursor.head) - sequenceOf(cursor.after)),
    });
  }
}

function windowOf(opening: Opening): Window {
  const entries = opening.type === 'hello' ? opening.window : null;
  return entries === null ? WINDOW : { ...WINDOW, entries };
}
