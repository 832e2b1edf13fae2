import type { Address } from '@relay/protocol';
import type { ClientStore } from '../store.js';

/** A key of somebody else as it was believed. */
export interface PinnedKey {
  readonly publicKey: string;
  /** Of the signed statement; 0 where there was none. */
  readonly version: number;
}

export interface Pins {
  /** What is sent with. */
  readonly accepted: PinnedKey;
  /** What the directory says now, where that is another and nobody has accepted it yet. */
  readonly offered: PinnedKey | null;
  /** Accepted before, newest first: what was sent with them may still be on its way. */
  readonly former: readonly PinnedKey[];
}

const MAX_FORMER = 4;

/** The next one takes the place of the accepted one. */
export function replaced({ accepted, former }: Pins, next: PinnedKey): Pins {
  return { accepted: next, offered: null, former: [accepted, ...former].slice(0, MAX_FORMER) };
}

const PREFIX = 'pin/';

/** Which key each address was seen with, across restarts. */
export class PinStore {
  private constructor(
    private readonly store: ClientStore,
    private readonly pins: Map<string, Pins>,
  ) {}

  static async load(store: ClientStore): Promise<PinStore> {
    const pins = (await store.list(PREFIX)).map(
      ([key, value]) => [key.slice(PREFIX.length), JSON.parse(value) as Pins] as const,
    );
    return new PinStore(store, new Map(pins));
  }

  get(address: Address): Pins | null {
    return this.pins.get(address) ?? null;
  }

  async set(address: Address, pins: Pins): Promise<void> {
    await this.store.write([[PREFIX + address, JSON.stringify(pins)]]);
    this.pins.set(address, pins);
  }
}
