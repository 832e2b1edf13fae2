import { CLOSE_CODES } from '@relay/protocol';
import { KeyRepository } from '../../src/keys/key.repository.js';
import { jest } from '@jest/globals';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import { call } from '../support/http-call.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RunningRelay, startRelay } from '../support/relay.js';
import { RawWebSocket } from '../support/raw-web-socket.js';

const ALICE = addressOf(1);
const BOB = addressOf(2);
const ADMIN_TOKEN = 'a-token-of-more-than-32-characters';
const NAME = expect.stringMatching(/^addr:[0-9a-f]{16}$/) as string;
const NUMBER = expect.any(Number) as number;

type Line = Readonly<Record<string, unknown>> & { readonly msg: string; readonly level: number };

let relay: RunningRelay;
let clock: ManualClock;

async function start(env: Record<string, string> = {}): Promise<void> {
  clock = new ManualClock();
  relay = await startRelay({ env, clock });
}

beforeEach(() => start());
afterEach(() => relay.stop());

const linesOf = (msg: string): Line[] =>
  relay
    .log()
    .split('\n')
    .filter((line) => line.includes(`"msg":"${msg}"`))
    .map((line) => JSON.parse(line) as Line);

/** The next one that is logged: a close frame is on its way before the line is written. */
async function nextEnd(before = 0): Promise<Line> {
  for (;;) {
    const lines = linesOf('connection ended');
    if (lines.length > before) return lines[before]!;
    await new Promise(setImmediate);
  }
}

describe('a connection that ended', () => {
  it('leaves one line: who, what it spoke, how it came in, why, how long, how much', async () => {
    const alice = await relay.signIn(ALICE);
    const bob = await Device.open(relay.wsUrl, BOB, 'phone');
    for (const id of ['m1', 'm2', 'm3']) {
      alice.message(BOB, id, { content: 'x'.repeat(500) });
      await alice.waitFor('delivered', { messageId: id });
    }
    clock.advance(12_340);
    await alice.close();
    await alice.closed();
    const end = await nextEnd();
    expect(end).toEqual({
      level: 30,
      time: expect.any(String) as string,
      msg: 'connection ended',
      connection: expect.stringMatching(/^[\w-]{8}-\d+$/) as string,
      address: NAME,
      protocol: 'classic',
      signIn: 'believed',
      code: expect.any(Number) as number,
      by: 'client',
      reason: 'closed',
      seconds: 12.3,
      framesIn: 4,
      framesOut: 4,
      acknowledged: 0,
      bytesIn: NUMBER,
      bytesOut: NUMBER,
    });
    expect(end.bytesIn).toBeGreaterThan(1_500);
    await bob.client.close();
    await bob.client.closed();
    const other = await nextEnd(1);
    expect(other).toMatchObject({ protocol: 'v2', acknowledged: 3, address: NAME });
    expect(other.bytesOut).toBeGreaterThan(1_500);
    expect(other.address).not.toBe(end.address);
  });

  it('says which of ours ended it', async () => {
    const first = await Device.open(relay.wsUrl, BOB, 'phone');
    await Device.open(relay.wsUrl, BOB, 'phone');
    expect(await first.client.closed()).toBe(4409);
    expect(await nextEnd()).toMatchObject({ code: 4409, by: 'relay', reason: CLOSE_CODES[4409].reason });
    const rude = await relay.signIn(ALICE);
    for (let i = 0; i < 5; i++) rude.sendText('nonsense');
    await rude.closed();
    expect(await nextEnd(1)).toMatchObject({ code: 4400, by: 'relay', reason: CLOSE_CODES[4400].reason, framesIn: 6 });
  });

  it('says that its client broke the protocol, lost the link, or answered nothing', async () => {
    const broken = await RawWebSocket.signIn(relay.port, addressOf(3));
    broken.write(Buffer.from([0xff, 0xff, 0xff]));
    await broken.closed();
    expect(await nextEnd()).toMatchObject({ by: 'relay', reason: CLOSE_CODES[1002].reason });
    broken.destroy();
    const lost = await RawWebSocket.signIn(relay.port, addressOf(4));
    lost.destroy();
    expect(await nextEnd(1)).toMatchObject({ by: 'link', reason: 'lost', code: 1006 });
    const silent = await RawWebSocket.signIn(relay.port, addressOf(5));
    for (let i = 0; i < 80; i++) {
      clock.advance(500);
      await relay.run('watch connections');
    }
    expect(await nextEnd(2)).toMatchObject({ by: 'relay', reason: 'no answer', code: 1006, address: NAME });
    silent.destroy();
  });

  it('is a line at debug level where nobody had signed in', async () => {
    const stranger = await ClassicClient.connect(relay.wsUrl);
    stranger.send({ type: 'message' });
    await stranger.closed();
    const end = await nextEnd();
    expect(end).toMatchObject({ level: 20, protocol: 'pending', code: 4401, by: 'relay', framesIn: 1 });
    expect(end).not.toHaveProperty('address');
    expect(end).not.toHaveProperty('signIn');
  });

  it('has the name that its proxy gave to the upgrade', async () => {
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    for (const [id, expected] of [
      ['0123456789abcdef0123456789abcdef', '0123456789abcdef0123456789abcdef'],
      ['too-short', undefined],
    ] as const) {
      const before = linesOf('connection ended').length;
      await call(relay.port, { path: '/', headers: { ...upgrade, 'x-request-id': id } });
      expect((await nextEnd(before)).request).toBe(expected);
    }
  });

  it('has its address where the operator wants that, and the same name on each node of one deployment', async () => {
    const ends: unknown[] = [];
    for (const env of [{ LOG_ADDRESSES: 'true' }, { ADMIN_TOKEN }, { ADMIN_TOKEN }, {}, {}]) {
      await relay.stop();
      await start(env);
      const alice = await relay.signIn(ALICE);
      await alice.close();
      await alice.closed();
      ends.push((await nextEnd()).address);
    }
    expect(ends).toEqual([ALICE, NAME, NAME, NAME, NAME]);
    expect(ends[1]).toBe(ends[2]);
    expect(new Set(ends).size).toBe(4);
  });
});

