import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP proxy in front of the relay whose link can die without a word: both ends keep an open socket, and nothing passes. */
export class BrokenLink {
  private readonly sockets = new Set<Socket>();
  private isDead = false;
  private passedToClient = 0;
  private cutAfter = Infinity;

  private constructor(
    private readonly server: ReturnType<typeof createServer>,
    private readonly port: number,
  ) {}

  static async to(port: number): Promise<BrokenLink> {
    const server = createServer();
    const link = new BrokenLink(server, port);
    server.on('connection', (client) => link.join(client));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return link;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** From now on nothing passes, in either direction; nobody is told. */
  die(): void {
    this.isDead = true;
  }

  /** New connections pass again. */
  heal(): void {
    this.isDead = false;
  }

  /** Resets both ends once so many more bytes have passed towards the client. */
  cutAfterBytes(bytes: number): void {
    this.passedToClient = 0;
    this.cutAfter = bytes;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(client: Socket): void {
    const relay = connect(this.port, '127.0.0.1');
    for (const socket of [client, relay]) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.sockets.delete(socket));
    }
    // A dead link swallows what passes, for these two sockets for ever.
    let isDead = false;
    const pass = (from: Socket, to: Socket, chunk: Buffer): void => {
      isDead ||= this.isDead;
      if (isDead) return;
      if (from === relay && (this.passedToClient += chunk.length) > this.cutAfter) {
        client.resetAndDestroy();
        relay.resetAndDestroy();
        return;
      }
      to.write(chunk);
    };
    client.on('data', (chunk) => pass(client, relay, chunk));
    relay.on('data', (chunk) => pass(relay, client, chunk));
    client.on('close', () => !isDead && relay.destroy());
    relay.on('close', () => !isDead && client.destroy());
  }
}
