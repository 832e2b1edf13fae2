import { type Address, RelayError } from '@relay/protocol';
import { Backplane, type Kind, type Topic } from '../backplane/backplane.js';
import { MemoryPresenceRepository } from './presence.repository.memory.js';
import type { PresenceStatus } from './presence.repository.js';
import { MemoryContactRepository } from '../contacts/contact.repository.memory.js';
import { ManualClock } from '../../test/support/manual-clock.js';
import { PresenceService, type PresenceWatcher } from './presence.service.js';

const ALICE = `0x${'a'.repeat(40)}` as Address;
const BOB = `0x${'b'.repeat(40)}` as Address;
const ONLINE = { online: true, lastSeen: null };
const NEVER_SEEN = { online: false, lastSeen: null };

/** Others hear at once what one sends, if they joined. */
class Wires extends Backplane {
  readonly joins = new Map<Address, number>();
  isDown = false;

  constructor(
    readonly node: string,
    private readonly all: Wires[],
  ) {
    super();
    all.push(this);
  }

  override join(_topic: Topic, address: Address): Promise<void> {
    this.joins.set(address, (this.joins.get(address) ?? 0) + 1);
    return this.isDown ? Promise.reject(new RelayError('store_unavailable')) : Promise.resolve();
  }

  override leave(_topic: Topic, address: Address): void {
    this.joins.set(address, this.joins.get(address)! - 1);
  }

  override hearing(_topic: Topic, address: Address): number {
    return this.isDown ? 0 : (this.joins.get(address) ?? 0);
  }

  override tell(): Promise<boolean> {
    return Promise.resolve(false);
  }

  override endHearing(): void {
    return undefined;
  }

  override send(_topic: Topic, address: Address, kind: Kind, payload: string): Promise<number> {
    if (this.isDown) return Promise.reject(new RelayError('store_unavailable'));
    const others = this.all.filter((other) => other !== this && !other.isDown && (other.joins.get(address) ?? 0) > 0);
    for (const other of others) other.heard(kind, address, payload, this.node);
    return Promise.resolve(others.length);
  }

  /** The connection is back. */
  resume(): void {
    this.isDown = false;
    this.resumed();
  }
}

/** A store that can be away, slow, and have something to say in a sweep. */
class Store extends MemoryPresenceRepository {
  isDown = false;
  changed: readonly Address[] = [];
  /** Answers wait for it after they were read. */
  delay: Promise<void> | null = null;

  override async statuses(addresses: readonly Address[]): Promise<readonly PresenceStatus[]> {
    if (this.isDown) throw new RelayError('store_unavailable');
    const statuses = await super.statuses(addresses);
    if (this.delay !== null) await this.delay;
    return statuses;
  }

  override sweep(): Promise<readonly Address[]> {
    return Promise.resolve(this.changed);
  }

  override stop(): Promise<readonly Address[]> {
    return Promise.resolve(this.changed);
  }
}

class Watcher implements PresenceWatcher {
  readonly told: [Address, PresenceStatus][] = [];

  constructor(readonly address: Address | null = null) {}