describe('a request', () => {
  const id = 'f47ac10b-58cc-4372-a567-0e02b2c3d479';
  const nameOf = async (request: Parameters<typeof call>[1]) =>
    (await call(relay.port, request)).headers['x-request-id'];

  it.each<[string, Parameters<typeof call>[1]]>([
    ['that is answered', { path: '/health' }],
    ['that finds nothing', { path: '/nothing' }],
    ['that is refused', { path: '/api/messages/0x12' }],
    ['of a wrong method', { method: 'PUT', path: '/health' }],
    [
      'of a wrong type',
      { method: 'POST', path: '/api/public-keys', headers: { 'content-type': 'text/plain' }, body: 'x' },
    ],
    [
      'whose body is none',
      { method: 'POST', path: '/api/public-keys', headers: { 'content-type': 'application/json' }, body: '{' },
    ],
  ])('%s is answered with its name, or a new one', async (_, request) => {
    const headers = { ...request.headers, 'x-request-id': id };
    expect(await nameOf({ ...request, headers })).toBe(id);
    const names = [await nameOf(request), await nameOf(request)];
    expect(names).toEqual(names.map(() => expect.stringMatching(/^[0-9a-f-]{36}$/) as string));
    expect(names[0]).not.toBe(names[1]);
  });

  it.each(['short', 'x'.repeat(65), 'with spaces in it here', 'quo"tes-and-more-letters', 'ünicode-is-not-plain-text'])(
    'whose name is %j gets another',
    async (name) => {
      const headers = { 'x-request-id': Buffer.from(name).toString('latin1') };
      expect(await nameOf({ path: '/health', headers })).toMatch(/^[0-9a-f-]{36}$/);
    },
  );

  it('is named so in what is logged of it, and its address is not', async () => {
    const headers = { 'x-request-id': id, authorization: `Bearer ${ADMIN_TOKEN}` };
    await relay.stop();
    await start({ ADMIN_TOKEN });
    await call(relay.port, { method: 'DELETE', path: `/api/public-keys/${ALICE}`, headers });
    expect(linesOf('admin call')).toMatchObject([{ request: id, address: NAME, outcome: 404 }]);
    const keys = relay.app.get(KeyRepository, { strict: false });
    jest.spyOn(keys, 'get').mockRejectedValueOnce(new Error(`WRONGTYPE of relay:key:{7}:${ALICE}`));
    await call(relay.port, { path: `/api/public-keys/${ALICE}`, headers });
    const [failure] = linesOf('request failed');
    expect(failure).toMatchObject({ request: id, error: 'Error' });
    expect(failure!.reason).toMatch(/^WRONGTYPE of relay:key:\{7\}:addr:[0-9a-f]{16}$/);
    expect(relay.log()).not.toContain(ALICE);
  });
});
