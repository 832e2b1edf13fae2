import type { Address, WelcomeFrame } from '@relay/protocol';
import { type Random, randomId } from './environment.js';
import { ClientError } from './errors.js';
import type { ClientStore } from './store.js';

const OWNER = 'owner';
const DEVICE = 'device';
const TOKEN = 'token';

/** Who this store belongs to, and the token that signs it in without another signature. */
export class Session {
  private constructor(
    private readonly store: ClientStore,
    readonly deviceId: string,
    private current: string | null,
  ) {}

  /** Makes the device where the store is new. Rejects with `wrong_store` for one of another address. */
  static async load(store: ClientStore, address: Address, random: Random): Promise<Session> {
    const owner = await store.read(OWNER);
    if (owner !== null && owner !== address) throw new ClientError('wrong_store');
    const known = await store.read(DEVICE);
    const deviceId = known ?? randomId(random);
    if (owner === null || known === null) {
      await store.write([
        [OWNER, address],
        [DEVICE, deviceId],
      ]);
    }
    return new Session(store, deviceId, await store.read(TOKEN));
  }

  get token(): string | null {
    return this.current;
  }

  async welcomed({ token }: WelcomeFrame): Promise<void> {
    if (token === undefined || token === this.current) return;
    this.current = token;
    await this.store.write([[TOKEN, token]]);
  }

  /** It is worth nothing any more. */
  async forget(): Promise<void> {
    if (this.current === null) return;
    this.current = null;
    await this.store.write([[TOKEN, null]]);
  }
}
