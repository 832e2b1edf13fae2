import { keyStatement, type Address, type Scheme, SCHEMES } from '@relay/protocol';
import { SessionRepository } from '../../src/auth/session.repository.js';
import { addressOf } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import { type Answer, call, expectProblem } from '../support/http-call.js';
import { type RunningRelay, startRelay } from '../support/relay.js';
import { SigningKey } from '../support/signing.js';

const ALICE = SigningKey.of(1);
const MALLORY = SigningKey.of(2);
const DOMAIN = 'relay.example';

interface Upload {
  readonly publicKey?: string;
  readonly version?: number;
  readonly scheme?: Scheme;
  readonly by?: SigningKey;
  readonly over?: Partial<Parameters<typeof keyStatement>[0]>;
}

describe('signed public keys', () => {
  let relay: RunningRelay;
  let token: string;

  beforeEach(async () => {
    relay = await startRelay({ env: { AUTH_MODE: 'signed', PUBLIC_DOMAIN: DOMAIN } });
    token = await tokenOf(ALICE, 'rest');
  });

  afterEach(() => relay.stop());

  async function tokenOf(key: SigningKey, device: string): Promise<string> {
    return (await relay.app.get(SessionRepository).create(key.address as Address, device)).token;
  }

  function post(body: object, bearer = token): Promise<Answer> {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${bearer}` };
    return call(relay.port, { method: 'POST', path: '/api/public-keys', headers, body: JSON.stringify(body) });
  }

  function upload({
    publicKey = 'key',
    version = 1,
    scheme = 'idena',
    by = ALICE,
    over = {},
  }: Upload): Promise<Answer> {
    const address = ALICE.address as Address;
    const signature = by.sign(keyStatement({ domain: DOMAIN, address, version, publicKey, ...over }), scheme);
    return post({ address, publicKey, signature, scheme, version });
  }

  const read = async (): Promise<Record<string, unknown>> => {
    const { text } = await call(relay.port, { path: `/api/public-keys/${ALICE.address}` });
    return JSON.parse(text) as Record<string, unknown>;
  };

  const remove = (): Promise<Answer> =>
    call(relay.port, {
      method: 'DELETE',
      path: `/api/public-keys/${ALICE.address}`,
      headers: { authorization: `Bearer ${token}` },
    });

  it.each(SCHEMES)('are taken in the scheme %s, and read with all that verifies them', async (scheme) => {
    expect((await upload({ scheme })).status).toBe(200);
    const { publicKey, signature, version, ...rest } = await read();
    expect(rest).toMatchObject({ address: ALICE.address, scheme });
    expect([publicKey, version]).toEqual(['key', 1]);
    const statement = { domain: DOMAIN, address: ALICE.address as Address, version: 1, publicKey: 'key' };
    expect(signature).toBe(ALICE.sign(keyStatement(statement), scheme));
    const batch = await call(relay.port, {
      method: 'POST',
      path: '/api/public-keys/batch',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ addresses: [ALICE.address] }),
    });
    expect(JSON.parse(batch.text)).toMatchObject({ keys: { [ALICE.address]: { signature, scheme, version: 1 } } });
  });

  it.each<[string, Upload]>([
    ['by another key', { by: MALLORY }],
    ['for another relay', { over: { domain: 'other.example' } }],
    ['for another address', { over: { address: MALLORY.address as Address } }],
    ['for another version', { over: { version: 2 } }],
    ['for another key', { over: { publicKey: 'another' } }],
  ])('are refused where the signature was made %s, and nothing changes', async (_, wrong) => {
    expectProblem(await upload(wrong), 401, 'auth_failed');
    expectProblem(await call(relay.port, { path: `/api/public-keys/${ALICE.address}` }), 404, 'not_found');
  });

  it('are refused where the scheme is another than the one it was made in: none is tried in turn', async () => {
    const statement = { domain: DOMAIN, address: ALICE.address as Address, version: 1, publicKey: 'key' };
    const signature = ALICE.sign(keyStatement(statement), 'eip191');
    const body = { address: ALICE.address, publicKey: 'key', signature, version: 1 };
    expectProblem(await post({ ...body, scheme: 'idena' }), 401, 'auth_failed');
    expect((await post({ ...body, scheme: 'eip191' })).status).toBe(200);
  });

  it.each([
    ['without a scheme', { scheme: undefined }],
    ['without a version', { version: undefined }],
    ['without a signature', { signature: undefined }],
    ['in a scheme that is none', { scheme: 'rsa' }],
    ['with version 0', { version: 0 }],
    ['with version 1.5', { version: 1.5 }],
    ['with a version as text', { version: '1' }],
    ['with a version beyond what is exact', { version: 2 ** 53 }],
    ['with a signature that is no text', { signature: ['0x'] }],
    ['for a key that is no Unicode', { publicKey: 'half a pair: \ud83d' }],
  ])('are refused %s', async (_, wrong) => {
    const signature = `0x${'1'.repeat(130)}`;
    const body = { address: ALICE.address, publicKey: 'key', signature, scheme: 'idena', version: 1, ...wrong };
    expectProblem(await post(body), 400, 'bad_message');
  });

  it.each([
    '0x',
    `0x${'1'.repeat(128)}`,
    `0x${'1'.repeat(132)}`,
    `0x${'z'.repeat(130)}`,
    `0x${'0'.repeat(130)}`,
    'x'.repeat(4000),
  ])('are refused where the signature is none: %.20s', async (signature) => {
    const body = { address: ALICE.address, publicKey: 'key', signature, scheme: 'idena', version: 1 };
    expectProblem(await post(body), 401, 'auth_failed');
  });

  it('have versions that rise, and never give way to an unsigned one', async () => {
    await upload({ publicKey: 'second', version: 2 });
    const stored = await read();
    expectProblem(await upload({ publicKey: 'first', version: 1 }), 409, 'id_conflict');
    expectProblem(await upload({ publicKey: 'other', version: 2 }), 409, 'id_conflict');
    expectProblem(await post({ address: ALICE.address, publicKey: 'unsigned' }), 403, 'downgrade_refused');
    expect(await read()).toEqual(stored);
    expect((await upload({ publicKey: 'third', version: 3 })).status).toBe(200);
    expect(await read()).toMatchObject({ publicKey: 'third', version: 3 });
  });

  it('are answered as the first time where they come again', async () => {
    const first = await upload({});
    const again = await upload({});
    expect([again.status, again.text]).toEqual([200, first.text]);
  });

  it('cannot be rolled back by way of deleting', async () => {
    await upload({ version: 5 });
    expect((await remove()).status).toBe(200);
    expectProblem(await upload({ version: 5 }), 409, 'id_conflict');
    expectProblem(await post({ address: ALICE.address, publicKey: 'unsigned' }), 403, 'downgrade_refused');
    expect((await upload({ version: 6 })).status).toBe(200);
  });

  it('are told to the connected devices of their owner and to nobody else, when they change', async () => {
    await relay.stop();
    relay = await startRelay({ env: { AUTH_MODE: 'open', PUBLIC_DOMAIN: DOMAIN } });
    const bob = await relay.signIn(addressOf(7));
    const classic = await relay.signIn(ALICE.address);
    const phone = await Device.open(relay.wsUrl, ALICE.address, 'phone');
    token = await tokenOf(ALICE, 'rest');
    await post({ address: ALICE.address, publicKey: 'unsigned' });
    await post({ address: ALICE.address, publicKey: 'unsigned' });
    await upload({ version: 4 });
    await upload({ version: 4 });
    await remove();
    for (const client of [classic, phone.client]) {
      await client.waitForCount('key_changed', 3);
      await client.settled();
      const told = client.ofType('key_changed');
      expect(told.map(({ version }) => version)).toEqual([undefined, 4, undefined]);
      for (const frame of told) {
        expect(frame).toMatchObject({ address: ALICE.address, updatedAt: expect.any(Number) as number });
      }
    }
    await bob.settled();
    expect(bob.ofType('key_changed')).toEqual([]);
  });
});
