import { parseSignInNonce } from '@relay/protocol';
import { WebSocket } from 'ws';
import { AuthService } from '../../../src/auth/auth.service.js';
import { SigningKey } from '../../../test/support/signing.js';
import { type RunningRelay, startRelay } from '../../../test/support/relay.js';
import { Encryption } from '../../encryption/encryption.js';
import type { SocketConstructor } from '../../environment.js';
import { privateKeyIdentity } from '../../identity.js';
import type { Identity } from '../../sign-in.js';
import { MemoryStore } from '../../store.memory.js';
import { Person, within } from '../support/person.js';

/** A key, and every text that it was asked to sign. */
function watched(n: number): { identity: Identity; signed: string[] } {
  const own = privateKeyIdentity(SigningKey.of(n).privateKey);
  const signed: string[] = [];
  const sign: Identity['sign'] = (text) => {
    signed.push(text);
    return own.sign(text);
  };
  return { identity: { address: own.address, sign }, signed };
}

describe('the client, with a relay that believes nobody', () => {
  let relay: RunningRelay;
  let people: Person[];

  const begin = () => startRelay({ env: { AUTH_MODE: 'signed', MAX_STRANGER_MESSAGES: '100' } });

  beforeEach(async () => {
    people = [];
    relay = await begin();
  });
  afterEach(async () => {
    await Promise.all(people.map(({ client }) => client.close()));
    await relay.stop();
  });

  async function open(options: Partial<Parameters<typeof Person.open>[0]>): Promise<Person> {
    const person = await Person.open({ url: relay.wsUrl, ...options });
    people.push(person);
    return person;
  }

  async function join(options: Partial<Parameters<typeof Person.open>[0]>): Promise<Person> {
    const person = await open(options);
    person.client.start();
    await within(person.client.signedIn(), 'to be let in');
    return person;
  }

  it.each(['idena', 'idena-prefix', 'eip191'] as const)(
    'signs in with a key, in %s, and is delivered to',
    async (scheme) => {
      const alice = await join({ identity: privateKeyIdentity(SigningKey.of(1).privateKey, scheme) });
      const bob = await join({ identity: privateKeyIdentity(SigningKey.of(2).privateKey) });
      await within((await alice.client.send(bob.client.address, 'hello')).delivered, 'delivered');
      expect(bob.contents).toEqual(['hello']);
    },
  );

  it('signs in by a callback, which is shown one nonce: of this relay, this address, and not for long', async () => {
    const key = SigningKey.of(1);
    const signed: string[] = [];
    const sign: Identity['sign'] = (text) => {
      signed.push(text);
      // As a wallet does: later, and in its own scheme.
      return Promise.resolve({ scheme: 'eip191', signature: key.sign(text, 'eip191') });
    };
    const alice = await join({ identity: { address: privateKeyIdentity(key.privateKey).address, sign } });
    expect(signed.map(parseSignInNonce)).toMatchObject([
      { domain: `127.0.0.1:${relay.port}`, address: alice.client.address },
    ]);
  });

  it('is not let in without a proof, or with that of another key', async () => {
    const { address } = privateKeyIdentity(SigningKey.of(1).privateKey);
    for (const [options, code] of [
      [{ address }, 'auth_required'],
      [{ identity: { ...privateKeyIdentity(SigningKey.of(2).privateKey), address } }, 'auth_failed'],
    ] as const) {
      const person = await open(options);
      const refused = person.client.signedIn();
      person.client.start();
      await expect(within(refused, 'a refusal')).rejects.toMatchObject({ code });
      expect(person.client.state).toBe('stopped');
    }
  });

  it('signs nothing that names another domain than the one it asked for', async () => {
    await relay.stop();
    relay = await startRelay({ env: { AUTH_MODE: 'signed', PUBLIC_DOMAIN: 'bank.example' } });
    const { identity, signed } = watched(1);
    const fooled = await open({ identity });
    const refused = fooled.client.signedIn();
    fooled.client.start();
    await expect(within(refused, 'a refusal')).rejects.toMatchObject({
      code: 'nonce_refused',
      message: `The challenge is for bank.example, not for 127.0.0.1:${relay.port}`,
    });
    expect(signed).toEqual([]);
    // Who knows that the relay is called so says so.
    await join({ identity, domain: 'bank.example' });
    expect(signed).toHaveLength(1);
  });

  it('keeps its token in the store, and comes back with it: after a broken link, and as another process', async () => {
    const sockets: WebSocket[] = [];
    class Kept extends WebSocket {
      constructor(url: string) {
        super(url);
        sockets.push(this);
      }
    }
    const environment = {
      WebSocket: Kept as unknown as SocketConstructor,
      random: { fraction: () => 0, bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) },
    };
    const store = new MemoryStore();
    const { identity, signed } = watched(1);
    const first = await join({ identity, store, environment });
    await first.is('online');
    expect(await store.read('token')).toMatch(/^rs_/);
    sockets.at(-1)!.terminate();
    await first.is('waiting');
    await first.is('online');
    expect(sockets).toHaveLength(2);
    await first.client.close();
    const second = await join({ identity, store });
    expect(second.client.deviceId).toBe(first.client.deviceId);
    expect(signed).toHaveLength(1);
    // Whoever signs out has to prove the address again.
    await second.client.signOut();
    await second.client.close();
    await join({ identity, store });
    expect(signed).toHaveLength(2);
  });

  it('a token that was revoked ends it with an error of its own, and the next start proves the address again', async () => {
    const store = new MemoryStore();
    const { identity, signed } = watched(1);
    const lost = await join({ identity, store });
    await lost.is('online');
    const token = await store.read('token');
    const stopped = lost.next('state');
    const ended = await fetch(`${relay.url}/api/devices/${lost.client.deviceId}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(ended.status).toBe(200);
    expect(await stopped).toMatchObject({ state: 'stopped', error: { code: 'session_ended', isRetryable: false } });
    lost.client.start();
    await within(lost.client.signedIn(), 'to be let in again');
    expect(signed).toHaveLength(2);
    expect(await store.read('token')).not.toBe(token);
  });

  it('a token that was revoked while it was away costs a signature, and nothing else', async () => {
    const store = new MemoryStore();
    const { identity, signed } = watched(1);
    const away = await join({ identity, store });
    await away.is('online');
    await away.client.close();
    const token = await store.read('token');
    const headers = { authorization: `Bearer ${token}` };
    await fetch(`${relay.url}/api/devices/${away.client.deviceId}`, { method: 'DELETE', headers });
    const back = await join({ identity, store });
    expect(signed).toHaveLength(2);
    expect(await store.read('token')).not.toBe(token);
    await back.is('online');
  });

  it('is told of a session that a wallet’s link gave to a browser', async () => {
    const alice = await join({ identity: watched(1).identity });
    const told = alice.next('session_opened');
    await relay.app.get(AuthService).grant(alice.client.address, 'my-browser');
    expect(await told).toEqual({ deviceId: 'my-browser', openedAt: expect.any(Number) as number });
  });

  it('two that signed in exchange what nobody else can read, by keys that their addresses signed', async () => {
    const [alice, bob] = [watched(1), watched(2)];
    const [from, to] = [await join({ identity: alice.identity }), await join({ identity: bob.identity })];
    const [sender, reader] = [await Encryption.open(from.client), await Encryption.open(to.client)];
    await Promise.all([sender.publish(alice.identity), reader.publish(bob.identity)]);
    await within((await sender.send(to.client.address, 'a secret')).delivered, 'delivered');
    expect(to.contents.join()).not.toContain('secret');
    expect(await reader.read(to.messages[0]!)).toEqual({ kind: 'text', text: 'a secret', senderKey: 'accepted' });
  });
});

describe('the client, with a relay that has no name to sign', () => {
  it('says what is missing, who can add it, and how to come in meanwhile', async () => {
    const relay = await startRelay({ env: { NODE_ENV: 'production', AUTH_MODE: 'open' } });
    const { identity, signed } = watched(1);
    const proving = await Person.open({ url: relay.wsUrl, identity });
    proving.client.start();
    const failure = proving.client.signedIn();
    await expect(within(failure, 'to be refused')).rejects.toMatchObject({
      code: 'unsupported',
      isRetryable: false,
      message: expect.stringMatching(
        /no PUBLIC_DOMAIN.* its operator sets it.*`address` in place of `identity`/,
      ) as string,
    });
    expect([proving.client.state, signed]).toEqual(['stopped', []]);
    const believed = await Person.connect({ url: relay.wsUrl, address: identity.address });
    await believed.is('online');
    await believed.client.close();
    await relay.stop();
  });
});
