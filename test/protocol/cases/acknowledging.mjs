import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from '../expect.mjs';
import { BOTH, casesOf } from './case.mjs';

const ack = casesOf('5. What a client sends › ack');
const marks = casesOf('7. Acknowledging');
const window = casesOf('8. Window and stall');
const receipts = casesOf('9. Receipts');

/** Bob is away, and so many messages wait for him. @param {import('./case.mjs').World} world @param {number} count */
async function waiting(world, count) {
  const [alice, bob] = [world.person(), world.person()];
  await (await bob.join()).close();
  const a = await alice.join();
  const names = Array.from({ length: count }, (_, i) => `k${i}`);
  for (const messageId of names) a.send(world.message(bob.address, { messageId }));
  await a.count('queued', count);
  return { alice, bob, a, names };
}

/** An id that this mailbox does not have yet: theirs are opaque, and only a test may make one up. @param {unknown} id */
function beyond(id) {
  const [ms, sequence] = String(id).split('-').map(Number);
  return `${(ms ?? 0) + 1}-${(sequence ?? 0) + 1}`;
}

export default [
  ack('is cumulative: what is up to it does not come again, what is beyond does', async (world) => {
    const { bob, a, names } = await waiting(world, 5);
    const b = await bob.join({ acks: false });
    await b.count('message', 5);
    b.send({ type: 'ack', upTo: b.all('message')[2]?.id });
    await a.count('delivered', 3);
    await b.close();
    const again = await bob.join();
    await again.get('sync_complete');
    expect('what came again', again.messageIds, names.slice(3));
    await a.count('delivered', 5);
  }),
  ack('of an older entry is no mistake, and of what was not sent is `ack_ahead`', async (world) => {
    const { bob } = await waiting(world, 2);
    const b = await bob.join({ acks: false });
    await b.count('message', 2);
    const [first, last] = b.all('message');
    b.send({ type: 'ack', upTo: last?.id });
    b.send({ type: 'ack', upTo: first?.id });
    await b.none('error');
    b.send({ type: 'ack', upTo: beyond(last?.id) });
    await b.get('error', { code: 'ack_ahead', retryable: false });
    await b.settled();
  }),
  ack('moves nothing where it was ahead', async (world) => {
    const { bob, names } = await waiting(world, 3);
    const b = await bob.join({ acks: false, window: 1 });
    const { id } = await b.get('message');
    b.send({ type: 'ack', upTo: beyond(id) });
    await b.get('error', { code: 'ack_ahead' });
    await b.close();
    const again = await bob.join();
    await again.count('message', 3);
    expect('what comes again', again.messageIds, names);
  }),

  marks(
    'for `auth`: a protocol ping follows what was sent, and its pong delivers',
    async (world) => {
      const { bob, a, b } = await world.pair({ pongs: false });
      const mark = once(b.socket, 'ping');
      a.send(world.message(bob.address, { messageId: 'm' }));
      const [payload] = await mark;
      await b.get('message', { messageId: 'm' });
      b.socket.pong('something else');
      await a.get('queued', { messageId: 'm' });
      await b.settled();
      await a.none('delivered');
      b.socket.pong(payload);
      await a.get('delivered', { messageId: 'm' });
    },
    { versions: [1] },
  ),
  marks(
    'for `auth`: what one connection has acknowledged is acknowledged for all',
    async (world) => {
      const { bob, a } = await world.pair();
      a.send(world.message(bob.address, { messageId: 'm' }));
      await a.get('delivered', { messageId: 'm' });
      const later = await bob.join();
      await later.none('message');
    },
    { versions: [1] },
  ),

  window('is as large as asked for: nothing beyond it before an acknowledgement', async (world) => {
    const { bob, names } = await waiting(world, 5);
    const b = await bob.join({ acks: false, window: 2 });
    await b.count('message', 2);
    await wait(300);
    await b.settled();
    expect('what came', b.messageIds, names.slice(0, 2));
    b.send({ type: 'ack', upTo: b.all('message')[0]?.id });
    await b.count('message', 3);
    b.send({ type: 'ack', upTo: b.all('message')[2]?.id });
    await b.count('message', 5);
    expect('all of it, in order', b.messageIds, names);
  }),
  window(
    'ends whoever acknowledges nothing for 60 s with 4413, and the mail stays',
    async (world) => {
      const { bob } = await waiting(world, 1);
      const b = await bob.join({ acks: false });
      await b.closed(4413, 80_000);
      const again = await bob.join();
      await again.get('message', { messageId: 'k0' });
    },
    { isSlow: true },
  ),

  receipts(
    '`read` tells the sender, once',
    async (world) => {
      const { alice, bob, a, b } = await world.pair();
      a.send(world.message(bob.address, { messageId: 'r' }));
      await a.get('delivered', { messageId: 'r' });
      for (let i = 0; i < 3; i++) b.send({ type: 'read_receipt', to: alice.address, messageId: 'r' });
      await a.get('read', { from: bob.address, messageId: 'r' });
      await b.settled();
      await a.settled();
      expect('how often', a.all('read').length, 1);
    },
    { versions: BOTH },
  ),
  receipts(
    'wait for a sender who is away, `delivered` before `read`',
    async (world) => {
      const { alice, bob, a } = await waiting(world, 1);
      await a.close();
      const b = await bob.join();
      await b.get('message', { messageId: 'k0' });
      await b.settled();
      b.send({ type: 'read_receipt', to: alice.address, messageId: 'k0' });
      await b.settled();
      const again = await alice.join();
      await again.get('read', { messageId: 'k0', from: bob.address });
      const told = again.frames.filter(({ messageId }) => messageId === 'k0').map(({ type }) => type);
      expect('what the sender is told', told, ['delivered', 'read']);
    },
    { versions: BOTH },
  ),
  receipts(
    'never say `delivered` after `read`',
    async (world) => {
      const { alice, bob, a } = await waiting(world, 1);
      const b = await bob.join({ acks: false, pongs: false });
      const { id } = await b.get('message');
      b.send({ type: 'read_receipt', to: alice.address, messageId: 'k0' });
      await a.get('read', { messageId: 'k0' });
      if (world.version === 2) b.send({ type: 'ack', upTo: id });
      await b.settled();
      await a.settled();
      const told = a.frames.filter(({ messageId }) => messageId === 'k0').map(({ type }) => type);
      expect('what the sender is told', told, ['queued', 'delivered', 'read']);
    },
    { versions: BOTH },
  ),
  receipts(
    'of a message that was never sent are silent',
    async (world) => {
      const { alice, a, b } = await world.pair();
      b.send({ type: 'read_receipt', to: alice.address, messageId: 'never' });
      await b.none('error');
      await a.none('read');
    },
    { versions: BOTH },
  ),
];
