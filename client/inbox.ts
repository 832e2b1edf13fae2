import type { Address, GapReason } from '@relay/protocol';
import { Backoff } from './backoff.js';
import type { MessageEntry } from './decode.js';
import type { Environment } from './environment.js';
import { asClientError, ClientError } from './errors.js';
import type { Receipt } from './outgoing.js';
import type { Seen } from './seen.js';
import type { Change, ClientStore } from './store.js';
import { appKey } from './app-data.js';

export interface IncomingMessage {
  readonly from: Address;
  readonly content: string;
  readonly messageId: string;
  /** The sender's, ms since 1970. */
  readonly timestamp: number;
  /** It waited in the mailbox before this connection. */
  readonly isQueued: boolean;
  /** Of the entry in the mailbox; `null` for one that was never stored. */
  readonly id: string | null;
  /** Names this message among all that this device ever gets: what an application with a database of its own is idempotent with. */
  readonly key: string;
}

/** What the application saves is written in one step with the mark that it was handed over. */
export interface Transaction {
  put(key: string, value: string): void;
  delete(key: string): void;
}

export interface InboxHandlers {
  readonly onMessage: (message: IncomingMessage, transaction: Transaction) => unknown;
  readonly onReceipt: ((receipt: Receipt, transaction: Transaction) => unknown) | null;
}

export type Arrival =
  | { readonly type: 'message'; readonly message: IncomingMessage }
  | { readonly type: 'receipt'; readonly receipt: Receipt }
  | { readonly type: 'gap'; readonly reason: GapReason; readonly count: number }
  | { readonly type: 'synced' };

/** The connection that things came on. */
export interface InboxLink {
  acknowledge(upTo: string): void;
  /** What came on it has to come again. */
  fail(): void;
}

export interface InboxHost {
  gap(reason: GapReason, count: number): void;
  progress(done: number, total: number): void;
  synced(): void;
  failed(error: ClientError): void;
}

interface Parts {
  readonly store: ClientStore;
  readonly seen: Seen;
  readonly environment: Environment;
  readonly handlers: InboxHandlers;
  readonly host: InboxHost;
}

interface Saving {
  /** Of the entry; `null` for what needs no acknowledgement. */
  readonly id: string | null;
  isDurable: boolean;
}

const RETRY = { firstMs: 500, maxMs: 30_000 };

/** Hands over what comes, one at a time and in order, and acknowledges what has been saved. */
export class Inbox {
  private readonly backoff: Backoff;
  private arrivals: Arrival[] = [];
  private running: Promise<void> = Promise.resolve();
  private isRunning = false;
  private link: InboxLink | null = null;
  private wake: () => void = () => undefined;
  /** What was handed over on this connection and is not acknowledged yet, in order. */
  private saving: Saving[] = [];
  /** Every write so far has ended. */
  private written: Promise<unknown> = Promise.resolve();
  private ackDue: string | null = null;
  private backlog: { done: number; readonly total: number } | null = null;

  constructor(private readonly parts: Parts) {
    this.backoff = new Backoff(parts.environment.random, RETRY);
  }

  attach(link: InboxLink, pending: number): void {
    this.link = link;
    this.arrivals = [];
    this.saving = [];
    this.backlog = { done: 0, total: pending };
    this.parts.host.progress(0, pending);
  }

  /** What was not handed over will come again. */
  detach(): void {
    this.link = null;
    this.arrivals = [];
    this.backlog = null;
    this.wake();
  }

  push(arrival: Arrival): void {
    this.arrivals.push(arrival);
    if (this.isRunning) return;
    this.isRunning = true;
    this.running = this.run();
  }

  /** When the handler that runs now has ended, and what it saved is durable. */
  async idle(): Promise<void> {
    await this.running;
    await this.written;
  }

  private async run(): Promise<void> {
    for (let arrival = this.arrivals.shift(); arrival !== undefined; arrival = this.arrivals.shift()) {
      const { link } = this;
      if (link !== null) await this.take(arrival, link);
    }
    // In the step that found nothing more: what comes a step later starts the loop again.
    this.isRunning = false;
  }

