import { type Address, RelayError } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import {
  type ContactList,
  type ContactPage,
  ContactRepository,
  KNOWN_FOR_MS,
  MAX_KNOWN,
  MAX_LISTED,
  type Revisions,
  type Screen,
} from './contact.repository.js';

/** Of one address in one set, with its place, about. */
const COST_BYTES = 150;
const NOBODY: ReadonlySet<Address> = new Set();

interface Known {
  /** Longest unused first. */
  readonly peers: Set<Address>;
  usedAt: number;
}

/** Lists of this process, lost with it. */
export class MemoryContactRepository extends ContactRepository implements Screen {
  private readonly lists: Record<ContactList, Map<Address, Set<Address>>> = { blocked: new Map(), allowed: new Map() };
  /** Longest unused first. */
  private readonly known = new Map<Address, Known>();
  private size = 0;
  private revision = 0;

  /** `maxBytes`: what all of them may cost in memory, about. */
  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly maxBytes = Infinity,
  ) {
    super();
  }

  blocks(owner: Address, peer: Address): boolean {
    return this.lists.blocked.get(owner)?.has(peer) === true;
  }

  knows(owner: Address, peer: Address): boolean {
    return this.current(owner)?.peers.has(peer) === true || this.lists.allowed.get(owner)?.has(peer) === true;
  }

  override put(list: ContactList, owner: Address, peer: Address): Promise<boolean> {
    const listed = this.lists[list].get(owner) ?? new Set<Address>();
    if (listed.has(peer)) return Promise.resolve(false);
    if (listed.size >= MAX_LISTED) return Promise.reject(tooMany());
    // What people decided is worth more than what was only noticed.
    if (!this.makeRoom()) return Promise.reject(new RelayError('store_unavailable', 'Storage is full'));
    const wasBlocked = this.drop(list === 'blocked' ? 'allowed' : 'blocked', owner, peer) && list === 'allowed';
    if (list === 'blocked' || wasBlocked) this.revision++;
    this.lists[list].set(owner, listed.add(peer));
    this.size++;
    return Promise.resolve(true);
  }

  override remove(list: ContactList, owner: Address, peer: Address): Promise<boolean> {
    const wasThere = this.drop(list, owner, peer);
    if (wasThere && list === 'blocked') this.revision++;
    return Promise.resolve(wasThere);
  }

  override page(list: ContactList, owner: Address, after: Address | null, limit: number): Promise<ContactPage> {
    const sorted = [...(this.lists[list].get(owner) ?? [])].sort();
    const rest = after === null ? sorted : sorted.filter((address) => address > after);
    const addresses = rest.slice(0, limit);
    return Promise.resolve({ addresses, next: rest.length > limit ? (addresses.at(-1) ?? null) : null });
  }

  override blockedBy(owners: readonly Address[]): Promise<readonly ReadonlySet<Address>[]> {
    return Promise.resolve(owners.map((owner) => new Set(this.lists.blocked.get(owner) ?? NOBODY)));
  }

  override revisions(): Promise<Revisions> {
    return Promise.resolve([this.revision]);
  }

  override mayDiffer(_: Address, [before]: Revisions, [after]: Revisions): boolean {
    return before !== after;
  }

  override know(owner: Address, peers: readonly Address[]): Promise<void> {
    const known = this.current(owner) ?? { peers: new Set<Address>(), usedAt: 0 };
    known.usedAt = this.clock.monotonic();
    this.known.delete(owner);
    this.known.set(owner, known);
    for (const peer of peers) {
      if (!known.peers.delete(peer)) this.size++;
      known.peers.add(peer);
    }
    for (const oldest of known.peers) {
      if (known.peers.size <= MAX_KNOWN) break;
      known.peers.delete(oldest);
      this.size--;
    }
    this.makeRoom();
    return Promise.resolve();
  }

  override isKnown(owner: Address, peer: Address): Promise<boolean> {
    return Promise.resolve(this.knows(owner, peer));
  }

  private current(owner: Address): Known | undefined {
    const known = this.known.get(owner);
    if (known === undefined || known.usedAt > this.clock.monotonic() - KNOWN_FOR_MS) return known;
    this.forget(owner, known);
    return undefined;
  }

  /** False where the lists alone fill it. */
  private makeRoom(): boolean {
    for (const [owner, known] of this.known) {
      if (this.size * COST_BYTES < this.maxBytes) break;
      this.forget(owner, known);
    }
    return this.size * COST_BYTES < this.maxBytes;
  }

  private forget(owner: Address, { peers }: Known): void {
    this.known.delete(owner);
    this.size -= peers.size;
  }

  private drop(list: ContactList, owner: Address, peer: Address): boolean {
    const listed = this.lists[list].get(owner);
    if (listed?.delete(peer) !== true) return false;
    if (listed.size === 0) this.lists[list].delete(owner);
    this.size--;
    return true;
  }
}

function tooMany(): RelayError {
  return new RelayError('too_large', `At most ${MAX_LISTED} addresses on a list`);
}
