import {
  type Address,
  type ClientFrame,
  type CloseCode,
  decodeClientFrame,
  encodeFrame,
  ERRORS,
  type ErrorCode,
  type ErrorDetails,
  errorFrame,
  LIMITS,
  Rejection,
  RelayError,
} from '@relay/protocol';
import { FRAME_RULES } from '../auth/rules.js';
import { type SessionName, UNPROVEN } from '../auth/session.repository.js';
import type { PresenceStatus } from '../presence/presence.repository.js';
import type { PresenceWatcher } from '../presence/presence.service.js';
import { type EntryId, isLater } from '../queue/entry-id.js';
import {
  CLASSIC_DEVICE,
  type Cursor,
  type DeviceId,
  type Entry,
  type Receipt,
  type ReceiptEntry,
} from '../queue/queue.repository.js';
import { Inbox, type InboxOwner } from './inbox.js';
import type { Link, Mark } from './link.js';
import { Liveness } from './liveness.js';
import type { MailboxReader, ReaderEvents } from './mailbox-reader.js';
import type { Room } from './room.js';
import { OneAtATime } from './one-at-a-time.js';
import type { Entrance, Opening, SignIn } from './sign-in.js';
import { Told } from './told.js';
import { UnstoredFrames } from './unstored-frames.js';
import type { Waiting, WaitingRoom } from './waiting-room.js';

/** What a client may send once it has signed in, and the relay handles. */
export type SignedInFrame = Exclude<ClientFrame, { type: 'auth' | 'hello' | 'ack' }>;

/** What a connection speaks; `pending` until it has signed in. */
export type ConnectionProtocol = 'pending' | 'classic' | 'v2';

export type SignInOutcome = 'believed' | 'proven' | 'resumed' | ErrorCode;

/** What a connection needs of the relay behind it. */
export interface ConnectionHost {
  /** Monotonic ms. */
  now(): number;
  /**
   * Joins the address's room and opens its mailbox; the connection calls `leave` once. `null` where what let it in has ended
   * meanwhile: then, and where it rejects, it has left.
   */
  join(connection: Connection, entrance: Entrance): Promise<Joined | null>;
  leave(connection: Connection, room: Room): void;
  handle(connection: Connection, room: Room, frame: SignedInFrame): void;
  acknowledge(connection: Connection, room: Room, upTo: EntryId): void;
  /** A receipt goes to the client by its mailbox. */
  tells(connection: Connection, room: Room, receipt: ReceiptEntry): void;
  /** Somebody came in, or was refused with a code: for the operator to count. */
  signInEnded(connection: Connection, outcome: SignInOutcome): void;
  failed(connection: Connection, what: string, error: unknown): void;
  /** Whether that session was ended, as far as this node knows. */
  isRevoked(session: SessionName): boolean;
  readonly waiting: WaitingRoom;
}

export interface Joined {
  readonly room: Room;
  readonly reader: MailboxReader;
  readonly cursor: Cursor;
  /** Sent before anything else. */
  readonly welcome: string;
  readonly maxFrameBytes: number;
}

/** Of a ping: a pong that answers nothing. A gateway may answer pings beside the client. */
const UNASKED_WEIGHT = 0.1;

