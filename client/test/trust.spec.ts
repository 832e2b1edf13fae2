import { type Address, keyStatement } from '@relay/protocol';
import { newEncryptionKeyPair, publicKeyText } from '../encryption/key-pair.js';
import { PinStore } from '../encryption/pins.js';
import { type KeyChange, Trust, type TrustPolicy } from '../encryption/trust.js';
import { newIdentity } from '../identity.js';
import type { DirectoryKey } from '../keys.js';
import { MemoryStore } from '../store.memory.js';
import { ManualTimers } from './support/manual-timers.js';

const DOMAIN = 'relay.example';

describe('trust in keys', () => {
  const bob = newIdentity();
  let store: MemoryStore;
  let timers: ManualTimers;
  let directory: DirectoryKey | null;
  let asked: number;
  let changes: KeyChange[];

  beforeEach(() => {
    store = new MemoryStore();
    timers = new ManualTimers();
    directory = null;
    asked = 0;
    changes = [];
  });

  async function trust(policy: Partial<TrustPolicy> = {}): Promise<Trust> {
    return new Trust({
      pins: await PinStore.load(store),
      fetchKey: () => {
        asked++;
        return Promise.resolve(directory);
      },
      clock: timers,
      domain: DOMAIN,
      policy: { allowUnsigned: false, onChange: 'ask', ...policy },
      changed: (change) => changes.push(change),
    });
  }

  async function signed(
    version: number,
    { by = bob, domain = DOMAIN, publicKey = newKey() } = {},
  ): Promise<DirectoryKey> {
    const address: Address = bob.address;
    const proof = await by.sign(keyStatement({ domain, address, version, publicKey }));
    return { address, publicKey, updatedAt: 1, signed: { version, ...proof } };
  }
  const newKey = (): string => publicKeyText(newEncryptionKeyPair().publicKey);
  const unsigned = (publicKey = newKey()): DirectoryKey => ({
    address: bob.address,
    publicKey,
    updatedAt: 1,
    signed: null,
  });
  const textOf = async (key: Promise<Uint8Array>): Promise<string> => publicKeyText(await key);

  it('believes what the address signed, and asks the directory once in five minutes', async () => {
    directory = await signed(1);
    const own = await trust();
    expect(await textOf(own.keyFor(bob.address))).toBe(directory.publicKey);
    await own.keyFor(bob.address);
    expect(asked).toBe(1);
    await timers.advance(5 * 60_000);
    await own.keyFor(bob.address);
    expect(asked).toBe(2);
  });

  it.each<[string, () => Promise<DirectoryKey>, string]>([
    ['unsigned', () => Promise.resolve(unsigned()), 'key_unsigned'],
    ['signed by somebody else', () => signed(1, { by: newIdentity() }), 'key_unsigned'],
    ['signed for another relay', () => signed(1, { domain: 'other.example' }), 'key_unsigned'],
    ['signed and then exchanged', async () => ({ ...(await signed(1)), publicKey: newKey() }), 'key_unsigned'],
    ['of another kind', () => signed(1, { publicKey: 'rsa-x' }), 'unsupported'],
  ])('believes no key that is %s', async (_, make, code) => {
    directory = await make();
    await expect((await trust()).keyFor(bob.address)).rejects.toMatchObject({ code });
  });

  it('has none where the address has none', async () => {
    await expect((await trust()).keyFor(bob.address)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('sends nothing with a changed key until it is accepted, also in the next process', async () => {
    const first = (directory = await signed(1));
    await (await trust()).keyFor(bob.address);
    const second = (directory = await signed(2));
    const own = await trust();
    await expect(own.keyFor(bob.address)).rejects.toMatchObject({ code: 'key_changed' });
    expect(changes).toEqual([
      {
        address: bob.address,
        before: { publicKey: first.publicKey, version: 1 },
        after: { publicKey: second.publicKey, version: 2 },
        isAccepted: false,
      },
    ]);
    const later = await trust();
    await expect(later.keyFor(bob.address)).rejects.toMatchObject({ code: 'key_changed' });
    expect(changes).toHaveLength(1);
    expect(await later.accept(bob.address, first.publicKey)).toBe(false);
    expect(await later.accept(bob.address, second.publicKey)).toBe(true);
    expect(await textOf(later.keyFor(bob.address))).toBe(second.publicKey);
    const standings = (await later.keysOf(bob.address, Infinity)).map(({ standing }) => standing);
    expect(standings).toEqual(['accepted', 'former']);
  });

  it('accepts by itself what is signed with a higher version, where the policy says so', async () => {
    directory = await signed(1);
    const own = await trust({ onChange: 'signed' });
    await own.keyFor(bob.address);
    const second = (directory = await signed(2));
    await timers.advance(5 * 60_000);
    expect(await textOf(own.keyFor(bob.address))).toBe(second.publicKey);
    expect(changes).toMatchObject([{ isAccepted: true }]);
  });

  it.each<[string, () => Promise<DirectoryKey>]>([
    ['an older version', () => signed(1)],
    ['an unsigned key', () => Promise.resolve(unsigned())],
  ])('refuses %s after a newer one', async (_, make) => {
    directory = await signed(2);
    await (await trust({ allowUnsigned: true })).keyFor(bob.address);
    directory = await make();
    const own = await trust({ allowUnsigned: true, onChange: 'signed' });
    await expect(own.keyFor(bob.address)).rejects.toMatchObject({ code: 'key_rolled_back' });
  });

  it('goes on with the accepted key when the directory is back at it', async () => {
    const first = (directory = await signed(1));
    await (await trust()).keyFor(bob.address);
    directory = await signed(2);
    await expect((await trust()).keyFor(bob.address)).rejects.toMatchObject({ code: 'key_changed' });
    directory = first;
    expect(await textOf((await trust()).keyFor(bob.address))).toBe(first.publicKey);
  });

  it('asks about every change of an unsigned key, whatever the policy says of signed ones', async () => {
    directory = unsigned();
    const policy = { allowUnsigned: true, onChange: 'signed' } as const;
    await (await trust(policy)).keyFor(bob.address);
    directory = unsigned();
    await expect((await trust(policy)).keyFor(bob.address)).rejects.toMatchObject({ code: 'key_changed' });
  });
});
