import { type Address, parseAddress, RelayError } from '@relay/protocol';
import { randomBytes } from 'node:crypto';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { scriptFile } from '../redis/script-file.redis.js';
import { type Ban, type BanList, BanRepository, MAX_BANS } from './ban.repository.js';

const PUT = scriptFile(import.meta.url, 'put-ban');
const REMOVE = scriptFile(import.meta.url, 'remove-ban');
/** No mark: nothing has ever been banned here. */
const NEVER = '0';

/**
 * | key   | type | holds                                                                          | goes away               |
 * |-------|------|--------------------------------------------------------------------------------|-------------------------|
 * | `ban` | hash | address → `<since when, ms> <note>`; `mark` → a name for the latest change, random | when the operator says |
 *
 * What somebody wrote there by hand and is no address bans nobody.
 */
export class RedisBanRepository extends BanRepository {
  constructor(
    private readonly client: RedisClient,
    private readonly clock: { now(): number },
  ) {
    super();
  }

  override async put(address: Address, note: string): Promise<boolean> {
    const added = await this.client.run(PUT, [this.key], [address, this.clock.now(), note, newMark(), MAX_BANS]);
    if (added === -1) throw new RelayError('too_large', `At most ${MAX_BANS} addresses can be banned`);
    return added === 1;
  }

  override async remove(address: Address): Promise<boolean> {
    return (await this.client.run(REMOVE, [this.key], [address, newMark()])) === 1;
  }

  override async since(mark: string | null): Promise<BanList | null> {
    const known = ((await this.client.command('HGET', this.key, 'mark')) as string | null) ?? NEVER;
    if (known === mark) return null;
    // Read in one step with its mark: what changed in between is not missed.
    const fields = (await this.client.command('HGETALL', this.key)) as string[];
    const bans: [Address, Ban][] = [];
    let latest = NEVER;
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const [name, value] = [fields[i]!, fields[i + 1]!];
      if (name === 'mark') latest = value;
      const ban = banOf(name, value);
      if (ban !== null) bans.push(ban);
    }
    bans.sort(([, a], [, b]) => a.at - b.at);
    return { mark: latest, bans: new Map(bans) };
  }

  private get key(): string {
    return `${this.client.prefix}ban`;
  }
}

const newMark = (): string => randomBytes(9).toString('base64url');

function banOf(name: string, value: string): [Address, Ban] | null {
  const address = parseAddress(name);
  const [, at, note] = /^(\d{1,15}) (.*)$/s.exec(value) ?? [];
  return address === null || at === undefined ? null : [address, { at: Number(at), note: note! }];
}
