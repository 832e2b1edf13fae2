import { LIMITS } from '@relay/protocol';
import { Backoff } from './backoff.js';
import type { Environment } from './environment.js';
import { ClientError } from './errors.js';
import { type Item, Lane, type StoredMessage } from './lane.js';
import { type ClientStore, sequenceKey, sequenceOf } from './store.js';

export interface OutboxHost {
  /** Only called between `start` and `stop`. */
  transmit(frame: object): void;
  /** It will never be sent again. */
  failed(message: StoredMessage, error: ClientError): void;
  /** It will be sent again. */
  delayed(message: StoredMessage, error: ClientError): void;
  storeFailed(error: unknown): void;
}

export interface OutboxOptions {
  /** With 1 nothing overtakes; with more, a message that the relay cannot take now may be overtaken by one behind it. */
  readonly inFlightPerRecipient: number;
  readonly maxMessages: number;
}

const PREFIX = 'out/';
const MAX_UNDER_WAY = 64;
/** The relay's own bound, and time for the way back. */
const VERDICT_WITHIN_MS = LIMITS.verdictWithinMs + 5_000;
const RETRY = { firstMs: 1_000, maxMs: 60_000 };

/** Keeps every message until the relay has said what became of it, across restarts, and sends it again with the same messageId. */
export class Outbox {
  private readonly items = new Map<string, Item>();
  private readonly lanes = new Map<string, Lane>();
  /** Lanes that would send, were there room. */
  private readonly hungry = new Set<Lane>();
  private readonly backoff: Backoff;
  private nextSequence = 0;
  private underWay = 0;
  /** Halved where the relay says that we are too fast, and grows with what it takes. */
  private maxUnderWay = MAX_UNDER_WAY;
  private maxFrameBytes: number | null = null;
  private endPause: (() => void) | null = null;

  private constructor(
    private readonly store: ClientStore,
    private readonly environment: Environment,
    private readonly host: OutboxHost,
    private readonly options: OutboxOptions,
  ) {
    this.backoff = new Backoff(environment.random, RETRY);
  }

  /** With what an earlier process left. */
  static async load(
    store: ClientStore,
    environment: Environment,
    host: OutboxHost,
    options: OutboxOptions,
  ): Promise<Outbox> {
    const outbox = new Outbox(store, environment, host, options);
    for (const [key, value] of await store.list(PREFIX)) {
      outbox.enqueue({ sequence: sequenceOf(PREFIX, key), message: JSON.parse(value) as StoredMessage });
    }
    return outbox;
  }

  get size(): number {
    return this.items.size;
  }

  get(messageId: string): StoredMessage | undefined {
    return this.items.get(messageId)?.message;
  }

  /** Resolves when it is durable. */
  async add(message: StoredMessage): Promise<void> {
    if (this.size >= this.options.maxMessages) throw new ClientError('outbox_full', { messageId: message.messageId });
    const sequence = this.nextSequence++;
    await this.store.write([[sequenceKey(PREFIX, sequence), JSON.stringify(message)]]);
    this.pump(this.enqueue({ sequence, message }));
  }

  start({ maxFrameBytes }: { readonly maxFrameBytes: number }): void {
    this.maxFrameBytes = maxFrameBytes;
    for (const lane of this.lanes.values()) this.pump(lane);
  }

  stop(): void {
    this.maxFrameBytes = null;
    this.endPause?.();
    for (const lane of this.lanes.values()) {
      this.recallAll(lane);
      lane.endPause?.();
    }
    this.hungry.clear();
  }

  /** The relay has it. False for what does not wait here. */
  accepted(messageId: string, to: string): boolean {
    const item = this.items.get(messageId);
    if (item?.message.to !== to) return false;
    this.backoff.reset();
    this.maxUnderWay = Math.min(MAX_UNDER_WAY, this.maxUnderWay + 1);
    this.drop(item);
    return true;
  }

