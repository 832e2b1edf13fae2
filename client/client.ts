import { type Address, LIMITS, parseAddress } from '@relay/protocol';
import { AppData } from './app-data.js';
import type { IncomingFrame } from './decode.js';
import { Emitter } from './emitter.js';
import { type Environment, environmentOf, randomId } from './environment.js';
import { EphemeralSends } from './ephemeral.js';
import { asClientError, ClientError, isRelayCode } from './errors.js';
import type { ClientEvents, State } from './events.js';
import { History, type HistoryPage, type HistoryRequest } from './history.js';
import { Http } from './http.js';
import { Inbox, type InboxHandlers, type InboxHost, type InboxLink, incomingOf } from './inbox.js';
import { Keys } from './keys.js';
import type { StoredMessage } from './lane.js';
import { Outbox, type OutboxHost } from './outbox.js';
import { OutgoingMessage, type Receipt, Tracked } from './outgoing.js';
import { Presence } from './presence.js';
import { receiptOf } from './receipts.js';
import { Reconnecting, type ReconnectingHost } from './reconnecting.js';
import { redacted } from './redact.js';
import { Seen } from './seen.js';
import { Session } from './session.js';
import { domainOf, type Identity } from './sign-in.js';
import type { ClientStore } from './store.js';
import { MemoryStore } from './store.memory.js';

export interface ClientOptions {
  /** `wss://relay.example` or `ws://localhost:3002` */
  readonly url: string;
  /** Proves the address; without one the relay is asked to believe `address`. */
  readonly identity?: Identity;
  readonly address?: string;
  /** What the relay's challenges must name, where that is not the host of `url`. */
  readonly domain?: string;
  /** Of this device alone. In memory unless given: a restart then forgets what waits to be sent. */
  readonly store?: ClientStore;
  /** Resolves once the application has saved the message; until then the relay keeps it. One at a time, in order. */
  readonly onMessage: InboxHandlers['onMessage'];
  /** The same for receipts, where the application keeps them. */
  readonly onReceipt?: InboxHandlers['onReceipt'];
  /** As `on('state', …)`, from the first attempt on: `connect` resolves only once the relay has let us in. */
  readonly onState?: (event: ClientEvents['state']) => void;
  /** Messages and receipts under way to this device, 1 to 1024. */
  readonly window?: number;
  /** Messages on their way to one recipient at a time; above 1 a refused one may be overtaken. */
  readonly inFlightPerRecipient?: number;
  readonly maxOutboxMessages?: number;
  readonly environment?: Partial<Environment>;
}

export interface SendOptions {
  /** Where it is to be one of the application's own: sent twice it is stored once. */
  readonly messageId?: string;
  /** How long it may wait for the recipient. */
  readonly ttlSeconds?: number;
}

const MAX_OUTBOX_MESSAGES = 10_000;
const MESSAGE_ID = /^[\x20-\x7e]{1,128}$/;

/** One device of one address: what it sends arrives once, and what it gets is handed over once. */
export class RelayClient {
  readonly keys: Keys;
  /** What the application saved in this client's store. */
  readonly data: AppData;
  private readonly emitter = new Emitter<ClientEvents>();
  private readonly tracked = new Tracked();
  /** Messages on their way into the store. */
  private readonly sending = new Map<string, StoredMessage>();
  private readonly presence: Presence;
  private readonly pages: History;
  private readonly ephemeral: EphemeralSends;
  private readonly link: Reconnecting;
  private readonly inbox: Inbox;
  private outbox!: Outbox;

  private constructor(
    readonly address: Address,
    private readonly options: ClientOptions,
    private readonly environment: Environment,
    private readonly parts: { readonly store: ClientStore; readonly session: Session; readonly seen: Seen },
  ) {
    const { store, session, seen } = parts;
    if (options.onState !== undefined) this.on('state', options.onState);
    const transmit = (frame: object): boolean => this.link.send(frame);
    this.presence = new Presence(transmit);
    this.pages = new History(transmit);
    this.ephemeral = new EphemeralSends(transmit);
    this.link = new Reconnecting(environment, this.linkHost());
    this.data = new AppData(store);
    this.keys = new Keys(new Http(Http.baseOf(options.url), environment.fetch, () => session.token), address);
    const handlers = { onMessage: options.onMessage, onReceipt: options.onReceipt ?? null };
    this.inbox = new Inbox({ store, seen, environment, handlers, host: this.inboxHost() });
  }

  /** Reads the store, connects to nothing. Messages may be sent to its outbox. */
  static async open(options: ClientOptions): Promise<RelayClient> {
    const address = options.identity?.address ?? parseAddress(options.address);
    if (address === null) throw new TypeError('an identity or an address is needed');
    if (domainOf(options.url) === null) throw new TypeError('url must be ws:// or wss://');
    const environment = environmentOf(options.environment);
    const store = options.store ?? new MemoryStore();
    const session = await Session.load(store, address, environment.random);
    const client = new RelayClient(address, options, environment, { store, session, seen: await Seen.load(store) });
    client.outbox = await Outbox.load(store, environment, client.outboxHost(), {
      inFlightPerRecipient: options.inFlightPerRecipient ?? 1,
      maxMessages: options.maxOutboxMessages ?? MAX_OUTBOX_MESSAGES,
    });
    return client;
  }

