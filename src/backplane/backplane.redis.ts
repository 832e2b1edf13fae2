import { type Address, RelayError } from '@relay/protocol';
import { randomBytes } from 'node:crypto';
import type { Logger } from '../common/logger.js';
import { EXIT_CONFIGURATION, EXIT_UNAVAILABLE, StartError } from '../common/start-error.js';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { bucketOf } from '../redis/redis-key.redis.js';
import { Backplane, type Kind, type Topic } from './backplane.js';
import { type Session, Subscriber, type SubscriberEvents } from './subscriber.redis.js';

export interface RedisBackplaneOptions {
  readonly client: RedisClient;
  readonly logger?: Logger;
}

interface Waiter {
  readonly since: number;
  readonly resolve: () => void;
  readonly reject: (error: RelayError) => void;
}

interface Channel {
  readonly name: string;
  readonly topic: Topic | 'node';
  /** The address; of a node, its name. */
  readonly subject: string;
  /** `{b}`: those with the same one share a slot. */
  readonly tag: string;
  /** How many joined and did not leave. */
  joins: number;
  /** Where it was last subscribed, confirmed or not. */
  session: Session | null;
  isConfirmed: boolean;
  /** Rises with each confirmation after a time without; what `hearing` answers. */
  hearing: number;
  waiters: Waiter[];
}

type Batches = Map<string, { session: Session; channels: Channel[] }>;

const LETTERS = { mailbox: 'mb', presence: 'pr', node: 'nd' } as const;
const NODE_LENGTH = 8;
const CHANNELS_PER_COMMAND = 500;
const TICK_MS = 500;
/** In a minute everything is subscribed once more. */
const TICKS_PER_ROUND = 120;
/** A connection that is killed is back sooner. */
const JOIN_WITHIN_MS = 2000;
const RESUMED_EVERY_MS = 2000;

/**
 * Sharded publish/subscribe: `<prefix>mb:{b}:A` for mailboxes, `<prefix>pr:{b}:A` for presence, `<prefix>nd:{N}:N` for node N itself.
 * What is published leads with the node that says it (8 characters) and the kind (1); scripts publish in the same format. A channel that is joined
 * stays wanted until it is left, whatever became of the promise, and is subscribed whenever Redis can be reached.
 */
export class RedisBackplane extends Backplane {
  override readonly node = randomBytes(6).toString('base64url');
  private readonly client: RedisClient;
  private readonly logger: Logger | undefined;
  private readonly channels = {
    mailbox: new Map<string, Channel>(),
    presence: new Map<string, Channel>(),
    node: new Map<string, Channel>(),
  };
  /** By primary. */
  private readonly subscribers = new Map<string, Subscriber>();
  /** Channels that are not as they are wanted. */
  private readonly unsettled = new Set<Channel>();
  private readonly waiting = new Set<Channel>();
  /** Once confirmed, and lost since: what was said there meanwhile went unheard. */
  private readonly missing = new Set<Channel>();
  private confirmations = 0;
  private hasRecovered = false;
  private resumedAt = 0;
  private readonly ticks: NodeJS.Timeout;
  private round: Iterator<Channel> | null = null;
  private isFlushPlanned = false;
  private isClosed = false;
  private isRefused = false;

  constructor({ client, logger }: RedisBackplaneOptions) {
    super();
    this.client = client;
    this.logger = logger;
    this.ticks = setInterval(() => this.tick(), TICK_MS);
    this.ticks.unref();
    client.onTopology(() => this.rehome());
  }

  /** Resolves when subscriptions work; rejects with `StartError`. */
  static async open(options: RedisBackplaneOptions): Promise<RedisBackplane> {
    const backplane = new RedisBackplane(options);
    try {
      await backplane.joinChannel('node', backplane.node);
    } catch {
      backplane.close();
      const channels = `${options.client.prefix}*`;
      if (!backplane.isRefused) throw new StartError(EXIT_UNAVAILABLE, ['Redis does not answer to subscriptions']);
      throw new StartError(EXIT_CONFIGURATION, [
        `the user in REDIS_URL may not SSUBSCRIBE to the channels ${channels}`,
      ]);
    }
    return backplane;
  }

  /** Rejects with `store_unavailable` where Redis did not confirm it within 2 s. */
  override join(topic: Topic, address: Address): Promise<void> {
    return this.joinChannel(topic, address);
  }

  private joinChannel(topic: Channel['topic'], subject: string): Promise<void> {
    const channel = this.channels[topic].get(subject) ?? this.add(topic, subject);
    channel.joins++;
    if (channel.isConfirmed) return Promise.resolve();
    this.settleLater(channel);
    this.waiting.add(channel);
    return new Promise((resolve, reject) => channel.waiters.push({ since: performance.now(), resolve, reject }));
  }

  override leave(topic: Topic, address: Address): void {
    this.leaveChannel(topic, address);
  }

  override endHearing(): void {
    this.leaveChannel('node', this.node);
  }

