import { type Address, RelayError } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import { hashOf, idOf, newToken, readToken } from './session-token.js';
import {
  MAX_REVOCATIONS,
  MAX_SESSIONS,
  REVOCATIONS_KEPT_MS,
  type Revocations,
  type Session,
  SESSION_MS,
  type SessionName,
  SessionRepository,
  UNPROVEN,
} from './session.repository.js';

/** Of an address that has signed in, and of each session: about, with the maps. */
const ADDRESS_COST_BYTES = 250;
const SESSION_COST_BYTES = 600;
/** Looking at all of them while full. */
const SWEEP_EVERY_MS = 60_000;

interface Revocation extends SessionName {
  readonly at: number;
}

/** By hash, in the order of their creation. Who has signed in stays, also without any. */
type Sessions = Map<string, Session>;

export class MemorySessionRepository extends SessionRepository {
  private readonly owners = new Map<Address, Sessions>();
  private sessions = 0;
  private revocations: Revocation[] = [];
  /** How many there ever were. */
  private nextPlace = 0;
  private sweptAt = -Infinity;
  private readonly startMs: number;

  constructor(
    private readonly clock: Clock,
    /** What all of it may cost, in bytes of memory, about. */
    private readonly maxTotalBytes = Infinity,
  ) {
    super();
    this.startMs = clock.now() - clock.monotonic();
  }

  override create(address: Address, device: string): Promise<{ token: string; session: Session }> {
    const now = this.now();
    const known = this.prune(address, now);
    if (!this.hasRoom(known, device, now)) {
      return Promise.reject(new RelayError('store_unavailable', 'No room for more sessions'));
    }
    const sessions = known ?? new Map<string, Session>();
    this.owners.set(address, sessions);
    if (known === undefined) this.announce({ id: UNPROVEN, address, device: '' });
    for (const [hash, session] of sessions) if (session.device === device) this.remove(sessions, hash);
    while (sessions.size >= MAX_SESSIONS) this.remove(sessions, leastUsed(sessions));
    const token = newToken(address);
    const hash = hashOf(token);
    const session = { id: idOf(hash), address, device, createdAt: now, lastUsedAt: now, expiresAt: now + SESSION_MS };
    sessions.set(hash, session);
    this.sessions++;
    return Promise.resolve({ token, session });
  }

  override use(token: string): Promise<Session | null> {
    const named = readToken(token);
    return Promise.resolve(named === null ? null : this.touch(named.address, named.hash));
  }

  override keep(session: SessionName): Promise<Session | null> {
    const { address } = session;
    const hash = this.hashOf(session);
    return Promise.resolve(hash === undefined ? null : this.touch(address, hash));
  }

  override hasSignedIn(address: Address): Promise<boolean> {
    return Promise.resolve(this.owners.has(address));
  }

  override list(address: Address): Promise<readonly Session[]> {
    return Promise.resolve([...(this.prune(address, this.now())?.values() ?? [])].reverse());
  }

  override revoke(address: Address, device: string): Promise<boolean> {
    const sessions = this.prune(address, this.now());
    for (const [hash, session] of sessions ?? []) {
      if (session.device !== device) continue;
      this.remove(sessions!, hash);
      return Promise.resolve(true);
    }
    return Promise.resolve(false);
  }

  override end(session: SessionName): Promise<boolean> {
    const sessions = this.prune(session.address, this.now());
    const hash = this.hashOf(session);
    if (hash !== undefined) this.remove(sessions!, hash);
    return Promise.resolve(hash !== undefined);
  }

  override revokedSince(mark: string | null): Promise<Revocations> {
    this.forgetRevocations();
    const from = mark === null ? this.nextPlace : Number(mark);
    const oldest = this.nextPlace - this.revocations.length;
    const missed = !(from >= oldest && from <= this.nextPlace);
    const revoked = missed ? this.revocations : this.revocations.slice(from - oldest);
    return Promise.resolve({ mark: String(this.nextPlace), revoked: revoked.map(nameOf), missed });
  }

  private now(): number {
    return Math.floor(this.startMs + this.clock.monotonic());
  }

  private touch(address: Address, hash: string): Session | null {
    const sessions = this.prune(address, this.now());
    const session = sessions?.get(hash);
    if (sessions === undefined || session === undefined) return null;
    const now = this.now();
    const used = { ...session, lastUsedAt: now, expiresAt: now + SESSION_MS };
    sessions.set(hash, used);
    return used;
  }

  private prune(address: Address, now: number): Sessions | undefined {
    const sessions = this.owners.get(address);
    for (const [hash, { expiresAt }] of sessions ?? []) {
      if (expiresAt <= now && sessions!.delete(hash)) this.sessions--;
    }
    return sessions;
  }

  private hashOf({ address, id }: SessionName): string | undefined {
    return [...(this.owners.get(address)?.keys() ?? [])].find((each) => idOf(each) === id);
  }

  private remove(sessions: Sessions, hash: string): void {
    const session = sessions.get(hash)!;
    sessions.delete(hash);
    this.sessions--;
    this.announce(session);
  }

  private announce(session: SessionName): void {
    this.revocations.push({ ...nameOf(session), at: this.now() });
    this.nextPlace++;
    if (this.revocations.length > 2 * MAX_REVOCATIONS) this.forgetRevocations();
  }

  private forgetRevocations(): void {
    const since = this.now() - REVOCATIONS_KEPT_MS;
    const firstKept = this.revocations.findIndex(({ at }) => at > since);
    const kept = firstKept < 0 ? [] : this.revocations.slice(firstKept);
    this.revocations = kept.slice(-MAX_REVOCATIONS);
  }

  /** Who has signed in is never forgotten for somebody new: that would unlock the address. */
  private hasRoom(known: Sessions | undefined, device: string, now: number): boolean {
    if (this.bytesWith(known, device) <= this.maxTotalBytes) return true;
    if (now - this.sweptAt < SWEEP_EVERY_MS) return false;
    this.sweptAt = now;
    for (const owner of this.owners.keys()) this.prune(owner, now);
    return this.bytesWith(known, device) <= this.maxTotalBytes;
  }

  /** A session that takes the place of another costs nothing: owners come back also where all is full. */
  private bytesWith(known: Sessions | undefined, device: string): number {
    const owners = this.owners.size + (known === undefined ? 1 : 0);
    const sessions = [...(known?.values() ?? [])];
    const isReplacing = sessions.length >= MAX_SESSIONS || sessions.some((session) => session.device === device);
    return owners * ADDRESS_COST_BYTES + (this.sessions + (isReplacing ? 0 : 1)) * SESSION_COST_BYTES;
  }
}

function nameOf({ id, address, device }: SessionName): SessionName {
  return { id, address, device };
}

function leastUsed(sessions: Sessions): string {
  const [[hash] = ['']] = [...sessions].sort(([, a], [, b]) => a.lastUsedAt - b.lastUsedAt);
  return hash;
}