/** One WebSocket of a client: its ordered inbox, its state and its limits. */
export class Connection implements PresenceWatcher, ReaderEvents, Waiting, InboxOwner {
  /** The device whose place in the mailbox this connection has. */
  device: DeviceId = CLASSIC_DEVICE;
  /** Of the opening that this connection was; 0 for a classic one, of which there may be several. */
  claim = 0;
  /** By which it came in; `null` for who was believed without proof, and before. */
  session: SessionName | null = null;
  /** How it came in; `null` for who did not. */
  cameIn: SignInOutcome | null = null;
  /** Whether the relay ended it, and for what where no close code says that. */
  endedBecause: CloseCode | 'no answer' | null = null;
  /** Frames. */
  received = 0;
  readonly startedAt: number;
  private version: 1 | 2 = 1;
  /** `asked`: it was sent a challenge. */
  private state: 'new' | 'signing-in' | 'asked' | 'open' | 'closed' = 'new';
  private room: Room | null = null;
  private reader: MailboxReader | null = null;
  /** The newest entry offered while signing in. */
  private offered: EntryId | null = null;
  /** Of the last acknowledgement: resolves when the store has answered and its receipts are on their way, also to other nodes. */
  acknowledging: Promise<unknown> | null = null;
  private isAcknowledging = false;
  /** What came while an acknowledgement was on its way to the store. */
  private toAcknowledge: EntryId | null = null;
  /** What a congested link could not be told, newest status only. */
  private presenceOwed: Map<Address, PresenceStatus> | null = null;
  private mustAskAgain: EntryId | null = null;
  private isPaused = false;
  /** Made when first needed. */
  private told: Told | null = null;
  private isStopped = false;
  private whenSent: (() => void) | null = null;
  private unstored: UnstoredFrames | null = null;
  /** Made when first needed. */
  private inTurn: OneAtATime | null = null;
  private readonly inbox: Inbox;
  private readonly liveness: Liveness;

  constructor(
    readonly id: string,
    readonly link: Link,
    private readonly host: ConnectionHost,
    /** Until it has come in: what it takes to come in is not kept. */
    private signIn: SignIn | null,
    readonly network: string,
  ) {
    host.waiting.enter(this);
    this.startedAt = host.now();
    this.inbox = new Inbox(link, this, host);
    this.liveness = new Liveness(this.startedAt);
    link.owner = this;
  }

  get address(): Address | null {
    return this.room?.address ?? null;
  }

  get isOpen(): boolean {
    return this.state === 'open' && this.link.isOpen;
  }

  /** Whether what is sent now comes after everything that is owed to this connection. */
  get isLive(): boolean {
    return this.isOpen && this.reader?.hasCaughtUp === true && !this.link.isCongested && this.canConfirm;
  }

  /** Whether it can still be asked to confirm what the mailbox does not hold: a client that never does is asked no more. */
  get canConfirm(): boolean {
    return this.unstored?.isFull !== true;
  }

  /** A frame that is not stored, but must be confirmed; no more of them wait for it than a window holds. */
  get canTakeUnstored(): boolean {
    return this.isLive && !this.link.isBusy && (this.unstored?.size ?? 0) < LIMITS.windowEntries;
  }

  get protocol(): ConnectionProtocol {
    return this.state === 'open' ? this.spoken : 'pending';
  }

  /** As it was while it lasted. */
  get spoken(): ConnectionProtocol {
    if (this.cameIn === null) return 'pending';
    return this.version === 2 ? 'v2' : 'classic';
  }

  /** Entries that the store was told of. */
  get acknowledgedEntries(): number {
    return this.reader?.settled ?? 0;
  }

  /** Entries that were sent and not acknowledged. */
  get unacknowledged(): number {
    return this.reader?.unacknowledged ?? 0;
  }

  /** Whether it is sent nothing more until it reads or acknowledges. */
  get isSlow(): boolean {
    return this.state === 'open' && (this.link.isCongested || this.reader?.isWindowFull === true);
  }

  /** How long it has acknowledged nothing of what it was sent; 0 where nothing is outstanding. */
  lagMs(now: number): number {
    return this.reader?.isWaitingForAck === true ? this.liveness.stalledMs(now) : 0;
  }

  get sentUpTo(): number {
    return this.reader?.sentUpTo ?? 0;
  }

  get sentId(): EntryId | null {
    return this.reader?.sentId ?? null;
  }