  get state(): State {
    return this.link.state;
  }

  get deviceId(): string {
    return this.parts.session.deviceId;
  }

  /** Messages whose fate the relay has not told yet. */
  get outboxSize(): number {
    return this.outbox.size;
  }

  /** What is shown as the domain of nonces and key statements. */
  get domain(): string {
    return this.options.domain ?? domainOf(this.options.url)!;
  }

  get store(): ClientStore {
    return this.parts.store;
  }

  /** Returns what ends it. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    return this.emitter.on(name, listener);
  }

  /** From now on until `close` or an end for good it is connected whenever that is possible. */
  start(): void {
    this.link.start();
  }

  /** Resolves once the relay has let us in; rejects where it stopped instead. */
  signedIn(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.link.isSignedIn) return resolve();
      const off = this.on('state', ({ state, error }) => {
        if (state === 'syncing') resolve();
        else if (state === 'stopped') reject(error ?? new ClientError('closed'));
        else return;
        off();
      });
    });
  }

  /** Tries now instead of later: when the network came back, or the application to the front. */
  wake(): void {
    this.link.wake();
  }

  /** Resolves when the message is in the store; whatever happens from then on, it is sent until the relay has answered. */
  async send(to: string, content: string, options: SendOptions = {}): Promise<OutgoingMessage> {
    const { messageId = this.newMessageId(), ttlSeconds } = options;
    const recipient = parseAddress(to);
    const isTtl = ttlSeconds === undefined || (Number.isSafeInteger(ttlSeconds) && ttlSeconds > 0);
    if (recipient === null || content === '' || !MESSAGE_ID.test(messageId) || !isTtl) {
      throw new ClientError('bad_message', { messageId, outcome: 'refused' });
    }
    const timestamp = this.environment.clock.now();
    const message = {
      to: recipient,
      content,
      messageId,
      timestamp,
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    };
    const waiting = this.sending.get(messageId) ?? this.outbox.get(messageId);
    if (waiting !== undefined) return this.sentAgain(waiting, message);
    const tracked = this.tracked.add(new OutgoingMessage(messageId, recipient));
    this.sending.set(messageId, message);
    try {
      await this.outbox.add(message);
    } finally {
      this.sending.delete(messageId);
    }
    return tracked;
  }

  /** For whoever is connected now: never stored, on neither side. Rejects with `offline` where we are not. */
  sendEphemeral(to: string, content: string): OutgoingMessage {
    const recipient = parseAddress(to);
    if (recipient === null || content === '') throw new ClientError('bad_message');
    if (!this.link.isSignedIn) throw new ClientError('offline');
    return this.ephemeral.send(new OutgoingMessage(this.newMessageId(), recipient), content);
  }

  /** Fit for a message that has to know its id before it is sent. */
  newMessageId(): string {
    return randomId(this.environment.random);
  }

  /** The person has read it. Lost where we are not connected: say it again then. False for that. */
  markRead(message: { readonly from: Address; readonly messageId: string }): boolean {
    return this.link.send({ type: 'read_receipt', to: message.from, messageId: message.messageId });
  }

  typing(to: Address, isTyping: boolean): void {
    this.link.send({ type: 'typing', to, isTyping });
  }

  /** At most 16 KiB in UTF-8; never stored. False where we are not connected. */
  signal(to: Address, data: string): boolean {
    if (new TextEncoder().encode(data).length > LIMITS.signalBytes) throw new ClientError('too_large');
    return this.link.send({ type: 'signal', to, data });
  }

  /** `presence` tells each now, and whenever it changes, on this connection and those that follow. */
  watchPresence(addresses: readonly Address[]): void {
    this.presence.watch(addresses);
  }

  unwatchPresence(addresses: readonly Address[]): void {
    this.presence.unwatch(addresses);
  }

  /** Lasts at the relay. False where we are not connected. */
  setVisible(visible: boolean): boolean {
    return this.link.send({ type: 'set_presence', visible });
  }

  /** Own messages that the relay still has, newest first. Rejects with `unsupported` where it keeps none. */
  history(request: HistoryRequest = {}): Promise<HistoryPage> {
    return this.link.isSignedIn ? this.pages.ask(request) : Promise.reject(new ClientError('offline'));
  }

  /** Forgets the session's token, so that the next start has to prove the address again. */
  signOut(): Promise<void> {
    return this.parts.session.forget();
  }

  /** Stops; resolves when what the application has taken is saved. The store stays open: it is whoever opened it who closes it. */
  async close(): Promise<void> {
    this.link.stop();
    this.tracked.failAll(new ClientError('closed'));
    await this.inbox.idle();
  }

  /** The same again is the same message. */
  private sentAgain(waiting: StoredMessage, message: StoredMessage): OutgoingMessage {
    const { messageId, to, content } = message;
    if (waiting.to !== to || waiting.content !== content) throw new ClientError('id_in_use', { messageId });
    return this.tracked.get(messageId) ?? this.tracked.add(new OutgoingMessage(messageId, to));
  }

  private received(frame: IncomingFrame): void {
    switch (frame.type) {
      case 'message':
        return this.inbox.push({ type: 'message', message: incomingOf(frame) });
      case 'queued':
      case 'delivered':
      case 'read':
      case 'expired':
        return this.receiptCame(receiptOf(frame));
      case 'gap':
        return this.inbox.push(frame);
      case 'sync_complete':
        return this.inbox.push({ type: 'synced' });
      case 'history':
        return this.pages.answered(frame);
      case 'typing':
      case 'signal':
        return this.emitter.emit(frame.type, frame);
      case 'presence':
        return this.presenceCame(frame);
      case 'key_changed':
        return this.emitter.emit('own_key_changed', { updatedAt: frame.updatedAt, version: frame.version ?? null });
      case 'session_opened':
        return this.emitter.emit('session_opened', { deviceId: frame.deviceId, openedAt: frame.openedAt });
      case 'error':
        return this.errorCame(frame);
      case 'auth_success':
      case 'challenge':
      case 'going_away':
      case 'pong':
        // Seen to by the connection.
        return;
    }
  }

  private receiptCame(receipt: Receipt): void {
    const { kind, messageId, peer } = receipt;
    // Whatever is known about it, the relay has it.
    this.outbox.accepted(messageId, peer);
    this.ephemeral.delivered(receipt);
    const expired = (): ClientError => new ClientError('expired', { messageId });
    if (this.tracked.advance(receipt, expired)) this.emitter.emit('receipt', receipt);
    // A verdict says nothing that the application has to keep, unless it is the delivery.
    if (kind !== 'queued' || receipt.id !== null) this.inbox.push({ type: 'receipt', receipt });
  }

  private presenceCame({ address, status, lastSeen }: IncomingFrame & { readonly type: 'presence' }): void {
    this.emitter.emit('presence', { address, isOnline: status === 'online', lastSeen: lastSeen ?? null });
  }

  private errorCame(frame: IncomingFrame & { readonly type: 'error' }): void {
    const { code, message, messageId, outcome, retryAfterMs } = frame;
    // A code that came later than this client.
    const known = isRelayCode(code) ? code : 'internal';
    const error = new ClientError(known, { message, messageId, outcome, retryAfterMs });
    const isTaken =
      messageId === undefined ? this.pages.failed(error) : this.outbox.refused(error) || this.ephemeral.refused(error);
    if (!isTaken) this.emitter.emit('error', error);
  }

  private linkHost(): ReconnectingHost {
    const { session } = this.parts;
    const storeFailed = (error: unknown): void => this.emitter.emit('error', asClientError('store_failed', error));
    return {
      opening: () => ({
        url: this.options.url,
        address: this.address,
        deviceId: session.deviceId,
        domain: this.domain,
        token: session.token,
        identity: this.options.identity ?? null,
        window: this.options.window ?? LIMITS.windowEntries,
      }),
      stateChanged: (event) => this.emitter.emit('state', event),
      welcomed: (welcome) => {
        session.welcomed(welcome).catch(storeFailed);
        this.inbox.attach(this.inboxLink(), welcome.pending);
        this.presence.start();
        this.outbox.start(welcome.limits);
      },
      received: (frame) => this.received(frame),
      lost: () => {
        this.outbox.stop();
        this.inbox.detach();
        this.pages.stop();
        this.ephemeral.stop();
      },
      seen: (direction, text) => this.emitter.emit('frame', { direction, text: redacted(text) }),
      revoked: () => void session.forget().catch(storeFailed),
    };
  }

  private inboxLink(): InboxLink {
    return {
      acknowledge: (upTo) => void this.link.send({ type: 'ack', upTo }),
      // Without a store nothing can be promised; the application may start again.
      fail: () => this.link.stop(new ClientError('store_failed')),
    };
  }

  private inboxHost(): InboxHost {
    return {
      gap: (reason, count) => this.emitter.emit('gap', { reason, count }),
      progress: (done, total) => this.emitter.emit('progress', { done, total }),
      synced: () => this.link.synced(),
      failed: (error) => this.emitter.emit('error', error),
    };
  }

  private outboxHost(): OutboxHost {
    return {
      transmit: (frame) => void this.link.send(frame),
      failed: ({ messageId, to }, error) => {
        this.tracked.fail(messageId, error);
        this.emitter.emit('failed', { messageId, to, error });
      },
      delayed: ({ messageId, to }, error) => this.emitter.emit('delayed', { messageId, to, error }),
      storeFailed: (error) => this.emitter.emit('error', asClientError('store_failed', error)),
    };
  }
}

/** Opens, starts, and resolves once the relay has let us in. Rejects where it will not; while it is away, this waits, and `onState` tells why. */
export async function connect(options: ClientOptions): Promise<RelayClient> {
  const client = await RelayClient.open(options);
  client.start();
  await client.signedIn();
  return client;
}
