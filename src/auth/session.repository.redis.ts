import { type Address, RelayError } from '@relay/protocol';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { scriptFile } from '../redis/script-file.redis.js';
import { bucketOf } from '../redis/redis-key.redis.js';
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
  USE_RECORDED_EVERY_MS,
} from './session.repository.js';

const CREATE = scriptFile(import.meta.url, 'create-session');
const SLIDE = scriptFile(import.meta.url, 'slide-session');
const ADD_REVOCATION = scriptFile(import.meta.url, 'add-revocation');
const READ_REVOCATIONS = scriptFile(import.meta.url, 'read-revocations');

/** As the script calls the end of what was believed without proof. */
const FIRST = 'first';
/** Of several sign-ins of one address at once, each round lets one through at least. */
const MAX_ROUNDS = 100;

interface Ending {
  readonly name: string;
  readonly session: SessionName;
}

/**
 * | key         | type   | holds                                                                | goes away                        |
 * |-------------|--------|----------------------------------------------------------------------|----------------------------------|
 * | `ses:{b}:A` | hash   | SHA-256 of a token → `device created lastUsed expires`, times in ms   | TTL: an hour after its last ends |
 * | `own:{b}:A` | string | when the address first proved itself, ms                              | never                            |
 * | `rev`       | stream | sessions ended before their time: address, device, id                 | trimmed to 10 minutes            |
 *
 * What somebody wrote there by hand and cannot be read lets nobody in.
 */
export class RedisSessionRepository extends SessionRepository {
  constructor(
    private readonly client: RedisClient,
    private readonly clock: { now(): number },
  ) {
    super();
  }

