import type { Address } from '@relay/protocol';
import type { AddressDto, BansDto, OverviewDto } from '../../src/admin/admin.dto.js';
import { SessionRepository } from '../../src/auth/session.repository.js';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import { type Answer, call, expectProblem } from '../support/http-call.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RunningRelay, startRelay } from '../support/relay.js';
import { SignedDevice } from '../support/signed-device.js';
import { SigningKey } from '../support/signing.js';

const ALICE = addressOf(1) as Address;
const BOB = addressOf(2) as Address;
const CAROL = addressOf(3) as Address;
const ADMIN_TOKEN = 'the-admin-token-of-this-test-0123456789';

describe('an operator', () => {
  let relay: RunningRelay;
  let clock: ManualClock;

  async function start(env: Record<string, string> = {}): Promise<void> {
    clock = new ManualClock();
    relay = await startRelay({ clock, env: { ADMIN_TOKEN, ...env } });
  }

  function ask(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer> {
    const all = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json', ...headers };
    return call(relay.port, {
      method,
      path: `/admin/api${path}`,
      headers: all,
      body: body && JSON.stringify(body),
    });
  }

  async function read<T>(path: string): Promise<T> {
    const { status, text } = await ask('GET', path);
    expect([path, status]).toEqual([path, 200]);
    return JSON.parse(text) as T;
  }

  const overview = () => read<OverviewDto>('/overview');
  const issue = async (address: Address, device: string) =>
    (await relay.app.get(SessionRepository).create(address, device)).token;
  const asUser = (token: string, path: string) =>
    call(relay.port, { path, headers: { authorization: `Bearer ${token}` } });
  const logged = () =>
    relay
      .log()
      .split('\n')
      .filter((line) => line.includes('admin call'))
      .map((line) => JSON.parse(line) as { route: string; outcome: unknown; by: string; network: string });

  describe('where there is none', () => {
    beforeEach(() => start({ ADMIN_TOKEN: '', AUTH_MODE: 'open' }));
    afterEach(() => relay.stop());

    it('leaves no page and no call to find, not even where everybody is believed', async () => {
      for (const path of ['/admin', '/admin/', '/admin/assets/index.js', '/admin/api/overview', '/admin/api/bans']) {
        expectProblem(await call(relay.port, { path }), 404, 'not_found');
      }
      expectProblem(await ask('PUT', `/bans/${ALICE}`, {}), 404, 'not_found');
      await (await relay.signIn(ALICE)).settled();
    });
  });

  describe('sees', () => {
    beforeEach(() => start());
    afterEach(() => relay.stop());

    it('a relay that has just begun', async () => {
      const { nodes, ...rest } = await overview();
      expect(rest).toMatchObject({ bans: 0, maxMessages: 1000, ledger: { accepted: 0, pending: 0 } });
      expect(nodes).toMatchObject([{ state: 'up', isThis: true, isAway: false, connections: { classic: 0 } }]);
    });

    it('connections, rates and the ledger, as they move', async () => {
      const alice = await relay.signIn(ALICE);
      await Device.open(relay.wsUrl, BOB, 'phone');
      await ClassicClient.connect(relay.wsUrl);
      for (let i = 0; i < 30; i++) alice.message(i < 20 ? BOB : CAROL, `m${i}`);
      await alice.waitForCount('delivered', 20);
      await alice.waitForCount('queued', 10);
      clock.advance(2_000);
      await relay.run('tell operators');
      const { nodes, ledger, at } = await overview();
      expect(ledger).toMatchObject({ accepted: 30, acknowledged: 20, pending: 10, mailboxes: 1 });
      expect(nodes).toHaveLength(1);
      const [node] = nodes;
      expect(node).toMatchObject({
        connections: { pending: 1, classic: 1, v2: 1 },
        rates: { stored: 15, delivered: 10, refused: 0, opened: 1.5, signIns: 1 },
        history: { stored: [15], delivered: [10], connections: [3] },
        store: { ok: true },
        silentMs: 0,
      });
      expect(at - node!.startedAt).toBeGreaterThanOrEqual(2_000);
      expect(node!.process.rssBytes).toBeGreaterThan(10e6);
    });

    it('the fullest mailboxes, and those that have waited longest', async () => {
      const carol = await relay.signIn(CAROL);
      carol.message(ALICE, 'old');
      await carol.waitFor('queued');
      clock.advance(60_000);
      for (let i = 0; i < 5; i++) carol.message(BOB, `m${i}`);
      await carol.waitForCount('queued', 6);
      const { mailboxes } = await overview();
      expect(mailboxes?.fullest).toMatchObject([
        { address: BOB, messages: 5 },
        { address: ALICE, messages: 1, bytes: 14 },
      ]);
      expect(mailboxes?.slowest.map(({ address }) => address)).toEqual([ALICE, BOB]);
      expect(mailboxes!.slowest[1]!.oldestAt! - mailboxes!.slowest[0]!.oldestAt!).toBeGreaterThanOrEqual(60_000);
      expect(mailboxes).toMatchObject({ of: 2, ageMs: 0 });
    });

    it('one address: its devices, what waits, its lists, its key', async () => {
      const empty = await read<AddressDto>(`/addresses/${ALICE}`);
      expect(empty).toEqual({
        address: ALICE,
        ban: null,
        hasSignedIn: false,
        waiting: { address: ALICE, messages: 0, bytes: 0, oldestAt: null },
        devices: [],
        blocks: 0,
        allows: 0,
        key: null,
      });
      const alice = await Device.open(relay.wsUrl, ALICE, 'phone');
      await call(relay.port, { method: 'PUT', path: `/api/blocks/${CAROL}?owner=${ALICE}` });
      const body = JSON.stringify({ address: ALICE, publicKey: 'key' });
      const headers = { 'content-type': 'application/json' };
      await call(relay.port, { method: 'POST', path: '/api/public-keys', headers, body });
      await alice.client.close();
      (await relay.signIn(BOB)).message(ALICE, 'm1');
      await issue(ALICE, 'laptop');
      await expect(read<AddressDto>(`/addresses/${ALICE.toUpperCase().replace('0X', '0x')}`)).resolves.toMatchObject({
        hasSignedIn: true,
        blocks: 1,
        allows: 0,
        key: { version: null },
        devices: [
          { deviceId: 'laptop', online: false, pending: null, session: { createdAt: expect.any(Number) as number } },
          { deviceId: 'phone', online: false, session: null },
        ],
      });
      expectProblem(await ask('GET', '/addresses/0x12'), 400, 'bad_message');
    });

    it('is written down: what an operator does each time, what a page asks again and again once in ten minutes', async () => {
      const since = logged().length;
      for (let i = 0; i < 5; i++) await overview();
      await read(`/addresses/${ALICE}`);
      await read(`/addresses/${BOB}`);
      for (let i = 0; i < 2; i++) await ask('PUT', `/bans/${ALICE}`, {});
      const routes = () =>
        logged()
          .slice(since)
          .map(({ route, outcome }) => `${route} ${String(outcome)}`);
      expect(routes()).toEqual([
        'GET /admin/api/overview 200',
        'GET /admin/api/addresses/:address 200',
        'GET /admin/api/addresses/:address 200',
        'PUT /admin/api/bans/:address 200',
        'PUT /admin/api/bans/:address 200',
      ]);
      clock.advance(600_000);
      await overview();
      await ask('GET', '/overview', undefined, { authorization: 'Bearer wrong' });
      await ask('GET', '/overview', undefined, { authorization: 'Bearer wrong' });
      expect(routes().slice(5)).toEqual([
        'GET /admin/api/overview 200',
        'GET /admin/api/overview 401',
        'GET /admin/api/overview 401',
      ]);
      expect(relay.log()).not.toContain(ADMIN_TOKEN);
    });
  });

  describe('ends sessions', () => {
    beforeEach(() => start());
    afterEach(() => relay.stop());

    it('of an address, all of them, with what is open; its mail stays', async () => {
      (await relay.signIn(BOB)).message(ALICE, 'm1');
      const tokens = [await issue(ALICE, 'phone'), await issue(ALICE, 'laptop')];
      const phone = await ClassicClient.connect(relay.wsUrl);
      phone.send({ type: 'hello', v: 2, address: ALICE, deviceId: 'phone', token: tokens[0] });
      await phone.waitFor('message');
      const { status, text } = await ask('DELETE', `/addresses/${ALICE}/sessions`);
      expect([status, JSON.parse(text)]).toEqual([200, { address: ALICE, sessions: 2, devices: 1 }]);
      expect(await phone.closed()).toBe(4440);
      for (const token of tokens) expectProblem(await asUser(token, '/api/devices'), 401, 'auth_failed');
      expect((await read<AddressDto>(`/addresses/${ALICE}`)).waiting).toMatchObject({ messages: 1 });
    });

    it('of one device, and no other', async () => {
      await Device.open(relay.wsUrl, ALICE, 'phone');
      const lost = await Device.open(relay.wsUrl, ALICE, 'lost');
      expect((await ask('DELETE', `/addresses/${ALICE}/devices/lost`)).status).toBe(200);
      expect(await lost.client.closed()).toBe(4440);
      const { devices } = await read<AddressDto>(`/addresses/${ALICE}`);
      expect(devices).toMatchObject([{ deviceId: 'phone', online: true }]);
      expectProblem(await ask('DELETE', `/addresses/${ALICE}/devices/lost`), 404, 'not_found');
    });
  });

  describe('bans an address', () => {
    afterEach(() => relay.stop());

    it('which only whoever has its key is told of, where nobody is believed', async () => {
      await start({ AUTH_MODE: 'signed', PUBLIC_DOMAIN: 'relay.example' });
      const key = SigningKey.of(1);
      const { token } = await SignedDevice.signIn(relay.wsUrl, key);
      await ask('PUT', `/bans/${key.address}`, {});
      const device = await SignedDevice.connect(relay.wsUrl, key);
      device.hello();
      const nonce = await device.nonce();
      const stranger = await SignedDevice.connect(relay.wsUrl, key, 'other');
      stranger.hello({ token: 'rs_x' });
      stranger.answer(await stranger.nonce(), { signature: SigningKey.of(2).sign('x') });
      expect(await stranger.refusal()).toEqual(['auth_failed', 4401]);
      device.answer(nonce);
      expect(await device.refusal()).toEqual(['forbidden', 4403]);
      const resumed = await SignedDevice.connect(relay.wsUrl, key);
      resumed.hello({ token });
      expect(await resumed.refusal()).toEqual(['forbidden', 4403]);
      const { status } = await call(relay.port, { path: `/api/messages/${key.address}` });
      expect(status).toBe((await call(relay.port, { path: `/api/messages/${ALICE}` })).status);
    });

    it('whose calls a stranger tries many times, which fills no log', async () => {
      await start({ AUTH_MODE: 'signed', PUBLIC_DOMAIN: 'relay.example', TRUST_PROXY: '1' });
      const tries = async (): Promise<number> => {
        const headers = { 'x-forwarded-for': '10.0.0.7' };
        return (await call(relay.port, { path: '/admin/api/overview', headers })).status;
      };
      const statuses = [];
      for (let n = 0; n < 70; n++) statuses.push(await tries());
      expect([statuses[0], statuses.at(-1)]).toEqual([401, 429]);
      const lines = () => relay.log().split('admin call').length - 1;
      const before = lines();
      for (let n = 0; n < 20; n++) await tries();
      expect(lines()).toBe(before);
      expect((await ask('GET', '/overview', undefined, { 'x-forwarded-for': '10.0.0.8' })).status).toBe(200);
    });

    it('which is closed, and refused wherever it comes in', async () => {
      await start({ AUTH_MODE: 'open' });
      const token = await issue(BOB, 'phone');
      const [alice, carol] = [await relay.signIn(ALICE), await relay.signIn(CAROL)];
      const { status, text } = await ask('PUT', `/bans/${ALICE}`, { note: 'spam\n\u001b[31m all day ' });
      expect([status, JSON.parse(text)]).toEqual([200, { address: ALICE, banned: true, changed: true }]);
      expect(await alice.waitFor('error')).toMatchObject({ code: 'forbidden', retryable: false });
      expect(await alice.closed()).toBe(4403);

      for (const opening of [
        { type: 'auth', address: ALICE },
        { type: 'hello', v: 2, address: ALICE, deviceId: 'phone' },
      ]) {
        const client = await ClassicClient.connect(relay.wsUrl);
        client.send(opening);
        expect(await client.waitFor('error')).toMatchObject({ code: 'forbidden' });
        expect(await client.closed()).toBe(4403);
      }
      expectProblem(await call(relay.port, { path: `/api/messages/${ALICE}` }), 403, 'forbidden');

      await ask('PUT', `/bans/${BOB}`, {});
      expectProblem(await asUser(token, '/api/devices'), 403, 'forbidden');
      expect(await read<BansDto>('/bans')).toMatchObject({
        count: 2,
        bans: [
          { address: ALICE, note: 'spam [31m all day' },
          { address: BOB, note: '' },
        ],
      });
      expect((await overview()).bans).toBe(2);
      expect((await read<AddressDto>(`/addresses/${ALICE}`)).ban).toMatchObject({ note: 'spam [31m all day' });

      // Who is not banned notices nothing, and may still write to who is.
      carol.message(ALICE, 'm1');
      expect(await carol.waitFor('queued')).toMatchObject({ messageId: 'm1' });
    });

    it('and lets it in again, with the sessions that it had', async () => {
      await start();
      const token = await issue(ALICE, 'phone');
      await ask('PUT', `/bans/${ALICE}`, {});
      expectProblem(await asUser(token, '/api/devices'), 403, 'forbidden');
      const { text } = await ask('DELETE', `/bans/${ALICE}`);
      expect(JSON.parse(text)).toEqual({ address: ALICE, banned: false, changed: true });
      expect((await asUser(token, '/api/devices')).status).toBe(200);
      expect(JSON.parse((await ask('DELETE', `/bans/${ALICE}`)).text)).toMatchObject({ changed: false });
    });

    it('with a note that fits, and for an address that is one', async () => {
      await start();
      expectProblem(await ask('PUT', `/bans/${ALICE}`, { note: 'x'.repeat(201) }), 400, 'bad_message');
      expectProblem(await ask('PUT', `/bans/${ALICE}`, { note: 7 }), 400, 'bad_message');
      expectProblem(await ask('PUT', '/bans/alice', {}), 400, 'bad_message');
      expect((await call(relay.port, { path: '/health' })).status).toBe(200);
      const { status, text } = await call(relay.port, {
        method: 'PUT',
        path: `/admin/api/bans/${BOB}`,
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      });
      expect([status, text]).toEqual([200, expect.anything()]);
    });
  });

  describe('drains a node', () => {
    beforeEach(() => start());
    afterEach(() => relay.stop());

    it('which sends its clients away, lets nobody in, stays, and can be resumed', async () => {
      const alice = await relay.signIn(ALICE);
      const [{ node } = { node: '' }] = (await overview()).nodes;
      const { status, text } = await ask('PUT', `/nodes/${node}/drain`);
      expect([status, JSON.parse(text)]).toEqual([200, { node, order: 'drain' }]);
      await alice.waitFor('going_away');
      expect(await alice.closed()).toBe(1012);
      await expect(relay.signIn(ALICE)).rejects.toThrow('503');
      expect((await call(relay.port, { path: '/health/ready' })).status).toBe(503);
      expect((await call(relay.port, { path: '/health/live' })).status).toBe(200);
      await relay.run('tell operators');
      expect((await overview()).nodes).toMatchObject([{ node, state: 'drained', connections: { classic: 0 } }]);

      expect((await ask('DELETE', `/nodes/${node}/drain`)).status).toBe(200);
      await (await relay.signIn(ALICE)).settled();
      await relay.run('tell operators');
      expect((await overview()).nodes).toMatchObject([{ state: 'up', connections: { classic: 1 } }]);
      expect((await call(relay.port, { path: '/health/ready' })).status).toBe(200);
    });

    it('only one that there is', async () => {
      for (const node of ['nobody', '__proto__', 'r%3Ax', '%7Bx%7D']) {
        expectProblem(await ask('PUT', `/nodes/${node}/drain`), 404, 'not_found');
      }
    });
  });

  describe('is kept apart from who only says to be one', () => {
    afterEach(() => relay.stop());

    it('by a bound of wrong tokens from one network, beyond which the right one is still let in, and no other', async () => {
      await start({ TRUST_PROXY: '1' });
      const from = (network: string, token: string) =>
        ask('GET', '/overview', undefined, { 'x-forwarded-for': network, authorization: `Bearer ${token}` });
      for (let i = 0; i < 60; i++) expectProblem(await from('10.0.0.1', `wrong${i}`), 401, 'auth_failed');
      expectProblem(await from('10.0.0.1', 'wrong'), 429, 'rate_limited');
      expect((await from('10.0.0.1', ADMIN_TOKEN)).status).toBe(200);
      // Which gives nobody else there another try.
      for (const near of [ADMIN_TOKEN.slice(0, -1), `${ADMIN_TOKEN}0`, ADMIN_TOKEN.toUpperCase()]) {
        expectProblem(await from('10.0.0.1', near), 429, 'rate_limited');
      }
      const stats = {
        path: '/api/messages/stats/all',
        headers: { 'x-forwarded-for': '10.0.0.1', authorization: 'Bearer x' },
      };
      expectProblem(await call(relay.port, stats), 429, 'rate_limited');
      expect((await from('10.0.0.2', ADMIN_TOKEN)).status).toBe(200);
    });

    it('by a token in the header, not by where a page comes from: its own origin need not be listed', async () => {
      await start({ ALLOWED_ORIGINS: 'https://app.example' });
      const origin = `http://127.0.0.1:${relay.port}`;
      expect((await ask('PUT', `/bans/${ALICE}`, {}, { origin })).status).toBe(200);
      const { headers } = await ask('GET', '/overview', undefined, { origin: 'https://evil.example' });
      expect(headers['access-control-allow-origin']).not.toBe('*');
      expect(headers['access-control-allow-origin']).not.toBe('https://evil.example');
      const path = `/admin/api/bans/${BOB}`;
      expectProblem(await call(relay.port, { method: 'PUT', path, headers: { origin } }), 401, 'auth_required');
    });
  });
});
