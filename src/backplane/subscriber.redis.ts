import type { Redis } from 'ioredis';
import { failureOf, keepAnswering } from '../redis/redis-connection.redis.js';
import { replyCode } from '../redis/redis-error.redis.js';
import { ReplyReader } from '../redis/reply-reader.redis.js';

/** One connection from ready to lost. What was subscribed on it ends with it. */
export interface Session {
  readonly subscriber: Subscriber;
  readonly stream: Redis['stream'];
}

export interface SubscriberEvents {
  heard(channel: string, payload: string): void;
  opened(): void;
  lost(session: Session, reason: string): void;
  /** Redis says that a slot is served elsewhere. */
  moved(): void;
}

/** `moved`: not here, or not now; `refused`: Redis will not have it. */
export type Subscribed = 'yes' | 'moved' | 'refused' | 'lost';

const RECONNECT_MS = 1000;
const NOT_NOW = new Set(['MOVED', 'ASK', 'TRYAGAIN', 'CLUSTERDOWN', 'LOADING', 'MASTERDOWN', 'READONLY', 'BUSY']);

/** The connection for subscriptions to one primary. It comes back by itself, with none of them. */
export class Subscriber {
  session: Session | null = null;
  private readonly pings: { stop(): void };
  private isClosing = false;
  private lastError: unknown;

  constructor(
    private readonly redis: Redis,
    /** As the client names primaries. */
    readonly primary: string,
    private readonly events: SubscriberEvents,
  ) {
    this.pings = keepAnswering(redis);
    redis.on('error', (error: unknown) => (this.lastError = error));
    redis.on('ready', () => this.opened());
    redis.on('close', () => this.lost());
    redis.on('end', () => this.ended());
    redis.on('moved', () => events.moved());
    const heard = (channel: string, payload: string): void => events.heard(channel, payload);
    redis.on('connect', () => ReplyReader.attach(redis, redis.stream, heard));
    redis.on('smessage', heard);
    redis.connect().catch(() => undefined);
  }

  /** All in one slot where it is a Cluster. Never rejects. */
  async subscribe(session: Session, channels: readonly string[]): Promise<Subscribed> {
    try {
      await this.redis.ssubscribe(...channels);
      return 'yes';
    } catch (error) {
      return this.failed(session, error);
    }
  }

  unsubscribe(session: Session, channels: readonly string[]): void {
    this.redis.sunsubscribe(...channels).catch((error: unknown) => this.failed(session, error));
  }

  close(): void {
    this.isClosing = true;
    this.pings.stop();
    this.redis.disconnect();
  }

  /** Without an answer, nobody knows what this connection is subscribed to: it starts over. */
  private failed(session: Session, error: unknown): Subscribed {
    const code = replyCode(error);
    if (code === '') {
      session.stream.destroy();
      return 'lost';
    }
    this.lastError = error;
    return NOT_NOW.has(code) ? 'moved' : 'refused';
  }

  private opened(): void {
    this.lastError = undefined;
    this.session = { subscriber: this, stream: this.redis.stream };
    this.events.opened();
  }

  private lost(): void {
    const { session } = this;
    this.session = null;
    if (session !== null) this.events.lost(session, failureOf(this.lastError));
  }

  private ended(): void {
    if (this.isClosing) return;
    setTimeout(() => void this.redis.connect().catch(() => undefined), RECONNECT_MS).unref();
  }
}
