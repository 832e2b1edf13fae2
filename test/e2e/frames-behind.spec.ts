import type { Socket } from 'node:net';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const [ALICE, BOB] = [addressOf(1), addressOf(2)];
/** More than are handled in one turn. */
const MANY = 40;

describe('frames that wait for their turn', () => {
  let relay: RunningRelay;
  let alice: ClassicClient;
  let bob: ClassicClient;

  beforeEach(async () => {
    relay = await startRelay();
    alice = await ClassicClient.signIn(relay.wsUrl, ALICE);
    bob = await ClassicClient.signIn(relay.wsUrl, BOB);
  });

  afterEach(() => relay.stop());

  /** In one write, so that the relay reads all of it in one turn. */
  function atOnce(write: () => void): void {
    const { _socket: socket } = alice.socket as unknown as { readonly _socket: Socket };
    socket.cork();
    write();
    socket.uncork();
  }

  it('are handled where the closing handshake came behind them', async () => {
    atOnce(() => {
      for (let n = 0; n < MANY; n++) alice.message(BOB, `m${n}`);
      alice.socket.close();
    });
    await bob.waitFor('message', { messageId: `m${MANY - 1}` });
    expect(bob.messageIds).toEqual(Array.from({ length: MANY }, (_, n) => `m${n}`));
  });

  it('are handled once, and not at all behind what the relay closes for', async () => {
    atOnce(() => {
      for (let n = 0; n < MANY; n++) alice.send({ type: 'signal', to: BOB, data: `s${n}` });
      for (let n = 0; n < 5; n++) alice.sendText('{');
      alice.send({ type: 'signal', to: BOB, data: 'behind' });
    });
    expect(await alice.closed()).toBe(4400);
    // What comes after all that came before.
    const carol = await ClassicClient.signIn(relay.wsUrl, addressOf(3));
    carol.send({ type: 'signal', to: BOB, data: 'end' });
    await bob.waitFor('signal', { data: 'end' });
    const got = bob.ofType('signal').map(({ data }) => data);
    expect(got).toEqual([...Array.from({ length: MANY }, (_, n) => `s${n}`), 'end']);
  });
});
