import type { Scheme } from '@relay/protocol';
import { ClassicClient, type Frame } from './classic-client.js';
import { type SigningKey } from './signing.js';

export interface SignedDeviceOptions {
  readonly scheme?: Scheme;
  readonly token?: unknown;
  /** Headers of the upgrade. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A client of version 2 that has the key of its address. */
export class SignedDevice {
  private constructor(
    readonly client: ClassicClient,
    readonly key: SigningKey,
    readonly deviceId: string,
    private readonly scheme: Scheme,
  ) {}

  /** Open, and nothing said. */
  static async connect(
    url: string,
    key: SigningKey,
    deviceId = 'phone',
    { scheme = 'idena', headers = {} }: SignedDeviceOptions = {},
  ): Promise<SignedDevice> {
    const client = await ClassicClient.connect(url, { address: key.address, headers });
    return new SignedDevice(client, key, deviceId, scheme);
  }

  /** By signature. */
  static async signIn(url: string, key: SigningKey, deviceId?: string, options?: SignedDeviceOptions) {
    const device = await SignedDevice.connect(url, key, deviceId, options);
    device.hello({ challenge: true });
    await device.prove();
    return device;
  }

  /** By a token of an earlier sign-in. */
  static async resume(url: string, key: SigningKey, token: unknown, deviceId?: string) {
    const device = await SignedDevice.connect(url, key, deviceId);
    device.hello({ token });
    await device.welcome();
    return device;
  }

  hello(more: Record<string, unknown> = {}): void {
    this.client.send({ type: 'hello', v: 2, address: this.key.address, deviceId: this.deviceId, ...more });
  }

  /** Answers the challenge, and waits for the welcome. */
  async prove(): Promise<Frame> {
    this.answer(await this.nonce());
    return this.welcome();
  }

  answer(nonce: string, more: Record<string, unknown> = {}): void {
    const signature = this.key.sign(nonce, this.scheme);
    this.client.send({ type: 'auth', address: this.key.address, scheme: this.scheme, signature, ...more });
  }

  async nonce(): Promise<string> {
    return (await this.client.waitFor('challenge')).nonce as string;
  }

  async welcome(): Promise<Frame> {
    const closed = this.client.closed().then((code) => Promise.reject(new Error(`closed with ${code}`)));
    closed.catch(() => undefined);
    return Promise.race([this.client.waitFor('auth_success'), closed]);
  }

  get token(): string {
    return this.client.ofType('auth_success')[0]?.token as string;
  }

  /** The code of the error that came before the close, and that of the close. */
  async refusal(): Promise<[unknown, number]> {
    const code = await this.client.closed();
    return [this.client.ofType('error').at(-1)?.code, code];
  }
}