  private leaveChannel(topic: Channel['topic'], subject: string): void {
    const channel = this.channels[topic].get(subject);
    if (channel === undefined || --channel.joins > 0) return;
    this.answerWaiters(channel);
    this.settleLater(channel);
  }

  /** Whether Redis confirmed it, and so counts this node among those that hear. */
  isJoined(topic: Topic, address: Address): boolean {
    return this.channels[topic].get(address)?.isConfirmed ?? false;
  }

  override hearing(topic: Topic, address: Address): number {
    const channel = this.channels[topic].get(address);
    return channel?.isConfirmed === true ? channel.hearing : 0;
  }

  override async send(topic: Topic, address: Address, kind: Kind, payload: string): Promise<number> {
    const heard = await this.client.command('SPUBLISH', this.nameOf(topic, address), this.node + kind + payload);
    return Math.max(0, Number(heard) - (this.isJoined(topic, address) ? 1 : 0));
  }

  override async tell(node: string, kind: Kind, payload: string): Promise<boolean> {
    const heard = await this.client.command('SPUBLISH', this.nameOf('node', node), this.node + kind + payload);
    return Number(heard) > 0;
  }

  /** Nothing is heard afterwards, and nobody counts this node any more. */
  close(): void {
    this.isClosed = true;
    clearInterval(this.ticks);
    for (const subscriber of this.subscribers.values()) subscriber.close();
    for (const channel of this.waiting) this.answerWaiters(channel, new RelayError('store_unavailable'));
  }

  private nameOf(topic: Channel['topic'], subject: string): string {
    return `${this.client.prefix}${LETTERS[topic]}:${tagOf(topic, subject)}:${subject}`;
  }

  private add(topic: Channel['topic'], subject: string): Channel {
    const name = this.nameOf(topic, subject);
    const tag = tagOf(topic, subject);
    const channel = { name, topic, subject, tag, joins: 0, session: null, isConfirmed: false, hearing: 0, waiters: [] };
    this.channels[topic].set(subject, channel);
    return channel;
  }

  private remove(channel: Channel): void {
    this.missing.delete(channel);
    this.channels[channel.topic].delete(channel.subject);
  }

  private *all(): Generator<Channel> {
    yield* this.channels.mailbox.values();
    yield* this.channels.presence.values();
    yield* this.channels.node.values();
  }

  /** What one turn of the event loop wants goes out together, and what it changed its mind about not at all. */
  private settleLater(channel: Channel): void {
    this.unsettled.add(channel);
    if (this.isFlushPlanned) return;
    this.isFlushPlanned = true;
    setImmediate(() => this.settle());
  }

  private settle(): void {
    this.isFlushPlanned = false;
    if (this.isClosed) return;
    const wanted: Batches = new Map();
    const unwanted: Batches = new Map();
    for (const channel of this.unsettled) {
      const { joins, session } = channel;
      if (joins > 0 === (session !== null)) this.unsettled.delete(channel);
      else if (session !== null) this.put(unwanted, session, channel);
      else this.put(wanted, this.subscriberOf(channel)?.session ?? null, channel);
      if (joins === 0) this.remove(channel);
    }
    for (const { session, channels } of unwanted.values()) this.unsubscribe(session, channels);
    for (const { session, channels } of wanted.values()) this.subscribe(session, channels);
  }

  /** One command each. Left for later where there is no session. */
  private put(batches: Batches, session: Session | null, channel: Channel): void {
    if (session === null) return;
    const slot = `${session.subscriber.primary} ${this.client.isCluster ? channel.tag : ''}`;
    const batch = batches.get(slot);
    if (batch === undefined) batches.set(slot, { session, channels: [channel] });
    else batch.channels.push(channel);
  }

  private unsubscribe(session: Session, channels: readonly Channel[]): void {
    for (const channel of channels) {
      channel.session = null;
      channel.isConfirmed = false;
      this.unsettled.delete(channel);
    }
    for (const names of chunks(channels)) session.subscriber.unsubscribe(session, names.map(nameOf));
  }

  private subscribe(session: Session, channels: readonly Channel[]): void {
    for (const channel of channels) {
      channel.session = session;
      this.unsettled.delete(channel);
    }
    for (const some of chunks(channels)) void this.confirm(session, some);
  }

  private async confirm(session: Session, channels: readonly Channel[]): Promise<void> {
    const outcome = await session.subscriber.subscribe(session, channels.map(nameOf));
    if (outcome === 'refused') this.complain();
    if (outcome === 'moved') this.client.refreshTopology();
    for (const channel of channels) {
      // Left, or lost, since it was sent.
      if (channel.session !== session) continue;
      if (outcome === 'yes') this.confirmed(channel);
      // The next tick tries again.
      else this.forget(channel);
      if (outcome === 'refused') this.answerWaiters(channel, new RelayError('store_unavailable'));
    }
    if (this.hasRecovered && this.missing.size === 0) this.recovered();
  }

