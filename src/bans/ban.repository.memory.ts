import { type Address, RelayError } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import { type Ban, type BanList, BanRepository, MAX_BANS } from './ban.repository.js';

/** Bans of this process, lost with it. */
export class MemoryBanRepository extends BanRepository {
  private bans = new Map<Address, Ban>();
  private isHandedOut = false;
  private changes = 0;

  constructor(private readonly clock: Pick<Clock, 'now'>) {
    super();
  }

  override put(address: Address, note: string): Promise<boolean> {
    const known = this.bans.get(address);
    if (known === undefined && this.bans.size >= MAX_BANS) {
      return Promise.reject(new RelayError('too_large', `At most ${MAX_BANS} addresses can be banned`));
    }
    this.own().set(address, { at: known?.at ?? this.clock.now(), note });
    this.changes++;
    return Promise.resolve(known === undefined);
  }

  override remove(address: Address): Promise<boolean> {
    const wasThere = this.own().delete(address);
    if (wasThere) this.changes++;
    return Promise.resolve(wasThere);
  }

  override since(mark: string | null): Promise<BanList | null> {
    const now = String(this.changes);
    if (mark === now) return Promise.resolve(null);
    this.isHandedOut = true;
    return Promise.resolve({ mark: now, bans: this.bans });
  }

  /** What was handed out stays as it was. */
  private own(): Map<Address, Ban> {
    if (this.isHandedOut) this.bans = new Map(this.bans);
    this.isHandedOut = false;
    return this.bans;
  }
}