  /** A text frame, or `null`: one that is binary. */
  receive(text: string | null): void {
    this.liveness.heard(this.host.now());
    this.received++;
    if (this.state === 'closed' || !this.link.isOpen) return;
    if (text === null) return this.close(1003);
    if (this.state === 'open' && this.inbox.isEmpty && this.inbox.mayHandleNext()) return this.process(text);
    if (this.state === 'new' || this.state === 'asked') return this.processOpening(text);
    this.inbox.add(text);
    this.pause();
    if (this.state === 'open') this.inbox.handleLater();
  }

  ponged(payload: Buffer): void {
    this.liveness.heard(this.host.now());
    if (!this.link.ponged(payload.toString('latin1'))) this.chattered(UNASKED_WEIGHT);
  }

  pinged(): void {
    this.liveness.heard(this.host.now());
    this.chattered(1);
    // Its pongs wait for it like everything else.
    if (this.link.isCongested) this.pause();
  }

  /** Also where its end is on the way: what came before that counts. */
  handleInbox(): void {
    while (!this.inbox.isEmpty && this.state === 'open' && this.inbox.mayHandleNext()) this.process(this.inbox.take()!);
    if (this.inbox.isEmpty) this.resumeWhenPossible();
    else this.inbox.handleLater();
  }

  /** The client made work that moves no message; too much of it ends the connection. */
  chattered(weight: number): void {
    if (this.liveness.isFlood(this.host.now(), weight)) this.close(4429);
  }

  drained(): void {
    this.reader?.readOn();
    this.inTurn?.runNext();
    const owed = this.presenceOwed;
    this.presenceOwed = null;
    for (const [address, status] of owed ?? []) this.presenceChanged(address, status);
    this.resumeWhenPossible();
  }

  closed(): void {
    if (this.state === 'closed') return;
    // They came before the end, and nobody is left to send them again.
    this.handleAll();
    this.end();
  }

  private end(): void {
    const { state } = this;
    if (state === 'closed') return;
    this.state = 'closed';
    this.host.waiting.leave(this);
    this.reader?.stop();
    this.inbox.takeAll();
    if (state === 'open' && this.room !== null) this.host.leave(this, this.room);
  }

  offer(entry: Entry, frame: string): void {
    const { reader } = this;
    if (reader === null) this.expectUpTo(entry.id);
    else if (reader.canTake(entry)) reader.take(entry, frame);
    else reader.expect(entry);
  }

  /** The mailbox has entries up to this one. */
  expectUpTo(head: EntryId): void {
    if (this.reader !== null) this.reader.expectUpTo(head);
    else if (isLater(head, this.offered)) this.offered = head;
  }

  /** What this connection was sent up to there and nobody has settled, oldest first. */
  unsettled(upTo: EntryId): Entry[] {
    return this.reader?.unsettled(upTo) ?? [];
  }

  /** The first so many of those are being acknowledged; 0: that failed. */
  makeRoom(entries: number): void {
    this.reader?.makeRoom(entries);
  }

  settle(upTo: EntryId): void {
    this.reader?.settle(upTo);
    this.reader?.readOn();
  }

  /** False while another acknowledgement is on its way to the store; this one then goes with the next. */
  mayAcknowledge(upTo: EntryId): boolean {
    if (this.isAcknowledging) {
      this.toAcknowledge = upTo;
      return false;
    }
    this.isAcknowledging = true;
    return true;
  }

  /** Returns what came meanwhile. */
  acknowledgementEnded(): EntryId | null {
    const next = this.toAcknowledge;
    this.toAcknowledge = null;
    this.isAcknowledging = false;
    return next;
  }

  sendUnstored(frame: string, arrived: () => void): void {
    this.link.send(frame);
    (this.unstored ??= new UnstoredFrames()).add(arrived, true);
    this.markFlush();
  }

  /** Calls back once the client has what it was sent so far; never, if its link turns out to be dead. Asks with the next tick. */
  whenArrived(arrived: () => void): void {
    const unstored = (this.unstored ??= new UnstoredFrames());
    unstored.add(arrived, false);
    if (unstored.isUrgent) this.markFlush();
  }