  private confirmed(channel: Channel): void {
    if (!channel.isConfirmed) channel.hearing = ++this.confirmations;
    channel.isConfirmed = true;
    if (this.missing.delete(channel)) this.hasRecovered = true;
    if (channel.waiters.length > 0) this.answerWaiters(channel);
  }

  private forget(channel: Channel): void {
    if (channel.isConfirmed) this.missing.add(channel);
    channel.session = null;
    channel.isConfirmed = false;
    this.unsettled.add(channel);
  }

  private answerWaiters(channel: Channel, error?: RelayError): void {
    const { waiters } = channel;
    channel.waiters = [];
    this.waiting.delete(channel);
    for (const { resolve, reject } of waiters) {
      if (error === undefined) resolve();
      else reject(error);
    }
  }

  private subscriberOf({ tag }: Channel): Subscriber | null {
    const primary = this.client.primaryOf(tag);
    if (primary === undefined) return null;
    const known = this.subscribers.get(primary);
    if (known !== undefined) return known;
    const subscriber = new Subscriber(this.client.createSubscriber(primary), primary, this.events);
    this.subscribers.set(primary, subscriber);
    return subscriber;
  }

  private readonly events: SubscriberEvents = {
    heard: (channel, payload) => this.receive(channel, payload),
    opened: () => this.settle(),
    lost: (session, reason) => this.lost(session, reason),
    moved: () => this.client.refreshTopology(),
  };

  private receive(channel: string, payload: string): void {
    if (payload.length <= NODE_LENGTH || payload.startsWith(this.node)) return;
    const address = channel.slice(channel.lastIndexOf(':') + 1) as Address;
    const node = payload.slice(0, NODE_LENGTH);
    this.guard(() => this.heard(payload[NODE_LENGTH]!, address, payload.slice(NODE_LENGTH + 1), node));
  }

  private lost(session: Session, reason: string): void {
    if (this.isClosed) return;
    this.logger?.debug('subscriptions lost', { node: session.subscriber.primary, reason });
    for (const channel of this.all()) if (channel.session === session) this.forget(channel);
    this.client.refreshTopology();
  }

  /** A Cluster said who serves what: channels go where their slots went. */
  private rehome(): void {
    const homes = new Map<string, string | undefined>();
    for (const channel of this.all()) {
      const { tag, session } = channel;
      if (!homes.has(tag)) homes.set(tag, this.client.primaryOf(tag));
      const home = homes.get(tag);
      if (session !== null && home !== undefined && session.subscriber.primary !== home) this.forget(channel);
    }
    const needed = new Set(homes.values());
    for (const [primary, subscriber] of this.subscribers) {
      if (needed.has(primary)) continue;
      this.subscribers.delete(primary);
      subscriber.close();
    }
    if (this.unsettled.size > 0) this.settle();
  }

  private tick(): void {
    const latest = performance.now() - JOIN_WITHIN_MS;
    for (const channel of this.waiting) {
      if (channel.waiters[0]!.since < latest) this.answerWaiters(channel, new RelayError('store_unavailable'));
    }
    if (this.unsettled.size > 0) {
      this.client.refreshTopology();
      this.settle();
    }
    this.subscribeOnceMore();
    // Not all are back, and those that are should not wait for the rest.
    if (this.hasRecovered && performance.now() - this.resumedAt > RESUMED_EVERY_MS) this.recovered();
  }

  /** A slice of everything: what Redis or the library lost in silence is back within a minute. */
  private subscribeOnceMore(): void {
    const batches: Batches = new Map();
    const { mailbox, presence, node } = this.channels;
    for (let left = Math.ceil((mailbox.size + presence.size + node.size) / TICKS_PER_ROUND); left > 0; left--) {
      this.round ??= this.all();
      const next = this.round.next();
      if (next.done) this.round = null;
      else if (next.value.isConfirmed) this.put(batches, next.value.session, next.value);
    }
    for (const { session, channels } of batches.values()) {
      for (const some of chunks(channels)) void this.confirm(session, some);
    }
  }

  private recovered(): void {
    this.hasRecovered = false;
    this.resumedAt = performance.now();
    this.guard(() => this.resumed());
  }

  private complain(): void {
    if (!this.isRefused) this.logger?.error('Redis refuses subscriptions', undefined, { prefix: this.client.prefix });
    this.isRefused = true;
  }

  /** One listener that fails must not end the connection, nor the process. */
  private guard(listen: () => void): void {
    try {
      listen();
    } catch (error) {
      this.logger?.error('what another node said could not be handled', error);
    }
  }
}

function tagOf(topic: Channel['topic'], subject: string): string {
  return `{${topic === 'node' ? subject : bucketOf(subject as Address)}}`;
}

function nameOf({ name }: Channel): string {
  return name;
}

function chunks(channels: readonly Channel[]): Channel[][] {
  const count = Math.ceil(channels.length / CHANNELS_PER_COMMAND);
  return Array.from({ length: count }, (_, i) =>
    channels.slice(i * CHANNELS_PER_COMMAND, (i + 1) * CHANNELS_PER_COMMAND),
  );
}
