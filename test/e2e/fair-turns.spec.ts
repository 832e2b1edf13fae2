import type { Socket } from 'node:net';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const [MALLORY, CAROL, BOB] = [addressOf(1), addressOf(2), addressOf(3)];
/** As many as one may send at once, and in one chunk of what the relay reads. */
const FLOOD = 200;
/** More than are handled in one turn. */
const MANY = 40;

describe('somebody who sends many messages at once', () => {
  let relay: RunningRelay;
  let mallory: ClassicClient;
  let carol: ClassicClient;

  beforeEach(async () => {
    relay = await startRelay({ env: { MAX_CONNECTIONS_PER_IP: '200' } });
    mallory = await ClassicClient.signIn(relay.wsUrl, MALLORY);
    carol = await ClassicClient.signIn(relay.wsUrl, CAROL);
  });

  afterEach(() => relay.stop());

  /** In one write, so that the relay reads all of it in one turn. */
  function atOnce(write: () => void): void {
    const { _socket: socket } = mallory.socket as unknown as { readonly _socket: Socket };
    socket.cork();
    write();
    socket.uncork();
  }

  function flood(): void {
    for (let n = 0; n < FLOOD; n++) mallory.message(BOB, `m${n}`);
  }

  it('keeps nobody waiting until all of them are answered', async () => {
    const order: string[] = [];
    const note = (data: Buffer) => order.push((JSON.parse(data.toString()) as { messageId: string }).messageId);
    for (const { socket } of [mallory, carol]) socket.on('message', note);
    atOnce(flood);
    carol.message(BOB, 'from-carol');
    await Promise.all([carol.waitFor('queued'), mallory.waitFor('queued', { messageId: `m${FLOOD - 1}` })]);
    expect(order).toHaveLength(FLOOD + 1);
    expect(order.indexOf('from-carol')).toBeLessThan(FLOOD / 2);
    // Their own order is kept.
    const own = order.filter((id) => id !== 'from-carol');
    expect(own).toEqual(Array.from({ length: FLOOD }, (_, n) => `m${n}`));
  });

  it('loses none of them by going at once', async () => {
    // The closing handshake comes behind them.
    atOnce(() => {
      flood();
      mallory.socket.close();
    });
    await mallory.closed();
    const bob = await ClassicClient.signIn(relay.wsUrl, BOB);
    await bob.waitFor('message', { messageId: `m${FLOOD - 1}` });
    expect(bob.messageIds).toEqual(Array.from({ length: FLOOD }, (_, n) => `m${n}`));
  });

  it('has each handled once, and none behind what the relay closes for', async () => {
    const bob = await ClassicClient.signIn(relay.wsUrl, BOB);
    atOnce(() => {
      for (let n = 0; n < MANY; n++) mallory.send({ type: 'signal', to: BOB, data: `s${n}` });
      for (let n = 0; n < 5; n++) mallory.sendText('{');
      mallory.send({ type: 'signal', to: BOB, data: 'behind' });
    });
    expect(await mallory.closed()).toBe(4400);
    // Comes after all that came before.
    carol.send({ type: 'signal', to: BOB, data: 'end' });
    await bob.waitFor('signal', { data: 'end' });
    const got = bob.ofType('signal').map(({ data }) => data);
    expect(got).toEqual([...Array.from({ length: MANY }, (_, n) => `s${n}`), 'end']);
  });
});
