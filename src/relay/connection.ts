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
} from '@relay/protocol';
import type { PresenceStatus } from '../presence/presence.repository.js';
import type { PresenceWatcher } from '../presence/presence.service.js';
import { type EntryId } from '../queue/entry-id.js';
import type { Cursor, Entry } from '../queue/queue.repository.js';
import type { Link, Mark } from './link.js';
import { Liveness } from './liveness.js';
import type { MailboxReader, ReaderEvents } from './mailbox-reader.js';
import type { Room } from './room.js';

/** What a client may send once it has signed in. */
export type SignedInFrame = Exclude<ClientFrame, { type: 'auth' }>;

/** What a connection needs of the relay behind it. */
export interface ConnectionHost {
  /** Monotonic ms. */
  now(): number;
  /** Joins the address's room and opens its mailbox; the connection calls `leave` once, whatever came of it. */
  join(connection: Connection, address: Address): Promise<Joined>;
  leave(connection: Connection, room: Room): void;
  handle(connection: Connection, room: Room, frame: SignedInFrame): void;
  acknowledge(connection: Connection, room: Room, upTo: EntryId): void;
  failed(connection: Connection, what: string, error: unknown): void;
}

export interface Joined {
  readonly room: Room;
  readonly reader: MailboxReader;
  readonly cursor: Cursor;
  /** Sent before anything else. */
  readonly welcome: string;
  readonly maxFrameBytes: number;
}

/** Sends in flight to the store above which a connection is read no further. */
const MAX_SENDS_IN_FLIGHT = 1024;
/** Of a ping: a pong that answers nothing. A gateway may answer pings beside the client. */
const UNASKED_WEIGHT = 0.1;

/** One WebSocket of a client: its ordered inbox, its state and its limits. */
export class Connection implements PresenceWatcher, ReaderEvents {
  private state: 'new' | 'signing-in' | 'open' | 'closed' = 'new';
  private room: Room | null = null;
  private reader: MailboxReader | null = null;
  /** The newest entry offered while signing in. */
  private offered = 0;
  /** What a congested link could not be told, newest status only. */
  private presenceOwed: Map<Address, PresenceStatus> | null = null;
  private mustAskAgain = false;
  /** Frames that came while signing in; they are handled in order afterwards. */
  private inbox: string[] = [];
  private sendsInFlight = 0;
  private isPaused = false;
  /** Unstored frames sent, and who waits to hear that they arrived, oldest first. */
  private unstoredCount = 0;
  private unstored: { readonly number: number; readonly arrived: () => void }[] = [];
  private readonly liveness: Liveness;

  constructor(
    readonly id: string,
    readonly link: Link,
    private readonly host: ConnectionHost,
  ) {
    this.liveness = new Liveness(host.now());
    link.onMark = (mark) => this.marked(mark);
  }

  get isOpen(): boolean {
    return this.state === 'open' && this.link.isOpen;
  }

  /** Whether what is sent now comes after everything that is owed to this connection. */
  get isLive(): boolean {
    return this.isOpen && this.reader?.hasCaughtUp === true && !this.link.isCongested;
  }

  /** A frame that is not stored, but must be confirmed; no more of them wait for it than a window holds. */
  get canTakeUnstored(): boolean {
    return this.isLive && !this.link.isBusy && this.unstored.length < LIMITS.windowEntries;
  }

  get sentUpTo(): number {
    return this.reader?.sentUpTo ?? 0;
  }

  get sentId(): EntryId | null {
    return this.reader?.sentId ?? null;
  }

