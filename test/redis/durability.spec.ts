import { addressOf } from '../support/classic-client.js';
import { eventually, RedisServer } from '../support/redis-server.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const ALICE = addressOf(1);
const BOB = addressOf(2);

/** `DURABILITY=replica`: a message counts as accepted once a replica has it. */
describe('a message that a replica must have', () => {
  let primary: RedisServer;
  let replica: RedisServer;
  let relay: RunningRelay;
  let other: RunningRelay;

  beforeEach(async () => {
    primary = await RedisServer.start();
    replica = await RedisServer.start({ replicaOf: primary });
    await eventually('the replica', async () => (await replica.info('master_link_status')) === 'up');
    const env = { STORAGE: 'redis', REDIS_URL: primary.url, DURABILITY: 'replica' };
    [relay, other] = await Promise.all([startRelay({ env }), startRelay({ env })]);
  });

  afterEach(async () => {
    replica.resume();
    await Promise.all([relay.stop(), other.stop()]);
    await Promise.all([replica.close(), primary.close()]);
  });

  it('is accepted when it has it', async () => {
    const alice = await relay.signIn(ALICE);
    alice.message(BOB, 'm1');
    await alice.waitFor('queued', { messageId: 'm1' });
    const [key] = (await replica.command('KEYS', '*mb:*')) as string[];
    expect(await replica.command('XLEN', key!)).toBe(1);
  });

  it('is answered unknown while the replica hangs, by every node, and stored once when it is sent again', async () => {
    const [alice, again] = await Promise.all([relay.signIn(ALICE), other.signIn(ALICE)]);
    replica.pause();
    const unknown = { code: 'store_unavailable', outcome: 'unknown', retryable: true };
    alice.message(BOB, 'm1');
    await alice.waitFor('error', { messageId: 'm1', ...unknown });
    // A repeat must not be told that it is safe either.
    again.message(BOB, 'm1');
    await again.waitFor('error', { messageId: 'm1', ...unknown });
    replica.resume();
    await eventually('it to be accepted', async () => {
      const answers = alice.frames.length;
      alice.message(BOB, 'm1');
      await alice.until(() => alice.frames.length > answers, 'a verdict');
      return alice.ofType('queued').length > 0;
    });
    const bob = await relay.signIn(BOB);
    await bob.waitFor('message');
    await bob.settled();
    expect(bob.messageIds).toEqual(['m1']);
  });

  it('is not accepted without any replica; what is accepted already still arrives', async () => {
    const alice = await relay.signIn(ALICE);
    alice.message(BOB, 'm1');
    await alice.waitFor('queued');
    await replica.kill();
    alice.message(BOB, 'm2');
    await alice.waitFor('error', { messageId: 'm2', code: 'store_unavailable', outcome: 'unknown' });
    const bob = await relay.signIn(BOB);
    await bob.waitFor('message', { messageId: 'm1' });
    await alice.waitFor('delivered', { messageId: 'm1' });
  });
});
