import { anInteger, aText, expect } from '../expect.mjs';
import { BOTH, canSignIn, casesOf, has, isSigned } from './case.mjs';

const rest = casesOf('13. REST');
const keys = casesOf('13. REST › Signed keys');
const devices = casesOf('13. REST › Devices of one’s own');
const idena = casesOf('13. REST › Sign in with Idena');
const blocked = casesOf('9. Receipts › Who is blocked');
const errors = casesOf('11. Errors');

const problem = (/** @type {number} */ status, /** @type {string} */ code) => ({
  status,
  body: {
    type: 'about:blank',
    title: aText,
    status,
    detail: aText,
    code,
    error: aText,
    retryable: (/** @type {unknown} */ it) => typeof it === 'boolean',
  },
});

const READY_WITHIN_MS = 10_000;

/** The status: a relay on a busy machine may be without its store for a moment, and says so. @param {import('../relay.mjs').Relay} relay */
async function readiness(relay) {
  const until = Date.now() + READY_WITHIN_MS;
  for (;;) {
    const { status } = await relay.call('GET', '/health/ready');
    if (status !== 503 || Date.now() > until) return status;
  }
}

export default [
  rest('/health says how it is', async ({ relay }) => {
    const numbers = { timestamp: anInteger, connections: anInteger, queuedMessages: anInteger };
    expect('/health', await relay.call('GET', '/health'), { status: 200, body: { status: 'ok', ...numbers } });
    expect('/health/live', await relay.call('GET', '/health/live'), { status: 200, body: { status: 'ok' } });
    expect('/health/ready', await readiness(relay), 200);
  }),
  rest('/.well-known/relay is for any origin, and every link leads somewhere', async ({ relay }) => {
    const { headers } = await relay.call('GET', '/.well-known/relay', { headers: { origin: 'https://any.example' } });
    expect('CORS', headers.get('access-control-allow-origin'), '*');
    expect('Cache-Control', headers.get('cache-control'), /max-age=/);
    for (const path of Object.values(relay.facts.links)) {
      const { status, headers: more } = await relay.call('GET', path);
      expect(path, status === 200 || more.has('location'), true);
    }
  }),
  rest('messages: what waits is listed and counted, read without removal, and cleared', async (world) => {
    const [alice, bob] = [world.person(), world.person()];
    await (await bob.join()).close();
    const a = await alice.join();
    for (const messageId of ['1', '2', '3']) a.send(world.message(bob.address, { messageId }));
    await a.count('queued', 3);
    const { token } = bob;
    const path = `/api/messages/${bob.address}`;
    const call = (/** @type {string} */ method, /** @type {string} */ more = '') =>
      world.relay.call(method, path + more, { token });
    const first = await call('GET', '?limit=2');
    const entry = { from: alice.address, content: 'ciphertext', timestamp: anInteger, queuedAt: anInteger, id: aText };
    expect('a page', first, {
      status: 200,
      body: { count: 2, messages: [{ messageId: '1', ...entry }, { messageId: '2' }], next: aText },
    });
    const rest = await call('GET', `?limit=2&after=${first.body.next}`);
    expect('the next page', rest.body, { messages: [{ messageId: '3' }], next: null });
    expect('its size', (await call('GET', '/queue-size')).body, { address: bob.address, queueSize: 3 });
    expect('up to', (await call('DELETE', `?upTo=${first.body.messages[0].id}`)).body, { cleared: 1 });
    await a.get('delivered', { messageId: '1' });
    expect('all', (await call('DELETE')).body, { cleared: 2 });
    expect('its size then', (await call('GET', '/queue-size')).body, { queueSize: 0 });
  }),
  rest('status: one and many, and a hidden address is offline', async (world) => {
    const { alice, bob, b } = await world.pair();
    const { token } = alice;
    const status = () => world.relay.call('GET', `/api/status/${bob.address}`, { token });
    expect('online', await status(), {
      status: 200,
      body: { address: bob.address, online: true, timestamp: anInteger },
    });
    const body = { addresses: [bob.address, alice.address] };
    const { body: many } = await world.relay.call('POST', '/api/status/batch', { token, body });
    expect('many', many, { statuses: { [bob.address]: true, [alice.address]: true } });
    b.send({ type: 'set_presence', visible: false });
    await b.settled();
    expect('hidden', (await status()).body, { online: false });
    b.send({ type: 'set_presence', visible: true });
  }),
  rest('tells its limits in headers on every answer under /api', async ({ relay }) => {
    const { headers } = await relay.call('GET', '/api/public-keys/0xab');
    const told = ['limit', 'remaining', 'reset'].map((name) => /^\d+$/.test(headers.get(`ratelimit-${name}`) ?? ''));
    expect('RateLimit-Limit, -Remaining, -Reset', told, [true, true, true]);
  }),
  rest(
    'owner and signed in: no token 401, a wrong one 401, somebody else’s 403',
    async (world) => {
      const [alice, bob] = [world.person(), world.person()];
      await bob.join();
      const path = `/api/messages/${alice.address}`;
      expect('nobody', await world.relay.call('GET', path), problem(401, 'auth_required'));
      expect('a wrong token', await world.relay.call('GET', path, { token: 'rs_wrong' }), problem(401, 'auth_failed'));
      expect('somebody else', await world.relay.call('GET', path, { token: bob.token }), problem(403, 'forbidden'));
      expect(
        'not signed in',
        await world.relay.call('GET', `/api/status/${alice.address}`),
        problem(401, 'auth_required'),
      );
    },
    { needs: [isSigned] },
  ),

  errors('what is wrong with a request is a problem (RFC 9457) with `code` and `error`', async ({ relay }) => {
    const headers = { 'content-type': 'text/plain' };
    expect(
      'not JSON',
      await relay.call('POST', '/api/status/batch', { body: '{}', headers }),
      problem(415, 'unsupported'),
    );
    expect(
      'broken JSON',
      await relay.call('POST', '/api/public-keys/batch', { body: '{' }),
      problem(400, 'bad_message'),
    );
    const wrong = await relay.call('POST', '/api/public-keys/batch', { body: { addresses: ['bob'] } });
    expect('a wrong member', wrong, problem(400, 'bad_message'));
    expect('which', wrong.body.errors?.[0]?.field, 'addresses');
    expect('an unknown path', await relay.call('GET', '/api/nowhere'), problem(404, 'not_found'));
    const method = await relay.call('PATCH', '/health');
    expect('another method', method, problem(405, 'unsupported'));
    expect('Allow', method.headers.get('allow'), /GET/);
  }),

  keys('unsigned keys are put, read, found in a batch, and deleted', async (world) => {
    const person = world.person();
    await person.join();
    const { address, token } = person;
    const path = `/api/public-keys/${address}`;
    expect('none', await world.relay.call('GET', path), {
      status: 404,
      body: { error: 'Public key not found for this address' },
    });
    const put = await world.relay.call('POST', '/api/public-keys', { token, body: { address, publicKey: 'a key' } });
    try {
      expect('put', put, { status: 200, body: { success: true, address, updatedAt: anInteger } });
      expect('HEAD', (await world.relay.call('HEAD', path)).status, 200);
      expect('read', (await world.relay.call('GET', path)).body, { address, publicKey: 'a key', createdAt: anInteger });
      const body = { addresses: [address, `0x${'1'.repeat(40)}`] };
      const batch = await world.relay.call('POST', '/api/public-keys/batch', { body });
      expect('batch', batch.body, { count: 1, keys: { [address]: { publicKey: 'a key' } } });
    } finally {
      expect('deleted', (await world.relay.call('DELETE', path, { token })).body, { success: true });
    }
    expect('gone', (await world.relay.call('HEAD', path)).status, 404);
  }),
  keys(
    'a signed key is its address’s own: verified, rising, never unsigned again, and its owner is told',
    async (world) => {
      const person = world.person();
      const peer = await person.prove();
      const { address, token } = person;
      const put = (/** @type {number} */ version, /** @type {string} */ publicKey, signer = person) => {
        const signature = signer.key.sign(`key-${world.facts.auth.domain}-${address}-${version}-${publicKey}`);
        const body = { address, publicKey, version, scheme: 'idena', signature };
        return world.relay.call('POST', '/api/public-keys', { token, body });
      };
      try {
        expect('of a stranger', await put(2, 'k', world.person()), problem(401, 'auth_failed'));
        expect('of its owner', await put(2, 'k'), { status: 200 });
        await peer.get('key_changed', { address, version: 2, updatedAt: anInteger });
        expect('once more', (await put(2, 'k')).status, 200);
        expect('an older one', await put(1, 'old'), problem(409, 'id_conflict'));
        const body = { address, publicKey: 'unsigned' };
        expect(
          'unsigned',
          await world.relay.call('POST', '/api/public-keys', { token, body }),
          problem(403, 'downgrade_refused'),
        );
        const { body: read } = await world.relay.call('GET', `/api/public-keys/${address}`);
        expect('read', read, { publicKey: 'k', version: 2, scheme: 'idena', signature: /^0x[0-9a-f]{130}$/ });
      } finally {
        await world.relay.call('DELETE', `/api/public-keys/${address}`, { token });
      }
    },
    { needs: [canSignIn, has('signedKeys')] },
  ),

  devices(
    'are listed, and ended: the session is over and what it has open is closed with 4440',
    async (world) => {
      const person = world.person();
      await person.prove('phone');
      const { token } = person;
      const tablet = await person.prove('tablet');
      const { body } = await world.relay.call('GET', '/api/devices', { token });
      const byName = Object.fromEntries(body.devices.map((/** @type {any} */ device) => [device.deviceId, device]));
      expect(
        'the list',
        [body.address, body.count, byName],
        [person.address, 2, { phone: { current: true, online: true }, tablet: { current: false, online: true } }],
      );
      expect('ended', await world.relay.call('DELETE', '/api/devices/tablet', { token }), {
        status: 200,
        body: { deviceId: 'tablet' },
      });
      await tablet.closed(4440);
      expect(
        'its token',
        await world.relay.call('GET', '/api/devices', { token: person.tokens.get('tablet') ?? '' }),
        problem(401, 'auth_failed'),
      );
      expect(
        'none of that name',
        await world.relay.call('DELETE', '/api/devices/tablet', { token }),
        problem(404, 'not_found'),
      );
      person.devices.delete('tablet');
    },
    { needs: [canSignIn] },
  ),

  idena(
    'start, authenticate, ask whose it is, log out: always 200',
    async (world) => {
      const { key, address } = world.person();
      const token = `suite-${key.address}`;
      const post = (/** @type {string} */ path, /** @type {object} */ body) =>
        world.relay.call('POST', `/auth/v1/${path}`, { body });
      const failed = (/** @type {string} */ error) => ({ status: 200, body: { success: false, error } });
      const done = (/** @type {object} */ data) => ({ status: 200, body: { success: true, data } });
      const account = () => world.relay.call('GET', `/auth/v1/get-account?token=${token}`);
      expect('before', await account(), failed('no data found'));
      const started = await post('start-session', { token, address });
      expect('started', started, done({ nonce: aText }));
      expect('started twice', await post('start-session', { token, address }), failed('duplicate token'));
      expect('a wrong proof', await post('authenticate', { token, signature: '0x00' }), done({ authenticated: false }));
      const signature = key.sign(started.body.data.nonce);
      expect('the proof', await post('authenticate', { token, signature }), done({ authenticated: true }));
      expect('whose it is', await account(), done({ address }));
      expect('logged out', await post('logout', { token }), done({ loggedout: true }));
      expect('after', await account(), failed('no data found'));
    },
    { needs: [canSignIn] },
  ),

  blocked(
    'is answered as by somebody who is offline, and reaches nobody',
    async (world) => {
      const { alice, bob, a, b } = await world.pair();
      const { token } = bob;
      const path = `/api/blocks/${alice.address}?owner=${bob.address}`;
      expect('blocked', await world.relay.call('PUT', path, { token }), { status: 200, body: { success: true } });
      try {
        const { body } = await world.relay.call('GET', `/api/blocks?owner=${bob.address}`, { token });
        expect('the list', body, { count: 1, addresses: [alice.address] });
        a.send(world.message(bob.address, { messageId: 'b' }));
        a.send({ type: 'typing', to: bob.address, isTyping: true });
        await a.get('queued', { messageId: 'b' });
        await a.settled();
        await b.none('message');
        await b.none('typing');
      } finally {
        expect('unblocked', (await world.relay.call('DELETE', path, { token })).status, 200);
      }
      a.send(world.message(bob.address, { messageId: 'after' }));
      await b.get('message', { messageId: 'after' });
      await b.settled();
      expect('what came', b.messageIds, ['after']);
    },
    { versions: BOTH },
  ),
];