  /** The relay does not have it, or did not say. False for what does not wait here. */
  refused(error: ClientError): boolean {
    const item = this.items.get(error.messageId ?? '');
    if (item === undefined) return false;
    if (error.outcome === 'unknown' || error.isRetryable) this.retry(item, error);
    else this.fail(item, error);
    return true;
  }

  private enqueue({ sequence, message }: Omit<Item, 'stopWaiting'>): Lane {
    const item: Item = { sequence, message, stopWaiting: null };
    const lane = this.lanes.get(message.to) ?? new Lane(message.to);
    lane.items.push(item);
    this.lanes.set(message.to, lane);
    this.items.set(message.messageId, item);
    this.nextSequence = Math.max(this.nextSequence, sequence + 1);
    return lane;
  }

  private pump(lane: Lane): void {
    for (;;) {
      if (this.maxFrameBytes === null || this.endPause !== null) return;
      const item = lane.next(this.options.inFlightPerRecipient);
      if (item === undefined) return;
      if (this.underWay >= this.maxUnderWay) return void this.hungry.add(lane);
      this.transmit(lane, item);
    }
  }

  private transmit(lane: Lane, item: Item): void {
    const { messageId } = item.message;
    const frame = { type: 'message', ...item.message };
    if (utf8Length(JSON.stringify(frame)) > this.maxFrameBytes!) {
      // The relay would end the connection, and get the same again on the next one.
      return this.fail(item, new ClientError('too_large', { messageId, outcome: 'refused' }));
    }
    lane.underWay++;
    this.underWay++;
    const late = (): void => this.retry(item, new ClientError('no_verdict', { messageId, outcome: 'unknown' }));
    item.stopWaiting = this.environment.clock.after(VERDICT_WITHIN_MS, late);
    this.host.transmit(frame);
  }

  private retry(item: Item, error: ClientError): void {
    // Said of an attempt that is over.
    if (item.stopWaiting === null) return;
    const lane = this.lanes.get(item.message.to)!;
    this.recallAll(lane);
    this.host.delayed(item.message, error);
    const delayMs = error.retryAfterMs ?? this.backoff.nextMs();
    if (error.code === 'rate_limited') this.slowDown(delayMs);
    else this.pause(lane, delayMs);
  }

  private pause(lane: Lane, delayMs: number): void {
    lane.endPause?.();
    const end = (): void => {
      cancel();
      lane.endPause = null;
    };
    const cancel = this.environment.clock.after(delayMs, () => {
      end();
      this.pump(lane);
    });
    lane.endPause = end;
  }

  /** The rate is the address's, whoever the message is for. */
  private slowDown(delayMs: number): void {
    this.maxUnderWay = Math.max(1, this.maxUnderWay >> 1);
    this.endPause?.();
    const end = (): void => {
      cancel();
      this.endPause = null;
    };
    const cancel = this.environment.clock.after(delayMs, () => {
      end();
      for (const lane of this.lanes.values()) this.pump(lane);
    });
    this.endPause = end;
  }

  private fail(item: Item, error: ClientError): void {
    this.drop(item);
    this.host.failed(item.message, error);
  }

  private drop(item: Item): void {
    const lane = this.lanes.get(item.message.to)!;
    if (item.stopWaiting !== null) this.underWay--;
    lane.remove(item);
    this.items.delete(item.message.messageId);
    if (lane.items.length === 0) this.lanes.delete(lane.to);
    // Killed before this is durable, the next process sends it once more, and the relay knows it.
    this.store.write([[sequenceKey(PREFIX, item.sequence), null]]).catch((error) => this.host.storeFailed(error));
    this.pump(lane);
    for (const waiting of this.hungry) {
      if (this.underWay >= this.maxUnderWay) return;
      this.hungry.delete(waiting);
      this.pump(waiting);
    }
  }

  private recallAll(lane: Lane): void {
    this.underWay -= lane.underWay;
    lane.recallAll();
  }
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