  /** One answer of many at a time, and none while the client has not read the last; false where too many wait already. */
  answerInTurn(answer: () => Promise<void>): boolean {
    this.inTurn ??= new OneAtATime(() => this.isOpen && !this.link.isCongested);
    return this.inTurn.add(answer);
  }

  presenceChanged(address: Address, { online, lastSeen }: PresenceStatus): void {
    if (!this.isOpen) return;
    if (this.link.isCongested) {
      (this.presenceOwed ??= new Map<Address, PresenceStatus>()).set(address, { online, lastSeen });
      return;
    }
    const status = online ? 'online' : 'offline';
    const frame = { type: 'presence', address, status } as const;
    this.link.send(encodeFrame(lastSeen === null ? frame : { ...frame, lastSeen }));
  }

  refuse(code: ErrorCode, details?: ErrorDetails): void {
    this.link.send(errorFrame(code, details));
  }

  /** That the message was delivered: what the store answers to its send is no news any more. */
  toldOf(to: Address, messageId: string): void {
    if (this.inbox.sends > 0) (this.told ??= new Told()).toldEarly(to, messageId);
  }

  wasToldOf(to: Address, messageId: string): boolean {
    return this.told?.wasToldEarly(to, messageId) === true;
  }

  /** A send or a receipt is on its way to the store; too many at once and the client is read no further. */
  sendStarted(): void {
    this.inbox.sendStarted();
    if (this.inbox.isStoreBehind) this.pause();
  }

  sendEnded(): void {
    this.inbox.sendEnded();
    if (this.inbox.sends === 0) {
      this.told?.sendsEnded();
      if (this.told?.isEmpty === true) this.told = null;
      this.whenSent?.();
    }
    if (this.isPaused) this.resumeWhenPossible();
  }

  close(code: CloseCode): void {
    this.endedBecause ??= code;
    // What came behind the reason for it does not count any more.
    this.inbox.takeAll();
    this.link.close(code);
    // Its answer to the closing handshake is still to be read.
    this.link.resumeReading();
    this.closed();
  }

  /** A stranger's place is needed; it need not agree. */
  giveWay(): void {
    this.close(1013);
    this.link.terminate();
  }

  /** What let it in does so no more. */
  revoked(): void {
    if (this.session !== null) return this.close(4440);
    this.refuseAndClose('downgrade_refused');
  }

  /** The operator keeps its address out. */
  banned(): void {
    this.refuseAndClose('forbidden', { message: 'This relay refuses this address' });
  }

  goAway(reconnectAfterMs: number): void {
    if (!this.link.isOpen) return;
    this.link.send(encodeFrame({ type: 'going_away', reconnectAfterMs }));
    this.close(1012);
  }

  /** An acknowledgement was not stored: the next tick tries again. */
  askAgain(upTo: EntryId): void {
    this.mustAskAgain = upTo;
  }

  /** What was read of the socket is handled; nothing more is read. Resolves when no send is on its way to the store. */
  stopReading(): Promise<void> {
    this.isStopped = true;
    this.pause();
    this.handleAll();
    if (this.inbox.sends === 0) return Promise.resolve();
    return new Promise((resolve) => (this.whenSent = resolve));
  }

  /** Silence up to now was not the client's fault. */
  forgive(now: number): void {
    this.liveness.heard(now);
    this.liveness.progressed(now);
  }

