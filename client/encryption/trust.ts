import { type Address, keyStatement } from '@relay/protocol';
import type { Clock } from '../environment.js';
import { ClientError } from '../errors.js';
import { recoverAddress } from '../identity.js';
import type { DirectoryKey } from '../keys.js';
import { parsePublicKey } from './key-pair.js';
import { type PinnedKey, type Pins, type PinStore, replaced } from './pins.js';

export interface TrustPolicy {
  /** Believe a key that its address did not sign, the first time it is seen. The relay could then put its own there. */
  readonly allowUnsigned: boolean;
  /** `ask`: send nothing until the application accepts. `signed`: accept by itself what the address signed with a higher version. */
  readonly onChange: 'ask' | 'signed';
}

export interface KeyChange {
  readonly address: Address;
  readonly before: PinnedKey;
  readonly after: PinnedKey;
  /** Whether it counts already, by the policy. */
  readonly isAccepted: boolean;
}

/** `former`: accepted before the one that is. `offered`: nobody has accepted it yet. */
export type KeyStanding = 'accepted' | 'offered' | 'former';

export interface KnownKey {
  readonly key: Uint8Array;
  readonly standing: KeyStanding;
}

interface Parts {
  readonly pins: PinStore;
  readonly fetchKey: (address: Address) => Promise<DirectoryKey | null>;
  readonly clock: Clock;
  /** What key statements must name. */
  readonly domain: string;
  readonly policy: TrustPolicy;
  readonly changed: (change: KeyChange) => void;
}

/** How old an answer of the directory may be before something is sent by it. */
const FRESH_FOR_MS = 5 * 60 * 1000;

/** Which key to use for whom. The directory only proposes: signatures, pins and the application decide. */
export class Trust {
  private readonly askedAt = new Map<Address, number>();

  constructor(private readonly parts: Parts) {}

  /** The key to encrypt to. Rejects with `not_found`, `key_unsigned`, `key_rolled_back` or `key_changed`. */
  async keyFor(address: Address): Promise<Uint8Array> {
    const pins = await this.look(address, FRESH_FOR_MS);
    if (pins === null) throw new ClientError('not_found', { message: 'This address has published no key' });
    if (pins.offered !== null) throw new ClientError('key_changed');
    return parsePublicKey(pins.accepted.publicKey)!;
  }

  /** Every key that this address is or was known by. */
  async keysOf(address: Address, maxAgeMs: number): Promise<readonly KnownKey[]> {
    const pins = await this.look(address, maxAgeMs);
    if (pins === null) return [];
    const { accepted, offered, former } = pins;
    const known = (standing: KeyStanding, keys: readonly PinnedKey[]): KnownKey[] =>
      keys.map(({ publicKey }) => ({ key: parsePublicKey(publicKey)!, standing }));
    return [
      ...known('accepted', [accepted]),
      ...known('offered', offered === null ? [] : [offered]),
      ...known('former', former),
    ];
  }

  pinsOf(address: Address): Pins | null {
    return this.parts.pins.get(address);
  }

  /** The person has compared, or does not mind. Only the key that was shown: `false` where another is offered by now. */
  async accept(address: Address, publicKey: string): Promise<boolean> {
    const pins = this.parts.pins.get(address);
    if (pins?.offered?.publicKey !== publicKey) return false;
    await this.parts.pins.set(address, replaced(pins, pins.offered));
    return true;
  }

  /** Asks the directory where its last answer is older than that. What it answers never replaces a pin by itself. */
  private async look(address: Address, maxAgeMs: number): Promise<Pins | null> {
    const { pins, fetchKey, clock } = this.parts;
    const known = pins.get(address);
    const askedAt = this.askedAt.get(address);
    if (known !== null && askedAt !== undefined && clock.now() - askedAt < maxAgeMs) return known;
    const found = await fetchKey(address);
    this.askedAt.set(address, clock.now());
    if (found === null) return known;
    // Another call may have been here meanwhile.
    return this.judge(address, pins.get(address), this.verified(found));
  }

  private async judge(address: Address, known: Pins | null, found: PinnedKey): Promise<Pins> {
    const { pins, policy, changed } = this.parts;
    if (known === null) {
      const first: Pins = { accepted: found, offered: null, former: [] };
      await pins.set(address, first);
      return first;
    }
    const { accepted, offered } = known;
    if (found.publicKey === accepted.publicKey && found.version === accepted.version)
      return this.withdrawn(address, known);
    if (found.version < accepted.version) throw new ClientError('key_rolled_back');
    if (found.publicKey === offered?.publicKey && found.version === offered.version) return known;
    const isSameKey = found.publicKey === accepted.publicKey;
    const isAccepted = isSameKey || (policy.onChange === 'signed' && found.version > accepted.version);
    const next: Pins = isSameKey
      ? { ...known, accepted: found, offered: null }
      : isAccepted
        ? replaced(known, found)
        : { ...known, offered: found };
    await pins.set(address, next);
    if (!isSameKey) changed({ address, before: accepted, after: found, isAccepted });
    return next;
  }

  /** The directory is back at the accepted key, so there is nothing to accept. */
  private async withdrawn(address: Address, known: Pins): Promise<Pins> {
    if (known.offered === null) return known;
    const next = { ...known, offered: null };
    await this.parts.pins.set(address, next);
    return next;
  }

  private verified({ address, publicKey, signed }: DirectoryKey): PinnedKey {
    if (parsePublicKey(publicKey) === null) throw new ClientError('unsupported', { message: 'A key of another kind' });
    if (signed === null) {
      if (this.parts.policy.allowUnsigned) return { publicKey, version: 0 };
      throw new ClientError('key_unsigned');
    }
    const statement = keyStatement({ domain: this.parts.domain, address, version: signed.version, publicKey });
    if (recoverAddress(statement, signed) !== address) throw new ClientError('key_unsigned');
    return { publicKey, version: signed.version };
  }
}
