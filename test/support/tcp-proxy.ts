import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export type Direction = 'to-server' | 'to-client';

type Mode = 'pass' | 'refuse' | 'reset' | 'swallow';

/** Stands between a client and its Redis, and is as bad as a network can be. Each mode holds until the next is set. */
export class TcpProxy {
  private readonly links = new Set<Link>();
  private mode: Mode = 'pass';
  private readonly swallowed = new Set<Direction>();
  private delayMs = 0;
  private leftToClient = Infinity;
  private lostBytes = 0;

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
  ) {}

  /** To a port of this machine that speaks Redis, or to what a URL names. */
  static async to(target: number | string): Promise<TcpProxy> {
    const server = createServer();
    const url = new URL(typeof target === 'number' ? `redis://127.0.0.1:${target}` : target);
    const proxy = new TcpProxy(server, url);
    server.on('connection', (client) => proxy.join(client));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The target's URL, user and password included, by way of this proxy. */
  get url(): string {
    const { protocol, username, password, pathname, search } = this.target;
    const access = password === '' ? '' : `${username}:${password}@`;
    return `${protocol}//${access}127.0.0.1:${this.port}${pathname}${search}`;
  }

  /** How many connections there are, swallowed ones included. */
  get connections(): number {
    return this.links.size;
  }

  /** How much it has swallowed since it began. */
  get swallowedBytes(): number {
    return this.lostBytes;
  }

  /** All is well, also for new connections; those that have lost something stay dead. */
  pass(): void {
    this.set('pass');
  }

  /** New connections are closed at once; those that exist go on. */
  refuse(): void {
    this.set('refuse');
  }

  /** Resets every connection, and each new one at once. */
  reset(): void {
    this.set('reset');
    for (const link of [...this.links]) link.reset();
  }

  /** Nothing passes, nobody is told, every socket stays open. */
  blackHole(): void {
    this.set('swallow', ['to-server', 'to-client']);
  }

  /** As `blackHole`, in this direction only. */
  oneWay(direction: Direction): void {
    this.set('swallow', [direction]);
  }

  /** Everything arrives, in order, so much later; in each direction. */
  delay(ms: number): void {
    this.set('pass');
    this.delayMs = ms;
  }

  /** So many more bytes reach clients, all connections together; then the one that had the last of them is reset. Once. */
  cutAfter(bytes: number): void {
    this.set('pass');
    this.leftToClient = bytes;
  }

  async close(): Promise<void> {
    for (const link of [...this.links]) link.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private set(mode: Mode, swallowed: readonly Direction[] = []): void {
    this.mode = mode;
    this.swallowed.clear();
    for (const direction of swallowed) this.swallowed.add(direction);
    this.delayMs = 0;
    this.leftToClient = Infinity;
  }

  private join(client: Socket): void {
    client.on('error', () => undefined);
    if (this.mode === 'refuse') return void client.destroy();
    if (this.mode === 'reset') return void client.resetAndDestroy();
    const server = connect(Number(this.target.port || 6379), this.target.hostname);
    server.on('error', () => undefined);
    const link = new Link(client, server);
    this.links.add(link);
    for (const direction of ['to-server', 'to-client'] as const) {
      const from = direction === 'to-server' ? client : server;
      from.on('data', (chunk: Buffer) => this.carry(link, direction, chunk));
      from.on('close', () => this.carry(link, direction, null));
    }
    link.onceGone(() => this.links.delete(link));
  }

  /** `null` is the end. */
  private carry(link: Link, direction: Direction, chunk: Buffer | null): void {
    if (this.swallowed.has(direction)) link.lose(direction);
    if (link.hasLost(direction)) {
      this.lostBytes += chunk?.length ?? 0;
      return;
    }
    if (direction === 'to-server' || chunk === null) {
      return link.send(direction, chunk, this.delayMs);
    }
    this.leftToClient -= chunk.length;
    if (this.leftToClient > 0) return link.send(direction, chunk, this.delayMs);
    const isWhole = this.leftToClient === 0;
    link.resetAfter(isWhole ? chunk : chunk.subarray(0, this.leftToClient));
    this.leftToClient = Infinity;
  }
}

interface Parcel {
  readonly chunk: Buffer | null;
  readonly dueAt: number;
}

/** A client's connection and the one to the server that belongs to it. */
class Link {
  private readonly lost = new Set<Direction>();
  private readonly waiting: Record<Direction, Parcel[]> = { 'to-server': [], 'to-client': [] };

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
  ) {
    for (const socket of [client, server]) socket.setNoDelay(true);
  }

  hasLost(direction: Direction): boolean {
    return this.lost.has(direction);
  }

  /** For ever: a stream with a hole in it is not the stream that was sent. */
  lose(direction: Direction): void {
    this.lost.add(direction);
    this.waiting[direction].length = 0;
  }

  send(direction: Direction, chunk: Buffer | null, delayMs: number): void {
    if (this.hasLost(direction)) return;
    const queue = this.waiting[direction];
    if (delayMs === 0 && queue.length === 0) return this.deliver(direction, chunk);
    queue.push({ chunk, dueAt: performance.now() + delayMs });
    if (queue.length === 1) this.deliverLater(direction);
  }

  resetAfter(chunk: Buffer): void {
    this.lose('to-client');
    this.client.write(chunk, () => this.reset());
  }

  reset(): void {
    this.client.resetAndDestroy();
    this.server.resetAndDestroy();
  }

  destroy(): void {
    this.client.destroy();
    this.server.destroy();
  }

  onceGone(listener: () => void): void {
    const check = () => this.client.destroyed && this.server.destroyed && listener();
    this.client.once('close', check);
    this.server.once('close', check);
  }

  private deliver(direction: Direction, chunk: Buffer | null): void {
    const to = direction === 'to-server' ? this.server : this.client;
    if (chunk === null) to.destroySoon();
    else to.write(chunk);
  }

  private deliverLater(direction: Direction): void {
    const queue = this.waiting[direction];
    const [next] = queue;
    if (next === undefined) return;
    setTimeout(
      () => {
        if (queue[0] === next) this.deliver(direction, queue.shift()!.chunk);
        this.deliverLater(direction);
      },
      Math.max(0, next.dueAt - performance.now()),
    );
  }
}
