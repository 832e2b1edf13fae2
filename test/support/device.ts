import { ClassicClient, type Frame } from './classic-client.js';

export interface DeviceOptions {
  readonly window?: number;
  /** Whether each entry is acknowledged as soon as it came. */
  readonly acknowledges?: boolean;
}

/** A client of version 2: one device of an address, with a place of its own in the mailbox. */
export class Device {
  private constructor(
    readonly client: ClassicClient,
    readonly welcome: Frame,
  ) {}

  static async open(url: string, address: string, deviceId: string, options: DeviceOptions = {}): Promise<Device> {
    const { window, acknowledges = true } = options;
    const client = await ClassicClient.connect(url, { address });
    if (acknowledges) {
      client.socket.on('message', (data: Buffer) => {
        const { id } = JSON.parse(data.toString()) as Frame;
        if (typeof id === 'string') client.send({ type: 'ack', upTo: id });
      });
    }
    client.send({ type: 'hello', v: 2, address, deviceId, ...(window === undefined ? {} : { window }) });
    const closed = client.closed().then((code) => Promise.reject(new Error(`closed with ${code}`)));
    // Whoever waits for the welcome hears of it.
    closed.catch(() => undefined);
    return new Device(client, await Promise.race([client.waitFor('auth_success'), closed]));
  }

  /** Everything that waited has come. */
  synced(): Promise<Frame> {
    return this.client.waitFor('sync_complete');
  }

  ack(upTo: unknown): void {
    this.client.send({ type: 'ack', upTo });
  }

  get messageIds(): unknown[] {
    return this.client.messageIds;
  }

  get messages(): Frame[] {
    return this.client.ofType('message');
  }
}