  /** Called a few times a second: whatever about this connection depends on time alone. */
  tick(now: number): void {
    if (this.state === 'closed') return;
    if (this.state !== 'open') {
      const deadline = this.signIn?.deadline ?? null;
      if (deadline === null ? this.liveness.isSignInOverdue(now, this.startedAt) : now >= deadline) this.close(4408);
      return;
    }
    this.reader?.readOn();
    this.inTurn?.runNext();
    this.resumeWhenPossible();
    if (this.isPaused && !this.link.isCongested) this.liveness.heard(now);
    if (this.mustAskAgain !== null && this.room !== null) {
      const upTo = this.mustAskAgain;
      this.mustAskAgain = null;
      this.host.acknowledge(this, this.room, upTo);
    }
    if (this.unstored?.isWaiting === true) this.markFlush();
    switch (this.liveness.check(now, this.isWaitingForMark)) {
      case 'ping':
        this.link.ping();
        if (this.isWaitingForMark) this.markFlush();
        break;
      case 'dead':
        this.endedBecause ??= 'no answer';
        this.link.terminate();
        this.closed();
        break;
      case 'stalled':
        this.close(4413);
        break;
      case 'fine':
    }
  }

  moved(): void {
    this.markFlush();
  }

  mayTell(receipt: ReceiptEntry): boolean {
    if (!this.isNews(receipt)) return false;
    if (this.room !== null) this.host.tells(this, this.room, receipt);
    return true;
  }

  /** A receipt that needs no mailbox. */
  tell(receipt: Receipt, frame: string): void {
    if (!this.isNews(receipt)) return;
    this.toldOf(receipt.peer, receipt.messageId);
    this.link.send(frame);
  }

  caughtUp(upTo: EntryId | null): void {
    if (this.version === 2) this.link.send(encodeFrame({ type: 'sync_complete', upTo }));
  }

  failed(error: unknown): void {
    this.host.failed(this, 'mailbox not read', error);
  }

  /** What is told to be read is remembered. */
  private isNews(receipt: Receipt): boolean {
    if (this.told?.isNews(receipt) === false) return false;
    if (receipt.kind === 'read') (this.told ??= new Told()).toldRead(receipt.peer, receipt.messageId);
    return true;
  }

  private get isWaitingForMark(): boolean {
    return this.unstored?.isWaiting === true || this.reader?.isWaitingForAck === true;
  }

  private processOpening(text: string): void {
    const frame = decodeClientFrame(text);
    if (frame instanceof Rejection && frame.code === 'auth_failed')
      return this.refuseAndClose(frame.code, { message: frame.message });
    if (frame instanceof Rejection || !isOpening(frame)) return this.refuseAndClose('auth_required');
    const isFirst = this.state === 'new';
    this.state = 'signing-in';
    this.host.waiting.leave(this);
    if (isFirst && frame.type === 'hello') {
      this.version = 2;
      this.device = frame.deviceId;
    }
    this.takeStep(frame).catch((error: unknown) => this.signInFailed(error));
  }

  private async takeStep(frame: Opening): Promise<void> {
    const step = await this.signIn?.next(frame);
    if (step === undefined || this.state !== 'signing-in') return;
    if (step.kind === 'in') return this.enter(step.entrance);
    this.state = 'asked';
    this.host.waiting.wasAsked(this);
    this.link.send(step.frame);
    const early = this.inbox.take();
    if (early !== undefined) this.processOpening(early);
    else this.resumeWhenPossible();
  }

  private signInFailed(error: unknown): void {
    this.host.signInEnded(this, error instanceof RelayError ? error.code : 'internal');
    if (!(error instanceof RelayError) || error.code === 'store_unavailable') {
      this.host.failed(this, 'sign-in failed', error);
      this.refuse('store_unavailable');
      return this.close(1013);
    }
    const { code, message, details } = error;
    this.refuseAndClose(code, { message, ...details });
  }