  private async take(arrival: Arrival, link: InboxLink): Promise<void> {
    const { host } = this.parts;
    switch (arrival.type) {
      case 'message':
        return this.takeMessage(arrival.message, link);
      case 'receipt':
        return this.takeReceipt(arrival.receipt, link);
      case 'gap':
        return host.gap(arrival.reason, arrival.count);
      case 'synced':
        this.backlog = null;
        return host.synced();
    }
  }

  private async takeMessage(message: IncomingMessage, link: InboxLink): Promise<void> {
    const { seen, handlers } = this.parts;
    // What was never stored never comes again.
    if (message.id === null) return void (await this.handOver((to) => handlers.onMessage(message, to), link));
    if (seen.has(message.key)) return this.confirm(message.id, [], link);
    const changes = await this.handOver((transaction) => handlers.onMessage(message, transaction), link);
    if (changes === null) return;
    this.confirm(message.id, [...changes, ...seen.add(message.key)], link, () => seen.forget(message.key));
  }

  private async takeReceipt(receipt: Receipt, link: InboxLink): Promise<void> {
    const { onReceipt } = this.parts.handlers;
    const changes =
      onReceipt === null ? [] : await this.handOver((transaction) => onReceipt(receipt, transaction), link);
    if (changes !== null) this.confirm(receipt.id, changes, link);
  }

  /** What to save; `null` where the connection ended before the application had taken it. */
  private async handOver(call: (transaction: Transaction) => unknown, link: InboxLink): Promise<Change[] | null> {
    for (;;) {
      const changes: Change[] = [];
      try {
        await call({
          put: (key, value) => void changes.push([appKey(key), value]),
          delete: (key) => void changes.push([appKey(key), null]),
        });
        this.backoff.reset();
        return changes;
      } catch (error) {
        this.parts.host.failed(new ClientError('handler_failed', { cause: error }));
      }
      if (this.link === link) await this.pause(this.backoff.nextMs());
      if (this.link !== link) return null;
    }
  }

  /** Acknowledges once this and everything before it is durable. */
  private confirm(id: string | null, changes: readonly Change[], link: InboxLink, undo?: () => void): void {
    const { saving } = this;
    const entry: Saving = { id, isDurable: false };
    saving.push(entry);
    if (this.link === link) this.advance(id);
    const written = changes.length === 0 ? Promise.resolve() : this.parts.store.write(changes);
    const ended = written.then(
      () => {
        entry.isDurable = true;
        this.acknowledge(saving, link);
      },
      (error: unknown) => {
        undo?.();
        this.saveFailed(error, link);
      },
    );
    this.written = Promise.all([this.written, ended]);
  }

  /** One that is not durable yet, or never will be, keeps back what is behind it. */
  private acknowledge(saving: Saving[], link: InboxLink): void {
    if (this.link !== link) return;
    while (saving[0]?.isDurable === true) {
      const { id } = saving.shift()!;
      if (id === null) continue;
      // Writes that share a sync end together, and one acknowledgement covers them.
      if (this.ackDue === null) queueMicrotask(() => this.sendAck(link));
      this.ackDue = id;
    }
  }

  private sendAck(link: InboxLink): void {
    const upTo = this.ackDue!;
    this.ackDue = null;
    if (this.link === link) link.acknowledge(upTo);
  }

  /** Nothing later on this connection may be acknowledged, since that would acknowledge this too. */
  private saveFailed(error: unknown, link: InboxLink): void {
    this.parts.host.failed(asClientError('store_failed', error));
    if (this.link !== link) return;
    this.detach();
    link.fail();
  }

  private advance(id: string | null): void {
    if (id === null || this.backlog === null || this.backlog.done === this.backlog.total) return;
    this.backlog.done++;
    this.parts.host.progress(this.backlog.done, this.backlog.total);
  }

  private pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.parts.environment.clock.after(delayMs, resolve);
      this.wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

export function incomingOf(frame: MessageEntry): IncomingMessage {
  const { from, content, messageId, timestamp, queued = false, id = null } = frame;
  return { from, content, messageId, timestamp, isQueued: queued, id, key: `${from}/${messageId}` };
}
