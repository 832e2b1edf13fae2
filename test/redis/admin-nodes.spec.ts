import type { Address } from '@relay/protocol';
import { randomBytes } from 'node:crypto';
import type { OverviewDto } from '../../src/admin/admin.dto.js';
import { HEARD_WITHIN_MS } from '../../src/admin/node.repository.js';
import { addressOf } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import { call } from '../support/http-call.js';
import { ManualClock } from '../support/manual-clock.js';
import { RedisServer } from '../support/redis-server.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const ALICE = addressOf(1) as Address;
const ADMIN_TOKEN = 'the-admin-token-of-this-test-0123456789';

/** Three relays on one Redis of their own, which can be taken away. */
describe('an operator of several nodes', () => {
  let redis: RedisServer;
  let clock: ManualClock;
  let nodes: RunningRelay[];

  beforeEach(async () => {
    redis = await RedisServer.start();
    clock = new ManualClock();
    const prefix = `${randomBytes(6).toString('hex')}:`;
    await redis.command('SET', `${prefix}clock`, String(clock.now()));
    const env = { STORAGE: 'redis', REDIS_URL: redis.url, REDIS_KEY_PREFIX: prefix, ADMIN_TOKEN };
    nodes = [];
    for (let i = 0; i < 3; i++) {
      nodes.push(await startRelay({ clock, env }));
      clock.advance(10);
    }
  });

  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await redis.close();
  });

  const ask = (at: number, method: string, path: string) =>
    call(nodes[at]!.port, {
      method,
      path: `/admin/api${path}`,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
  const overview = async (at = 0) => JSON.parse((await ask(at, 'GET', '/overview')).text) as OverviewDto;
  const tellAll = () => Promise.all(nodes.map((node) => node.run('tell operators')));

  it('sees all of them, asked at any', async () => {
    await nodes[1]!.signIn(ALICE);
    await tellAll();
    for (const at of [0, 1, 2]) {
      const { nodes: listed } = await overview(at);
      expect(listed.map(({ isThis }) => isThis)).toEqual([0, 1, 2].map((i) => i === at));
      expect(listed.map(({ connections }) => connections.classic)).toEqual([0, 1, 0]);
    }
  });

  it('bans on all: at once where the address is connected, elsewhere with the next look', async () => {
    const phone = await Device.open(nodes[1]!.wsUrl, ALICE, 'phone');
    expect((await ask(0, 'PUT', `/bans/${ALICE}`)).status).toBe(200);
    expect(await phone.client.closed()).toBe(4403);
    await nodes[2]!.run('look for bans');
    await expect(Device.open(nodes[2]!.wsUrl, ALICE, 'phone')).rejects.toThrow('closed with 4403');
    await ask(2, 'DELETE', `/bans/${ALICE}`);
    await nodes[1]!.run('look for bans');
    await Device.open(nodes[1]!.wsUrl, ALICE, 'phone');
  });

  it('drains one by its name through another, and no other', async () => {
    const [alice, bob] = [await nodes[1]!.signIn(ALICE), await nodes[2]!.signIn(addressOf(2))];
    const { node } = (await overview()).nodes[1]!;
    expect((await ask(0, 'PUT', `/nodes/${node}/drain`)).status).toBe(200);
    await tellAll();
    expect(await alice.closed()).toBe(1012);
    await bob.settled();
    await tellAll();
    expect((await overview()).nodes.map(({ state }) => state)).toEqual(['up', 'drained', 'up']);
    await ask(2, 'DELETE', `/nodes/${node}/drain`);
    await tellAll();
    await (await nodes[1]!.signIn(ALICE)).settled();
  });

  it('tells a node that was stopped from one that is away', async () => {
    const stopped = nodes.pop()!;
    await stopped.stop();
    clock.advance(HEARD_WITHIN_MS + 1);
    await nodes[0]!.run('tell operators');
    const { nodes: listed } = await overview();
    expect(listed.map(({ state, isAway }) => [state, isAway])).toEqual([
      ['up', false],
      ['up', true],
      ['stopped', false],
    ]);
  });

  it('still sees the node that answers where Redis is away', async () => {
    await nodes[0]!.signIn(ALICE);
    await redis.kill();
    await nodes[0]!.run('tell operators');
    const { nodes: listed, ledger, mailboxes } = await overview();
    expect({ ledger, mailboxes }).toEqual({ ledger: null, mailboxes: null });
    expect(listed).toMatchObject([
      { isThis: true, connections: { classic: 1 }, store: { ok: false, roundTripMs: null } },
    ]);
  });
});