  presenceChanged(address: Address, status: PresenceStatus): void {
    this.told.push([address, status]);
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('presence between two nodes', () => {
  let clock: { ms: number; now(): number };
  let store: Store;
  let contacts: MemoryContactRepository;
  let here: Wires;
  let presence: PresenceService;
  let elsewhere: PresenceService;
  let watcher: Watcher;

  beforeEach(() => {
    clock = { ms: 1_000_000, now: () => clock.ms };
    store = new Store(clock);
    contacts = new MemoryContactRepository(new ManualClock());
    const all: Wires[] = [];
    here = new Wires('here', all);
    presence = new PresenceService(store, contacts, here);
    elsewhere = new PresenceService(store, contacts, new Wires('there', all));
    watcher = new Watcher();
  });

  it('shows an address offline to whom it blocks, from then on until it blocks them no more, and to nobody else', async () => {
    const blocked = new Watcher(BOB);
    await elsewhere.connected(ALICE, '1');
    await presence.watch(watcher, [ALICE]);
    await presence.watch(blocked, [ALICE]);
    await contacts.put('blocked', ALICE, BOB);
    void elsewhere.blocksChanged(ALICE);
    await settled();
    clock.ms += 1;
    await elsewhere.disconnected(ALICE, '1');
    await settled();
    await elsewhere.connected(ALICE, '2');
    await settled();
    expect(blocked.told.map(([, status]) => status)).toEqual([ONLINE, NEVER_SEEN]);
    expect(watcher.told.map(([, { online }]) => online)).toEqual([true, false, true]);
    expect(await presence.statuses([ALICE], BOB)).toEqual([NEVER_SEEN]);
    expect(await presence.statuses([ALICE], null)).toEqual([ONLINE]);
    const late = new Watcher(BOB);
    await presence.watch(late, [ALICE]);
    expect(late.told).toEqual([[ALICE, NEVER_SEEN]]);
    await contacts.remove('blocked', ALICE, BOB);
    void presence.blocksChanged(ALICE);
    await settled();
    expect(blocked.told.at(-1)).toEqual([ALICE, ONLINE]);
    expect(watcher.told).toHaveLength(3);
  });

  it('tells watchers on either node', async () => {
    const other = new Watcher();
    await presence.watch(watcher, [ALICE]);
    await elsewhere.watch(other, [ALICE]);
    await elsewhere.connected(ALICE, '1');
    await settled();
    await presence.setVisible(ALICE, false);
    await settled();
    const told = [NEVER_SEEN, ONLINE, NEVER_SEEN].map((status) => [ALICE, status]);
    expect(watcher.told).toEqual(told);
    expect(other.told).toEqual(told);
  });

  it('hears other nodes from the first watcher of an address to the last', async () => {
    const second = new Watcher();
    await presence.watch(watcher, [ALICE, ALICE, BOB]);
    await presence.watch(second, [ALICE]);
    await presence.watch(second, [ALICE]);
    expect([...here.joins]).toEqual([
      [ALICE, 1],
      [BOB, 1],
    ]);
    presence.unwatch(watcher, [ALICE, ALICE]);
    expect(here.joins.get(ALICE)).toBe(1);
    presence.unwatchAll(second);
    presence.unwatchAll(watcher);
    expect([...here.joins.values()]).toEqual([0, 0]);
    await elsewhere.connected(ALICE, '1');
    await settled();
    expect(watcher.told).toEqual([
      [ALICE, NEVER_SEEN],
      [BOB, NEVER_SEEN],
    ]);
  });

  it('keeps a watch that could not be joined, and makes up for what it missed', async () => {
    here.isDown = true;
    await presence.watch(watcher, [ALICE]);
    expect(watcher.told).toEqual([[ALICE, NEVER_SEEN]]);
    await elsewhere.connected(ALICE, '1');
    await presence.sweep();
    expect(watcher.told).toHaveLength(1);
    here.isDown = false;
    await presence.sweep();
    expect(watcher.told.slice(1)).toEqual([[ALICE, ONLINE]]);
    expect(here.joins.get(ALICE)).toBe(1);
  });

  it('says that statuses could not be read, and tells them later', async () => {
    store.isDown = true;
    await expect(presence.watch(watcher, [ALICE])).rejects.toMatchObject({ code: 'store_unavailable' });
    await store.connected(ALICE, '1');
    store.isDown = false;
    expect(watcher.told).toEqual([]);
    await presence.sweep();
    expect(watcher.told).toEqual([[ALICE, ONLINE]]);
  });

  it('connects and disconnects whatever becomes of the announcement', async () => {
    await presence.watch(watcher, [ALICE]);
    store.isDown = true;
    here.isDown = true;
    await presence.connected(ALICE, '1');
    store.isDown = false;
    await presence.sweep();
    expect(watcher.told.at(-1)).toEqual([ALICE, ONLINE]);
  });

  it('looks at everything again when the connection is back, and tells what is news', async () => {
    const crowd = Array.from({ length: 1200 }, (_, i) => `0x${i.toString(16).padStart(40, '0')}` as Address);
    const watchers = [0, 1, 2].map(() => new Watcher());
    for (const [i, each] of watchers.entries()) await presence.watch(each, crowd.slice(i * 400, (i + 1) * 400));
    here.isDown = true;
    await elsewhere.connected(crowd[0]!, '1');
    await elsewhere.connected(crowd[1199]!, '2');
    here.resume();
    await settled();
    expect(watchers.map(({ told }) => told.slice(400))).toEqual([[[crowd[0], ONLINE]], [], [[crowd[1199], ONLINE]]]);
  });

  it('tells nothing twice, but everybody who comes', async () => {
    await presence.watch(watcher, [ALICE]);
    await presence.connected(ALICE, '1');
    store.changed = [ALICE];
    await presence.sweep();
    await presence.sweep();
    const second = new Watcher();
    await presence.watch(second, [ALICE]);
    await presence.watch(second, [ALICE]);
    expect(watcher.told).toHaveLength(2);
    expect(second.told).toEqual([
      [ALICE, ONLINE],
      [ALICE, ONLINE],
    ]);
  });

  it.each(['sweep', 'stop'] as const)('announces everywhere what a %s has changed', async (method) => {
    await presence.watch(watcher, [ALICE]);
    await store.connected(ALICE, '1');
    store.changed = [ALICE];
    await elsewhere[method]();
    await settled();
    expect(watcher.told.at(-1)).toEqual([ALICE, ONLINE]);
  });

  it('tells a newcomer what is so by then, and the others what they missed', async () => {
    await presence.watch(watcher, [ALICE]);
    await store.connected(ALICE, '1');
    const second = new Watcher();
    await presence.watch(second, [ALICE]);
    expect(watcher.told.at(-1)).toEqual([ALICE, ONLINE]);
    expect(second.told).toEqual([[ALICE, ONLINE]]);
  });

  it('does not believe an answer that a newer one overtook', async () => {
    await presence.watch(watcher, [ALICE]);
    let release = (): void => undefined;
    store.delay = new Promise((resolve) => (release = resolve));
    const second = new Watcher();
    const watching = presence.watch(second, [ALICE]);
    await settled();
    store.delay = null;
    await presence.connected(ALICE, '1');
    release();
    await watching;
    expect(watcher.told.map(([, status]) => status)).toEqual([NEVER_SEEN, ONLINE]);
    expect(second.told.at(-1)).toEqual([ALICE, ONLINE]);
  });

  it('tells nobody who has gone meanwhile', async () => {
    const watching = presence.watch(watcher, [ALICE]);
    presence.unwatchAll(watcher);
    await watching;
    expect(watcher.told).toEqual([]);
    expect(here.joins.get(ALICE)).toBe(0);
  });
});
