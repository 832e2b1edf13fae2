import { type Address, LIMITS, parseSignInNonce, type Proof, signInNonce } from '@relay/protocol';
import { RelayClient } from '../client.js';
import { newIdentity, privateKeyIdentity, recoverAddress } from '../identity.js';
import { domainOf } from '../sign-in.js';
import { MemoryStore } from '../store.memory.js';
import { ManualTimers, settled } from './support/manual-timers.js';
import { PlainRandom, ScriptedRelay } from './support/scripted-relay.js';

const KEY = '4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318';
const identity = privateKeyIdentity(KEY);

describe('a key', () => {
  it('has the address that wallets give it', () => {
    // The example of the Ethereum documentation for this private key.
    expect(identity.address).toBe('0x2c7536e3605d9c16a7a3d7b1898e529396a65c23');
  });

  it('signs as web3 does: its published example of personal_sign', async () => {
    const { signature } = await privateKeyIdentity(`0x${KEY}`, 'eip191').sign('Some data');
    expect(signature).toBe(
      '0xb91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c',
    );
  });

  it.each(['idena', 'idena-prefix', 'eip191'] as const)(
    'is recovered from what it signed in %s, and only so',
    async (scheme) => {
      const own = newIdentity(scheme);
      const proof = await own.sign('text');
      expect(recoverAddress('text', proof)).toBe(own.address);
      expect(recoverAddress('other', proof)).not.toBe(own.address);
      const other = scheme === 'idena' ? 'eip191' : 'idena';
      expect(recoverAddress('text', { ...proof, scheme: other })).not.toBe(own.address);
    },
  );

  it.each<[string, (signature: string) => string]>([
    ['cut short', (signature) => signature.slice(0, -2)],
    ['of zeros', () => `0x${'0'.repeat(130)}`],
    ['with another recovery byte', (signature) => `${signature.slice(0, -2)}04`],
    ['with a high s', (signature) => highS(signature)],
  ])('is not recovered from a signature %s', async (_, change) => {
    const proof = await identity.sign('text');
    expect(recoverAddress('text', { ...proof, signature: change(proof.signature) })).toBeNull();
  });
});

function highS(signature: string): string {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const s = (order - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, '0');
  return signature.slice(0, 66) + s + (signature.endsWith('00') ? '01' : '00');
}

it.each([
  ['wss://Relay.example', 'relay.example'],
  ['wss://relay.example:443/ws', 'relay.example'],
  ['ws://relay.example:443', 'relay.example:443'],
  ['ws://localhost:3002/?x=/', 'localhost:3002'],
  ['ws://user:secret@relay.example:80', 'relay.example'],
  ['ws://[::1]:3002', '[::1]:3002'],
  ['http://relay.example', null],
  ['wss:///', null],
])('the domain of %s is %s', (url, domain) => expect(domainOf(url)).toBe(domain));