  override async create(address: Address, device: string): Promise<{ token: string; session: Session }> {
    const token = newToken(address);
    const hash = hashOf(token);
    const announced: string[] = [];
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const now = this.clock.now();
      const ends = await this.tryCreate(address, [device, hash, now, SESSION_MS, MAX_SESSIONS, ...announced]);
      if (ends === null) {
        const times = { createdAt: now, lastUsedAt: now, expiresAt: now + SESSION_MS };
        return { token, session: { id: idOf(hash), address, device, ...times } };
      }
      // Said before it is done: who could not be told of it would go on by what let them in.
      const news = ends.filter(({ name }) => !announced.includes(name));
      await this.announce(news.map(({ session }) => session));
      announced.push(...news.map(({ name }) => name));
    }
    throw new RelayError('unavailable', 'This address signs in too often at once');
  }

  override async use(token: string): Promise<Session | null> {
    const named = readToken(token);
    if (named === null) return null;
    const { address, hash } = named;
    const value = await this.client.command('HGET', this.sessionsOf(address), hash);
    return this.used(address, hash, value);
  }

  override async keep({ address, id }: SessionName): Promise<Session | null> {
    const all = await this.all(address);
    const [hash, value] = all.find(([each]) => idOf(each) === id) ?? ['', null];
    return this.used(address, hash, value);
  }

  override async hasSignedIn(address: Address): Promise<boolean> {
    return (await this.client.command('EXISTS', this.ownerOf(address))) === 1;
  }

  override async list(address: Address): Promise<readonly Session[]> {
    const all = await this.all(address);
    const sessions = all.map(([hash, value]) => parseSession(address, hash, value));
    const now = this.clock.now();
    return sessions
      .filter((session) => session !== null && session.expiresAt > now)
      .map((session) => session!)
      .sort((a, b) => b.createdAt - a.createdAt);
  }

  override revoke(address: Address, device: string): Promise<boolean> {
    return this.endThose(address, (session) => session.device === device);
  }

  override end({ address, id }: SessionName): Promise<boolean> {
    return this.endThose(address, (session) => session.id === id);
  }

  override async revokedSince(mark: string | null): Promise<Revocations> {
    const reply = await this.client.run(READ_REVOCATIONS, [this.revocations], [mark ?? '']);
    const [next, missed, entries] = reply as [string, number, [string, string[]][]];
    const revoked = entries.map(([, [, address = '', , device = '', , id = '']]) => ({
      id,
      address: address as Address,
      device,
    }));
    return { mark: next, revoked, missed: missed === 1 };
  }

  /** `null`: made. Else what would end, by the name that the script calls it, and nothing was done. */
  private async tryCreate(address: Address, args: (string | number)[]): Promise<Ending[] | null> {
    const reply = await this.client.run(CREATE, [this.sessionsOf(address), this.ownerOf(address)], args);
    const [isFirst, ...pairs] = reply as [] | [number, ...string[]];
    if (isFirst === undefined) return null;
    const unproven = { name: FIRST, session: { id: UNPROVEN, address, device: '' } };
    return [...(isFirst === 1 ? [unproven] : []), ...endingsOf(address, pairs)];
  }

  private async endThose(address: Address, isMeant: (session: Session) => boolean): Promise<boolean> {
    const now = this.clock.now();
    const all = (await this.all(address)).map(([hash, value]) => ({ hash, of: parseSession(address, hash, value) }));
    const found = all.filter(({ of }) => of !== null && isMeant(of) && of.expiresAt > now);
    if (found.length === 0) return false;
    // Said before it is done: one that ended and was not said to would live on in connections.
    await this.announce(found.map(({ of }) => of!));
    const deleted = await this.client.command('HDEL', this.sessionsOf(address), ...found.map(({ hash }) => hash));
    return Number(deleted) > 0;
  }

  private async used(address: Address, hash: string, value: unknown): Promise<Session | null> {
    const session = parseSession(address, hash, value);
    const now = this.clock.now();
    if (session === null || session.expiresAt <= now) return null;
    if (now - session.lastUsedAt < USE_RECORDED_EVERY_MS) return session;
    try {
      await this.client.run(SLIDE, [this.sessionsOf(address)], [hash, now, SESSION_MS]);
      return { ...session, lastUsedAt: now, expiresAt: now + SESSION_MS };
    } catch (error) {
      if (error instanceof RelayError) return session;
      throw error;
    }
  }

  private async all(address: Address): Promise<[hash: string, value: string][]> {
    const reply = (await this.client.command('HGETALL', this.sessionsOf(address))) as string[];
    return reply.flatMap((hash, i) => (i % 2 === 0 ? [[hash, reply[i + 1] ?? ''] as [string, string]] : []));
  }

  private async announce(sessions: readonly SessionName[]): Promise<void> {
    const args = sessions.flatMap(({ address, device, id }) => [address, device, id]);
    await this.client.run(ADD_REVOCATION, [this.revocations], [REVOCATIONS_KEPT_MS, MAX_REVOCATIONS, ...args]);
  }

  private get revocations(): string {
    return `${this.client.prefix}rev`;
  }

  private sessionsOf(address: Address): string {
    return `${this.client.prefix}ses:{${bucketOf(address)}}:${address}`;
  }

  private ownerOf(address: Address): string {
    return `${this.client.prefix}own:{${bucketOf(address)}}:${address}`;
  }
}

const SESSION = /^([A-Za-z0-9_-]{1,64}) (\d{1,15}) (\d{1,15}) (\d{1,15})$/;

function parseSession(address: Address, hash: string, value: unknown): Session | null {
  const [, device, createdAt, lastUsedAt, expiresAt] = SESSION.exec(String(value)) ?? [];
  if (device === undefined) return null;
  return {
    id: idOf(hash),
    address,
    device,
    createdAt: Number(createdAt),
    lastUsedAt: Number(lastUsedAt),
    expiresAt: Number(expiresAt),
  };
}

/** `pairs`: hash, device, hash, device, … */
function endingsOf(address: Address, pairs: readonly string[]): Ending[] {
  const endings: Ending[] = [];
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    endings.push({ name: pairs[i]!, session: { id: idOf(pairs[i]!), address, device: pairs[i + 1]! } });
  }
  return endings;
}
