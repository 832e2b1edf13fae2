import { Ajv2020 } from 'ajv/dist/2020.js';
import { LIMITS } from '@relay/protocol';
import type { SelfDescription } from '../../src/reference/self-description.js';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import { type Answer, call } from '../support/http-call.js';
import { type RunningRelay, startRelay } from '../support/relay.js';
import { SignedDevice } from '../support/signed-device.js';
import { SigningKey } from '../support/signing.js';

const PATH = '/.well-known/relay';

describe('/.well-known/relay', () => {
  let relay: RunningRelay;

  afterEach(() => relay.stop());

  const ask = (headers: Record<string, string> = {}): Promise<Answer> => call(relay.port, { path: PATH, headers });
  const described = async (headers?: Record<string, string>) =>
    JSON.parse((await ask(headers)).text) as SelfDescription;

  it('says what the settings say', async () => {
    relay = await startRelay({
      env: {
        AUTH_MODE: 'signed',
        PUBLIC_DOMAIN: 'relay.example',
        MAX_FRAME_BYTES: '8192',
        MAX_OFFLINE_MESSAGES: '7',
        MAX_DEVICES_PER_ADDRESS: '3',
        MAX_STRANGER_MESSAGES: '2',
        MESSAGE_RETENTION_HOURS: '1.5',
        HISTORY_RETENTION_HOURS: '24',
        SEND_RATE_PER_SECOND: '4',
        SEND_BURST: '9',
        RATE_LIMIT_MAX_REQUESTS: '77',
        RATE_LIMIT_WINDOW_MS: '30000',
      },
    });
    expect(await described()).toMatchObject({
      protocol: { versions: [2], websocketPaths: ['/', '/ws'] },
      auth: { mode: 'signed', domain: 'relay.example', schemes: ['idena', 'idena-prefix', 'eip191'] },
      requirements: { protocolVersion: 2, signInWithinMs: LIMITS.authTimeoutMs },
      limits: {
        maxFrameBytes: 8192,
        maxOfflineMessages: 7,
        maxDevicesPerAddress: 3,
        maxStrangerMessages: 2,
        retentionHours: 1.5,
        historyRetentionHours: 24,
        sendsPerSecond: 4,
        sendBurst: 9,
        requestsPerWindow: 77,
        requestWindowMs: 30_000,
      },
      features: { history: true, signedKeys: true },
    });
  });

  it('says what the relay then does: its domain is in the nonce, its limits are in the welcome, its paths are open', async () => {
    relay = await startRelay();
    const { auth, limits, protocol } = await described();
    const device = await SignedDevice.connect(relay.wsUrl, SigningKey.of(1));
    device.hello({ challenge: true });
    expect(await device.nonce()).toContain(`signin-${auth.domain}-`);
    const { welcome, client } = await Device.open(relay.wsUrl, addressOf(1), 'phone');
    const { maxFrameBytes, maxOfflineMessages, retentionHours } = limits;
    expect(welcome.limits).toEqual({ maxFrameBytes, maxOfflineMessages, retentionHours, window: limits.defaultWindow });
    for (const path of protocol.websocketPaths) (await ClassicClient.connect(`${relay.wsUrl}${path}`)).kill();
    client.kill();
    device.client.kill();
  });

  it.each([
    ['open', [1, 2], 'auth_success'],
    ['signed', [2], 'error'],
  ])('names version 1 only where `auth` without a proof is believed: %s', async (mode, versions, answer) => {
    relay = await startRelay({ env: { AUTH_MODE: mode } });
    expect((await described()).protocol.versions).toEqual(versions);
    const client = await ClassicClient.connect(relay.wsUrl);
    client.send({ type: 'auth', address: addressOf(1) });
    await client.waitFor(answer);
    client.kill();
  });

  it('has no domain, and no signed keys, where nobody can sign in', async () => {
    relay = await startRelay({ env: { NODE_ENV: 'production', AUTH_MODE: 'open' } });
    const { auth, features } = await described();
    expect([auth.domain, features.signedKeys]).toEqual([null, false]);
  });

  it('may be read by any origin, whoever else may not call, and kept for five minutes', async () => {
    relay = await startRelay({ env: { ALLOWED_ORIGINS: 'https://app.example' } });
    const { status, headers } = await ask({ origin: 'https://elsewhere.example' });
    expect(status).toBe(200);
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    expect(headers['cache-control']).toBe('public, max-age=300');
    for (const path of [`${PATH}/other`, '/.well-known/other', '/health']) {
      const other = await call(relay.port, { path, headers: { origin: 'https://elsewhere.example' } });
      expect(other.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  it('is as OpenAPI describes it, and leads to pages that there are', async () => {
    relay = await startRelay();
    const description = await described();
    interface Document {
      readonly components: { readonly schemas: Readonly<Record<string, object>> };
    }
    const { components } = JSON.parse((await call(relay.port, { path: '/docs/openapi.json' })).text) as Document;
    const ajv = new Ajv2020({ strict: false });
    const schema = { $ref: '#/components/schemas/SelfDescriptionDto', components };
    expect(ajv.validate(schema, description) || ajv.errors).toBe(true);
    expect(ajv.validate(schema, { ...description, limits: {} })).toBe(false);
    for (const path of Object.values(description.links)) {
      expect([path, (await call(relay.port, { path })).status]).toEqual([path, 200]);
    }
  });

  it('holds no secret and no list of what else there is', async () => {
    const secret = 'the-admin-token-of-this-test-0123456789';
    relay = await startRelay({ env: { ADMIN_TOKEN: secret } });
    const { text } = await ask();
    expect(text).not.toContain(secret);
    expect(text).not.toMatch(/redis|metrics|storage|proxy/i);
    expect((await call(relay.port, { path: '/.well-known' })).status).toBe(404);
  });
});
