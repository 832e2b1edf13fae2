import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';

export interface Frame {
  readonly type: string;
  readonly [member: string]: unknown;
}

/** Of one wait, on a machine that does much else. */
const PATIENCE_MS = 60_000;

/** A client as the first relay's were: it knows frames, and nothing of acknowledgements. Keeps every frame it got, in order. */
export class ClassicClient {
  readonly frames: Frame[] = [];
  private readonly watchers = new Set<() => void>();
  private closeCode: number | null = null;

  private constructor(
    readonly socket: WebSocket,
    readonly address: string,
  ) {
    socket.on('message', (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString()) as Frame);
      this.notify();
    });
    socket.on('close', (code) => {
      this.closeCode = code;
      this.notify();
    });
    socket.on('error', () => undefined);
  }

  /** Open, and not signed in. */
  static async connect(url: string, options: ClientOptions & { address?: string } = {}): Promise<ClassicClient> {
    const { address = '', ...socketOptions } = options;
    const client = new ClassicClient(new WebSocket(url, { handshakeTimeout: PATIENCE_MS, ...socketOptions }), address);
    await once(client.socket, 'open');
    return client;
  }

  static async signIn(url: string, address: string, options: ClientOptions = {}): Promise<ClassicClient> {
    const client = await ClassicClient.connect(url, { ...options, address });
    client.send({ type: 'auth', address });
    await client.waitFor('auth_success');
    return client;
  }

  send(frame: unknown): void {
    this.socket.send(JSON.stringify(frame));
  }

  sendText(text: string): void {
    this.socket.send(text);
  }

  message(to: string, messageId: string, more: Record<string, unknown> = {}): void {
    this.send({
      type: 'message',
      to,
      messageId,
      content: `content of ${messageId}`,
      timestamp: 1_700_000_000_000,
      ...more,
    });
  }

  ofType(type: string): Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** The messages' ids, in the order they came. */
  get messageIds(): unknown[] {
    return this.ofType('message').map(({ messageId }) => messageId);
  }

  /** The first frame of that type that matches, whether it has come already or is to come. */
  async waitFor(type: string, match: Record<string, unknown> = {}): Promise<Frame> {
    const find = () =>
      this.frames.find((frame) => frame.type === type && Object.entries(match).every(([k, v]) => frame[k] === v));
    await this.until(() => find() !== undefined, `${type} ${JSON.stringify(match)}`);
    return find()!;
  }

  async waitForCount(type: string, count: number): Promise<Frame[]> {
    await this.until(() => this.ofType(type).length >= count, `${count} × ${type}`);
    return this.ofType(type);
  }

  /** The close code. */
  async closed(): Promise<number> {
    await this.until(() => this.closeCode !== null, 'close');
    return this.closeCode!;
  }

  /** A round trip: whatever the relay sent before has arrived afterwards. */
  async settled(): Promise<void> {
    const pongs = this.ofType('pong').length;
    this.send({ type: 'ping' });
    await this.waitForCount('pong', pongs + 1);
  }

  /** As an application does that is done. */
  async close(): Promise<void> {
    this.socket.close();
    await this.closed();
  }

  /** As a process does that is killed. */
  kill(): void {
    this.socket.terminate();
  }

  /** Resolves when the condition holds, which is looked at after each frame; rejects with what did come. */
  async until(condition: () => boolean, what: string): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const watch = (): void => {
        if (!condition()) return;
        clearTimeout(timer);
        this.watchers.delete(watch);
        resolve();
      };
      const timer = setTimeout(() => {
        this.watchers.delete(watch);
        const short = (frames: readonly Frame[]): string =>
          frames.map((frame) => JSON.stringify(frame).slice(0, 200)).join(' ');
        const seen = `errors: ${short(this.ofType('error').slice(-5))}; last frames: ${short(this.frames.slice(-5))}`;
        reject(new Error(`waited for ${what}; closed: ${this.closeCode}; ${seen}`));
      }, PATIENCE_MS);
      this.watchers.add(watch);
    });
  }

  private notify(): void {
    for (const watch of [...this.watchers]) watch();
  }
}

/** A different valid address for each number. */
export function addressOf(n: number): string {
  return `0x${n.toString(16).padStart(40, 'a')}`;
}