describe('signing in', () => {
  let timers: ManualTimers;
  let relay: ScriptedRelay;
  let store: MemoryStore;

  beforeEach(() => {
    timers = new ManualTimers();
    relay = new ScriptedRelay();
    store = new MemoryStore();
  });

  async function start(sign = identity.sign): Promise<RelayClient> {
    const environment = { clock: timers, random: new PlainRandom(), WebSocket: relay.WebSocket };
    const client = await RelayClient.open({
      url: 'wss://relay.example/ws',
      identity: { address: identity.address, sign },
      store,
      onMessage: () => undefined,
      environment,
    });
    client.start();
    relay.last.open();
    return client;
  }

  const nonce = (changes: Partial<Parameters<typeof signInNonce>[0]> = {}): string =>
    signInNonce({
      domain: 'relay.example',
      address: identity.address,
      expiresAtSeconds: timers.now() / 1000 + 120,
      random: 'ab'.repeat(16),
      ...changes,
    });
  const challenge = (text = nonce()) =>
    relay.last.say({ type: 'challenge', nonce: text, expiresAt: timers.now() + 120_000 });

  it('asks for a challenge, signs it, keeps the token, and opens with that the next time', async () => {
    const client = await start();
    expect(relay.last.sent).toMatchObject([{ type: 'hello', v: 2, address: identity.address, challenge: true }]);
    expect(relay.last.sent[0]).not.toHaveProperty('token');
    challenge();
    await settled();
    const auth = relay.last.sent[1] as unknown as Proof & { type: string };
    expect(auth).toMatchObject({ type: 'auth', address: identity.address, scheme: 'idena' });
    expect(recoverAddress(nonce(), auth)).toBe(identity.address);
    relay.last.welcome({ token: 'the-token', tokenExpiresAt: timers.now() + 1 });
    await client.signedIn();
    await settled();
    await start();
    expect(relay.last.sent[0]).toMatchObject({ token: 'the-token', deviceId: client.deviceId, challenge: true });
  });

  it.each<[string, () => string]>([
    ['of another domain', () => nonce({ domain: 'relay.example.evil' })],
    ['of another address', () => nonce({ address: `0x${'1'.repeat(40)}` as Address })],
    ['that is valid for an hour', () => nonce({ expiresAtSeconds: timers.now() / 1000 + 3600 })],
    ['that is a transaction', () => 'ff'.repeat(32)],
    ['that wallets sign for links', () => nonce().slice('relay:'.length)],
    ['with something behind it', () => `${nonce()} `],
  ])('refuses to sign a challenge %s, and stops', async (_, text) => {
    const signed: string[] = [];
    const client = await start((asked) => {
      signed.push(asked);
      return identity.sign(asked);
    });
    const stopped = client.signedIn();
    challenge(text());
    await expect(stopped).rejects.toMatchObject({ code: 'nonce_refused' });
    expect(signed).toEqual([]);
    expect(relay.last.ofType('auth')).toEqual([]);
    await timers.advance(60 * 60_000);
    expect(relay.sockets).toHaveLength(1);
  });

  it('a person who does not want to sign ends it; the cause is kept', async () => {
    const client = await start(() => Promise.reject(new Error('declined')));
    const stopped = client.signedIn();
    challenge();
    await expect(stopped).rejects.toMatchObject({ code: 'sign_in_failed', cause: new Error('declined') });
  });

  it('gives a person as long as the challenge lasts', async () => {
    await start(() => new Promise<Proof>(() => undefined));
    challenge();
    await timers.advance(119_000);
    expect(relay.last.isClosedByClient).toBe(false);
    await timers.advance(2_000);
    expect(relay.sockets[0]!.isClosedByClient).toBe(true);
  });

  it('a challenge that expired is tried again, a wrong signature is not', async () => {
    const client = await start();
    relay.last.say({ type: 'error', code: 'challenge_expired', message: 'x', retryable: true });
    relay.last.closed(4401);
    expect(client.state).toBe('waiting');
    await timers.advance(500);
    expect(relay.sockets).toHaveLength(2);
    relay.last.open();
    relay.last.say({ type: 'error', code: 'auth_failed', message: 'x', retryable: false });
    relay.last.closed(4401);
    expect(client.state).toBe('stopped');
  });

  it('a session that was revoked ends the client and its token', async () => {
    const client = await start();
    relay.last.welcome({ token: 'the-token' });
    await settled();
    relay.last.closed(4440);
    expect(client.state).toBe('stopped');
    await settled();
    expect(await store.read('token')).toBeNull();
  });

  it('shows no secrets to those who look at frames', async () => {
    const client = await start();
    const seen: string[] = [];
    client.on('frame', ({ text }) => seen.push(text));
    challenge();
    await settled();
    relay.last.welcome({ token: 'the-token' });
    expect(seen.join()).not.toContain('the-token');
    expect(seen.join()).not.toMatch(/"signature":"0x/);
    expect(seen.map((text) => (JSON.parse(text) as { type: string }).type)).toEqual([
      'challenge',
      'auth',
      'auth_success',
    ]);
  });

  it('a store of another address is refused', async () => {
    await store.write([['owner', `0x${'1'.repeat(40)}`]]);
    await expect(start()).rejects.toMatchObject({ code: 'wrong_store' });
  });

  it('the nonce that is checked is the one that the protocol writes', () => {
    expect(parseSignInNonce(nonce())?.domain).toBe('relay.example');
    expect(LIMITS.authTimeoutMs).toBeLessThan(15_000);
  });
});
