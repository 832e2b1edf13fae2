import { absent, anInteger, aText, expect } from '../expect.mjs';
import { casesOf, canSignIn, isOpen, isSigned } from './case.mjs';

const it = casesOf('4. Opening');
const v2 = casesOf('4. Opening › Version 2');
const signing = casesOf('4. Opening › Signing in');

/** @param {import('./case.mjs').World} world @param {object} frame */
async function refused(world, frame) {
  const peer = await world.person().connect();
  peer.send(frame);
  const error = await peer.get('error');
  await peer.closed(error.code === 'downgrade_refused' ? 4403 : 4401);
  return error;
}

export default [
  it('refuses any other first frame', async (world) => {
    const error = await refused(world, { type: 'ping' });
    expect('the error', error, { code: 'auth_required', message: 'Authentication required', retryable: false });
  }),
  it('refuses an address that is none', async (world) => {
    for (const address of ['0x12', `0x${'0'.repeat(40)}`, 7]) {
      expect('the error', await refused(world, { type: 'auth', address }), { code: 'auth_failed' });
    }
  }),
  it('closes whoever says nothing for 5 s with 4408', async (world) => {
    const peer = await world.person().connect();
    await peer.closed(4408, (world.facts.limits.signInWithinMs ?? 5_000) + 4_000);
  }),
  it(
    'answers in lower case, and takes any',
    async (world) => {
      const { address } = world.person();
      const peer = await world.person().connect();
      peer.send({ type: 'auth', address: `0x${address.slice(2).toUpperCase()}` });
      await peer.get('auth_success', { address });
    },
    { versions: [1], needs: [isOpen] },
  ),
  it(
    'takes a second `auth` for a bad message, and stays',
    async (world) => {
      const person = world.person();
      const peer = await person.join();
      peer.send({ type: 'auth', address: person.address });
      await peer.get('error', { code: 'bad_message' });
      await peer.settled();
    },
    { versions: [1] },
  ),
  it(
    'handles what was sent right behind the opening, after it and in order',
    async (world) => {
      const person = world.person();
      const peer = await person.connect();
      person.devices.add('classic');
      peer.send({ type: 'auth', address: person.address });
      for (let i = 0; i < 5; i++) peer.send(world.message(person.address, { messageId: `p${i}` }));
      await peer.count('message', 5);
      expect('the first frame', peer.frames[0]?.type, 'auth_success');
      expect('the order', peer.messageIds, ['p0', 'p1', 'p2', 'p3', 'p4']);
    },
    { versions: [1] },
  ),
  it(
    'lets several connections of one address live side by side, and each gets everything',
    async (world) => {
      const { bob, a, b } = await world.pair();
      const second = await bob.join();
      a.send(world.message(bob.address, { messageId: 'both' }));
      await Promise.all([b.get('message', { messageId: 'both' }), second.get('message', { messageId: 'both' })]);
    },
    { versions: [1] },
  ),

  v2('says everything that `auth_success` has to say, and syncs', async (world) => {
    const person = world.person();
    const peer = await person.join({ deviceId: 'phone-1', window: 3 });
    const { maxFrameBytes, maxOfflineMessages, retentionHours } = world.facts.limits;
    expect('the welcome', peer.all('auth_success')[0], {
      address: person.address,
      timestamp: anInteger,
      v: 2,
      deviceId: 'phone-1',
      sessionId: aText,
      limits: { maxFrameBytes, maxOfflineMessages, retentionHours, window: 3 },
      pending: 0,
    });
    await peer.get('sync_complete', { upTo: null });
  }),
  v2('refuses a `hello` that is wrong in any part', async (world) => {
    const { address } = world.person();
    const hello = { type: 'hello', v: 2, address, deviceId: 'd1' };
    const wrong = [
      { v: 1 },
      { deviceId: 'classic' },
      { deviceId: 'a b' },
      { window: 0 },
      { window: 1025 },
      { token: 7 },
    ];
    const errors = await Promise.all(wrong.map((part) => refused(world, { ...hello, ...part })));
    for (const error of errors) expect('the error', error, { code: 'auth_failed', message: aText });
  }),
  v2('closes the older of two connections of one device with 4409', async (world) => {
    const person = world.person();
    const older = await person.join();
    const newer = await person.join();
    await older.closed(4409);
    await newer.settled();
  }),
  v2('gives each device everything, and a new one what is still kept', async (world) => {
    const { bob, a, b } = await world.pair();
    const tablet = await bob.join({ deviceId: 'tablet', acks: false });
    a.send(world.message(bob.address, { messageId: 'x' }));
    await b.get('message', { messageId: 'x' });
    await a.get('delivered', { messageId: 'x' });
    await tablet.get('message', { messageId: 'x' });
    tablet.kill();
    const again = await bob.join({ deviceId: 'tablet' });
    await again.get('message', { messageId: 'x', queued: true });
    const late = await bob.join({ deviceId: 'late' });
    await late.get('sync_complete');
  }),
  v2('counts what waits in `pending`, and says `sync_complete` once, behind it', async (world) => {
    const [alice, bob] = [world.person(), world.person()];
    await (await bob.join()).close();
    const a = await alice.join();
    for (const messageId of ['1', '2', '3']) a.send(world.message(bob.address, { messageId }));
    await a.count('queued', 3);
    const b = await bob.join();
    const { upTo } = await b.get('sync_complete');
    expect('pending', b.all('auth_success')[0], { pending: 3 });
    expect('what came', b.messageIds, ['1', '2', '3']);
    expect('upTo', upTo, b.all('message')[2]?.id);
    a.send(world.message(bob.address, { messageId: '4' }));
    await b.get('message', { messageId: '4', queued: absent });
    await b.settled();
    expect('sync_complete', b.all('sync_complete').length, 1);
  }),
  v2(
    'refuses one device too many with `forbidden` and 4403',
    async (world) => {
      const person = world.person();
      const most = world.facts.limits.maxDevicesPerAddress ?? 10;
      for (let i = 0; i < most; i++) await (await person.join({ deviceId: `d${i}` })).close();
      const peer = await person.connect();
      peer.send({ type: 'hello', v: 2, address: person.address, deviceId: 'more', token: person.token ?? undefined });
      await peer.until(() => peer.frames.length > 0, 'an answer');
      if (peer.frames[0]?.type === 'challenge') person.answer(peer);
      await peer.get('error', { code: 'forbidden' });
      await peer.closed(4403);
    },
    {
      needs: [
        (world) => ((world.facts.limits.maxDevicesPerAddress ?? 10) > 20 ? 'too many devices are allowed here' : null),
      ],
    },
  ),

  signing(
    'names this relay, the address and the time in the nonce',
    async (world) => {
      const person = world.person();
      const peer = await person.challenged();
      const { nonce, expiresAt } = peer.all('challenge')[0] ?? {};
      const [, domain, address, seconds] =
        /^relay:signin-([a-z0-9.:[\]-]+)-(0x[0-9a-f]{40})-(\d+)-[0-9a-f]{32}$/.exec(nonce) ?? [];
      expect('its parts', [domain, address], [world.facts.auth.domain, person.address]);
      expect('its time, as expiresAt says', Number(seconds) * 1000, expiresAt);
      person.answer(peer);
      await peer.get('auth_success', { token: aText, tokenExpiresAt: anInteger });
    },
    { needs: [canSignIn] },
  ),
  .../** @type {const} */ (['idena', 'idena-prefix', 'eip191']).map((scheme) =>
    signing(
      `takes a signature in the scheme ${scheme}, and in no other than the named one`,
      async (world) => {
        await world.person().prove('d1', scheme);
        const person = world.person();
        const peer = await person.challenged();
        const other = scheme === 'idena' ? 'eip191' : 'idena';
        const signature = person.key.sign(peer.all('challenge')[0]?.nonce, other);
        peer.send({ type: 'auth', address: person.address, scheme, signature });
        await peer.get('error', { code: 'auth_failed' });
        await peer.closed(4401);
      },
      { needs: [canSignIn] },
    ),
  ),
  signing(
    'refuses another key, another text and a malformed signature',
    async (world) => {
      const person = world.person();
      const stranger = world.person();
      const wrong = [
        (/** @type {string} */ nonce) => stranger.key.sign(nonce),
        (/** @type {string} */ nonce) => person.key.sign(`${nonce}0`),
        () => '0x00',
      ];
      for (const sign of wrong) {
        const peer = await person.challenged();
        const signature = sign(peer.all('challenge')[0]?.nonce);
        peer.send({ type: 'auth', address: person.address, scheme: 'idena', signature });
        await peer.get('error', { code: 'auth_failed' });
        await peer.closed(4401);
      }
      person.devices.clear();
    },
    { needs: [canSignIn] },
  ),
  signing(
    'refuses any other frame as the answer to a challenge',
    async (world) => {
      const person = world.person();
      const peer = await person.challenged();
      peer.send(world.message(person.address));
      await peer.get('error', { code: 'auth_required' });
      await peer.closed(4401);
      person.devices.clear();
    },
    { needs: [canSignIn] },
  ),
  signing(
    'opens the same device again with its token, and no other',
    async (world) => {
      const person = world.person();
      await (await person.prove('phone')).close();
      const again = await person.connect();
      const hello = { type: 'hello', v: 2, address: person.address, token: person.token };
      again.send({ ...hello, deviceId: 'phone' });
      await again.get('auth_success');
      expect('challenges', again.all('challenge').length, 0);
      const other = await person.connect();
      other.send({ ...hello, deviceId: 'tablet' });
      await other.get('challenge');
      const stale = await person.connect();
      stale.send({ ...hello, deviceId: 'phone', token: 'rs_stale' });
      await stale.get('challenge');
    },
    { needs: [canSignIn] },
  ),
  signing(
    'believes nobody without a proof once an address has signed in',
    async (world) => {
      const person = world.person();
      await (await person.prove('phone')).close();
      const error = await refused(world, { type: 'auth', address: person.address });
      expect('the error', error.code, 'downgrade_refused');
      const peer = await person.connect();
      peer.send({ type: 'hello', v: 2, address: person.address, deviceId: 'phone' });
      await peer.get('challenge');
    },
    { needs: [canSignIn] },
  ),
  signing(
    'asks everybody for a proof',
    async (world) => {
      const peer = await world.person().connect();
      peer.send({ type: 'hello', v: 2, address: world.person().address, deviceId: 'd1' });
      await peer.get('challenge');
    },
    { needs: [isSigned] },
  ),
];
