import { parseAddress } from '@relay/protocol';
import { addressOf } from '../../../test/support/classic-client.js';
import { type RunningRelay, startRelay } from '../../../test/support/relay.js';
import { Encryption } from '../../encryption/encryption.js';
import { Person, within } from '../support/person.js';

const ALICE = parseAddress(addressOf(1))!;
const BOB = parseAddress(addressOf(2))!;
// They have no keys of their own to sign with; signed.spec.ts is about those who have.
const POLICY = { allowUnsigned: true };

describe('encryption, over a relay', () => {
  let relay: RunningRelay;
  let alice: Person;
  let bob: Person;

  beforeEach(async () => {
    relay = await startRelay();
    alice = await Person.connect({ url: relay.wsUrl, address: ALICE });
    bob = await Person.connect({ url: relay.wsUrl, address: BOB });
  });

  afterEach(async () => {
    await Promise.all([alice.client.close(), bob.client.close()]);
    await relay.stop();
  });

  it('a text arrives, and the relay carries something else', async () => {
    const [from, to] = await Promise.all([
      Encryption.open(alice.client, { policy: POLICY }),
      Encryption.open(bob.client, { policy: POLICY }),
    ]);
    await Promise.all([from.publish(), to.publish()]);
    await within((await from.send(BOB, 'a secret')).delivered, 'delivered');
    await bob.has(1);
    expect(bob.contents[0]).not.toContain('secret');
    expect(await to.read(bob.messages[0]!)).toEqual({ kind: 'text', text: 'a secret', senderKey: 'accepted' });
    const moved = { ...bob.messages[0]!, messageId: 'another' };
    expect(await to.read(moved)).toEqual({ kind: 'unreadable', reason: 'tampered' });
    expect(await to.read({ ...bob.messages[0]!, content: 'plain' })).toEqual({
      kind: 'unreadable',
      reason: 'no_envelope',
    });
  });

  it('a renewed key is told to others, who send nothing until they accept; what waits is still read', async () => {
    const changed: string[] = [];
    const onKeyChange = ({ address }: { address: string }) => changed.push(address);
    const from = await Encryption.open(alice.client, { policy: POLICY });
    const to = await Encryption.open(bob.client, { policy: POLICY, onKeyChange });
    await Promise.all([from.publish(), to.publish()]);
    await within((await to.send(ALICE, 'first')).delivered, 'first');
    await from.ownKeys.renew();
    await from.publish();
    await within((await from.send(BOB, 'by a new key')).delivered, 'second');
    await bob.has(1);
    expect(await to.read(bob.messages[0]!)).toMatchObject({ text: 'by a new key', senderKey: 'offered' });
    expect(changed).toEqual([ALICE]);
    await expect(to.send(ALICE, 'no')).rejects.toMatchObject({ code: 'key_changed' });
    expect(await to.trust.accept(ALICE, to.trust.pinsOf(ALICE)!.offered!.publicKey)).toBe(true);
    await within((await to.send(ALICE, 'yes')).delivered, 'third');
    await alice.has(2);
    expect(await from.read(alice.messages[0]!)).toMatchObject({ text: 'first' });
    expect(await from.read(alice.messages[1]!)).toMatchObject({ text: 'yes' });
  });
});