  private async enter(entrance: Entrance): Promise<void> {
    this.session = entrance.session;
    const joined = await this.host.join(this, entrance);
    if (joined === null) return this.isGone ? undefined : this.revoked();
    this.room = joined.room;
    this.reader = joined.reader;
    if (this.isGone) {
      this.host.leave(this, joined.room);
      return;
    }
    // Ended between the look at it and here.
    if (this.host.isRevoked(this.session ?? { id: UNPROVEN, address: joined.room.address, device: '' })) {
      this.host.leave(this, joined.room);
      return this.revoked();
    }
    this.state = 'open';
    this.signIn = null;
    this.cameIn = outcomeOf(entrance);
    this.host.signInEnded(this, this.cameIn);
    this.liveness.progressed(this.host.now());
    this.link.allowFrames(joined.maxFrameBytes);
    this.link.send(joined.welcome);
    joined.reader.start(joined.cursor, this.offered);
    this.handleInbox();
  }

  /** It may have gone while it came in. */
  private get isGone(): boolean {
    return this.state !== 'signing-in';
  }

  private process(text: string): void {
    const frame = decodeClientFrame(text);
    if (frame instanceof Rejection) this.reject(frame);
    else if (isOpening(frame)) {
      this.reject(new Rejection('bad_message', undefined, 'Already authenticated'));
    } else if (frame.type === 'ack') this.acknowledged(frame.upTo as EntryId);
    else if (this.room !== null) this.host.handle(this, this.room, frame);
    if (this.link.isCongested) this.pause();
  }

  private reject({ code, messageId, message }: Rejection): void {
    const outcome = messageId === undefined ? undefined : 'refused';
    this.refuse(code === 'auth_failed' ? 'bad_message' : code, { message, messageId, outcome });
    if (code === 'unsupported') this.chattered(1);
    else if (this.liveness.isTooManyBad(this.host.now())) this.close(4400);
  }

  private refuseAndClose(code: ErrorCode, details?: ErrorDetails): void {
    this.refuse(code, details);
    this.close(ERRORS[code].closeCode ?? (code === 'rate_limited' ? 4429 : 4403));
  }

  /** A client of version 2 has saved everything up to there. */
  private acknowledged(upTo: EntryId): void {
    if (this.room === null || this.reader === null) return;
    const judgement = this.version === 1 ? 'ahead' : this.reader.judge(upTo);
    if (judgement === 'ahead') {
      this.refuse(this.version === 1 ? 'unsupported' : 'ack_ahead');
      return this.chattered(1);
    }
    if (judgement === 'old') return;
    this.liveness.progressed(this.host.now());
    this.host.acknowledge(this, this.room, upTo);
  }

  marked({ upTo, unstored }: Mark): void {
    if (this.state !== 'open' || this.room === null) return;
    this.unstored?.arrivedUpTo(unstored);
    this.liveness.progressed(this.host.now());
    if (upTo !== null) this.host.acknowledge(this, this.room, upTo);
  }

  /** Everything sent so far; the mark comes back when the client's WebSocket stack has it. Version 2 says itself what it has. */
  private markFlush(): void {
    this.liveness.awaited(this.host.now());
    const unstored = this.unstored?.mark ?? 0;
    const upTo = this.version === 1 ? this.sentId : null;
    if (upTo !== null || unstored > 0) this.link.markAfter({ upTo, unstored });
  }

  private pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.link.pauseReading();
  }

  private handleAll(): void {
    if (this.state !== 'open') return;
    for (const text of this.inbox.takeAll()) if (this.state === 'open') this.process(text);
  }

  private resumeWhenPossible(): void {
    if (!this.isPaused || this.isStopped || this.state === 'signing-in' || this.link.isCongested) return;
    if (!this.inbox.isEmpty) return this.inbox.handleLater();
    if (!this.inbox.mayReadOn) return;
    this.isPaused = false;
    this.inbox.readingGoesOn();
    this.liveness.heard(this.host.now());
    this.link.resumeReading();
  }
}

/** What a stranger may send, by the table of who may send what; every other frame acts as somebody. */
function isOpening(frame: ClientFrame): frame is Opening {
  return FRAME_RULES[frame.type] === 'anyone';
}

function outcomeOf({ session, token }: Entrance): SignInOutcome {
  if (session === null) return 'believed';
  return token === null ? 'resumed' : 'proven';
}
