import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { addressOf } from '../../test/support/classic-client.js';
import { type RunningRelay, startRelay } from '../../test/support/relay.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** The first is enough, but for what runs beside it. */
const COLLECTIONS = 20;

describe('the WebSocket of a client', () => {
  let relay: RunningRelay;
  let server: Server;

  beforeAll(async () => {
    relay = await startRelay();
    server = relay.app.getHttpServer() as Server;
  });

  afterAll(() => relay.stop());

  it('keeps nothing of the request that it came by', async () => {
    const requests: WeakRef<IncomingMessage>[] = [];
    const remember = (request: IncomingMessage) => requests.push(new WeakRef(request));
    server.on('upgrade', remember);
    const clients = [];
    for (let n = 1; n <= 4; n++) clients.push(await relay.signIn(addressOf(n)));
    server.off('upgrade', remember);
    const kept = () => requests.filter((request) => request.deref() !== undefined).length;
    for (let i = 0; i < COLLECTIONS && kept() > 1; i++) {
      await turn();
      collect();
    }
    expect(requests).toHaveLength(4);
    // Node itself may still know the last one.
    expect(kept()).toBeLessThanOrEqual(1);
    for (const client of clients) client.kill();
  });

  it('keeps no timer of it either', async () => {
    const connected = once(server, 'connection') as Promise<[Socket & Record<symbol, unknown>]>;
    const client = await relay.signIn(addressOf(5));
    const [socket] = await connected;
    const timers = Object.getOwnPropertySymbols(socket).filter(({ description }) => description === 'timeout');
    expect(timers.map((timer) => socket[timer] === null)).toEqual([true]);
    client.kill();
  });
});