  receive(data: Buffer, isBinary: boolean): void {
    this.liveness.heard(this.host.now());
    if (this.state === 'closed' || !this.link.isOpen) return;
    if (isBinary) return this.close(1003);
    if (this.state === 'open') return this.process(data.toString());
    if (this.state === 'new') return this.processFirst(data.toString());
    this.inbox.push(data.toString());
    this.pause();
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

  /** The client made work that moves no message; too much of it ends the connection. */
  chattered(weight: number): void {
    if (this.liveness.isFlood(this.host.now(), weight)) this.close(4429);
  }

  drained(): void {
    this.reader?.readOn();
    const owed = this.presenceOwed;
    this.presenceOwed = null;
    for (const [address, status] of owed ?? []) this.presenceChanged(address, status);
    this.resumeWhenPossible();
  }

  closed(): void {
    if (this.state === 'closed') return;
    const { state } = this;
    this.state = 'closed';
    this.reader?.stop();
    this.inbox = [];
    if (state === 'open' && this.room !== null) this.host.leave(this, this.room);
  }

  offer(entry: Entry, frame: string): void {
    const { reader } = this;
    if (reader === null) this.offered = Math.max(this.offered, entry.sequence);
    else if (reader.canTake(entry)) reader.take(entry, frame);
    else reader.expect(entry);
  }

  settle(upTo: EntryId): Entry[] {
    const settled = this.reader?.settle(upTo) ?? [];
    this.reader?.readOn();
    return settled;
  }

  sendUnstored(frame: string, arrived: () => void): void {
    this.link.send(frame);
    this.unstored.push({ number: ++this.unstoredCount, arrived });
    this.markFlush();
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

  /** A send or a receipt is on its way to the store; too many at once and the client is read no further. */
  sendStarted(): void {
    if (++this.sendsInFlight >= MAX_SENDS_IN_FLIGHT) this.pause();
  }

  sendEnded(): void {
    this.sendsInFlight--;
    if (this.isPaused) this.resumeWhenPossible();
  }

  close(code: CloseCode): void {
    this.link.close(code);
    this.closed();
  }

  goAway(reconnectAfterMs: number): void {
    if (!this.link.isOpen) return;
    this.link.send(encodeFrame({ type: 'going_away', reconnectAfterMs }));
    this.close(1012);
  }

  /** An acknowledgement was not stored: the next tick asks for it anew. */
  askAgain(): void {
    this.mustAskAgain = true;
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
      if (this.liveness.isSignInOverdue(now)) this.close(4408);
      return;
    }
    this.reader?.readOn();
    this.resumeWhenPossible();
    if (this.isPaused && !this.link.isCongested) this.liveness.heard(now);
    if (this.mustAskAgain) {
      this.mustAskAgain = false;
      this.markFlush();
    }
    switch (this.liveness.check(now, this.isWaitingForMark)) {
      case 'ping':
        this.link.ping();
        if (this.isWaitingForMark) this.markFlush();
        break;
      case 'dead':
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

  failed(error: unknown): void {
    this.host.failed(this, 'mailbox not read', error);
  }

  private get isWaitingForMark(): boolean {
    return this.unstored.length > 0 || this.reader?.isWaitingForAck === true;
  }

  private processFirst(text: string): void {
    const frame = decodeClientFrame(text);
    if (frame instanceof Rejection && frame.code === 'auth_failed') return this.refuseAndClose('auth_failed');
    if (frame instanceof Rejection || frame.type !== 'auth') return this.refuseAndClose('auth_required');
    this.state = 'signing-in';
    this.signIn(frame.address).catch((error: unknown) => {
      this.host.failed(this, 'sign-in failed', error);
      this.refuse('store_unavailable');
      this.close(1013);
    });
  }

  private async signIn(address: Address): Promise<void> {
    const joined = await this.host.join(this, address);
    this.room = joined.room;
    this.reader = joined.reader;
    // It may have gone meanwhile.
    if (this.state !== 'signing-in') {
      this.host.leave(this, joined.room);
      return;
    }
    this.state = 'open';
    this.liveness.progressed(this.host.now());
    this.link.allowFrames(joined.maxFrameBytes);
    this.link.send(joined.welcome);
    joined.reader.start(joined.cursor, this.offered);
    const { inbox } = this;
    this.inbox = [];
    for (const text of inbox) {
      if (this.isOpen) this.process(text);
    }
    this.resumeWhenPossible();
  }

  private process(text: string): void {
    const frame = decodeClientFrame(text);
    if (frame instanceof Rejection) this.reject(frame);
    else if (frame.type === 'auth') this.reject(new Rejection('bad_message', undefined, 'Already authenticated'));
    else if (this.room !== null) this.host.handle(this, this.room, frame);
    if (this.link.isCongested) this.pause();
  }

  private reject({ code, messageId, message }: Rejection): void {
    const outcome = messageId === undefined ? undefined : 'refused';
    this.refuse(code === 'auth_failed' ? 'bad_message' : code, { message, messageId, outcome });
    if (code === 'unsupported') this.chattered(1);
    else if (this.liveness.isTooManyBad(this.host.now())) this.close(4400);
  }

  private refuseAndClose(code: 'auth_required' | 'auth_failed'): void {
    this.refuse(code);
    this.close(ERRORS[code].closeCode);
  }

  private marked({ upTo, unstored }: Mark): void {
    if (this.state !== 'open' || this.room === null) return;
    this.unstoredArrived(unstored);
    this.liveness.progressed(this.host.now());
    if (upTo === null) return;
    this.host.acknowledge(this, this.room, upTo);
  }

  private unstoredArrived(number: number): void {
    while (this.unstored.length > 0 && this.unstored[0]!.number <= number) this.unstored.shift()?.arrived();
  }

  /** Everything sent so far; the mark comes back when the client's WebSocket stack has it. */
  private markFlush(): void {
    this.liveness.awaited(this.host.now());
    const unstored = this.unstored.length === 0 ? 0 : this.unstoredCount;
    this.link.markAfter({ upTo: this.sentId, unstored });
  }

  private pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.link.pauseReading();
  }

  private resumeWhenPossible(): void {
    if (!this.isPaused || this.state === 'signing-in' || this.link.isCongested) return;
    if (this.sendsInFlight >= MAX_SENDS_IN_FLIGHT / 2) return;
    this.isPaused = false;
    this.liveness.heard(this.host.now());
    this.link.resumeReading();
  }
}
