import { setTimeout as wait } from 'node:timers/promises';
import { absent, anInteger, aText, expect } from '../expect.mjs';
import { BOTH, casesOf, has, isSigned } from './case.mjs';

const promise = casesOf('2. Promises');
const message = casesOf('5. What a client sends › message');
const other = casesOf('5. What a client sends');
const history = casesOf('5. What a client sends › history');
const ODD = 'ç "quotes" \\ \u0000 \n 😀 \u2028 {"type":"ack"}';

export default [
  message(
    'is answered `queued` where nobody is there, and comes later with `queued`',
    async (world) => {
      const [alice, bob] = [world.person(), world.person()];
      await (await bob.join()).close();
      const a = await alice.join();
      const sent = world.message(bob.address);
      a.send(sent);
      await a.get('queued', { messageId: sent.messageId, to: bob.address, timestamp: anInteger });
      const b = await bob.join();
      const { messageId, content, timestamp } = sent;
      await b.get('message', { messageId, content, timestamp, from: alice.address, queued: true, id: aText });
      await a.get('delivered', { messageId, to: bob.address });
    },
    { versions: BOTH },
  ),
  message(
    'is answered `delivered` where a device has acknowledged it',
    async (world) => {
      const { alice, bob, a, b } = await world.pair();
      const sent = world.message(bob.address, { content: ODD });
      a.send(sent);
      const { messageId, timestamp } = sent;
      await b.get('message', { messageId, content: ODD, timestamp, from: alice.address, queued: absent, id: aText });
      await a.get('delivered', { messageId, to: bob.address, timestamp: anInteger });
    },
    { versions: BOTH },
  ),
  message(
    'gets the relay’s time where it has none',
    async (world) => {
      const { bob, a, b } = await world.pair();
      a.send(world.message(bob.address, { timestamp: undefined, messageId: 't' }));
      await b.get('message', { messageId: 't', timestamp: anInteger });
    },
    { versions: BOTH },
  ),
  message(
    'is refused with its messageId where a field is wrong or missing, and nothing is stored',
    async (world) => {
      const { bob, a, b } = await world.pair();
      const wrong = [{ to: 'bob' }, { content: '' }, { timestamp: 1.5 }, { ttlSeconds: 0 }];
      for (const [i, part] of wrong.entries()) {
        a.send(world.message(bob.address, { messageId: `w${i}`, ...part }));
        await a.get('error', {
          code: 'bad_message',
          message: 'Invalid message format',
          messageId: `w${i}`,
          retryable: false,
        });
      }
      await b.none('message');
    },
    { versions: BOTH },
  ),
  message(
    'that is ephemeral is delivered to who is there, without an id',
    async (world) => {
      const { bob, a, b } = await world.pair();
      a.send(world.message(bob.address, { messageId: 'e', ephemeral: true }));
      await b.get('message', { messageId: 'e', id: absent });
      if (world.version === 1) await a.get('delivered', { messageId: 'e' });
    },
    { versions: [1], needs: [has('ephemeral')] },
  ),
  message(
    'that is ephemeral is refused where nobody is there, and never stored',
    async (world) => {
      const [alice, bob] = [world.person(), world.person()];
      await (await bob.join()).close();
      const a = await alice.join();
      a.send(world.message(bob.address, { messageId: 'e', ephemeral: true }));
      await a.get('error', { code: 'recipient_offline', messageId: 'e', outcome: 'refused', retryable: true });
      const b = await bob.join();
      await b.none('message');
    },
    { versions: BOTH, needs: [has('ephemeral')] },
  ),
  message(
    'that waits longer than its ttlSeconds is told `expired`, and its recipient `gap`',
    async (world) => {
      const [alice, bob] = [world.person(), world.person()];
      await (await bob.join()).close();
      const a = await alice.join();
      a.send(world.message(bob.address, { messageId: 'short', ttlSeconds: 1 }));
      await a.get('queued', { messageId: 'short' });
      await a.get('expired', { messageId: 'short', to: bob.address }, 25_000);
      const b = await bob.join();
      await b.get('gap', { reason: 'expired', count: 1 });
      await b.none('message');
    },
    { versions: BOTH, isSlow: true },
  ),

  promise(
    '4: one order, also through the backlog',
    async (world) => {
      const [alice, bob] = [world.person(), world.person()];
      await (await bob.join()).close();
      const a = await alice.join();
      const names = Array.from({ length: 18 }, (_, i) => `o${i}`);
      for (const messageId of names.slice(0, 12)) a.send(world.message(bob.address, { messageId }));
      await a.count('queued', 12);
      const b = await bob.join({ window: 4 });
      for (const messageId of names.slice(12)) a.send(world.message(bob.address, { messageId }));
      await b.count('message', names.length);
      expect('the order', b.messageIds, names);
      const ids = b.all('message').map(({ id }) => id);
      expect('different ids', new Set(ids).size, names.length);
    },
    { versions: BOTH },
  ),
  promise(
    '5: once, however often it is sent, while it waits and afterwards',
    async (world) => {
      const [alice, bob] = [world.person(), world.person()];
      await (await bob.join()).close();
      const a = await alice.join();
      const sent = world.message(bob.address, { messageId: 'once' });
      for (let i = 0; i < 3; i++) a.send(sent);
      await a.count('queued', 3);
      const b = await bob.join();
      await a.get('delivered', { messageId: 'once' });
      const again = await alice.join(world.version === 2 ? { deviceId: 'd2' } : {});
      again.send(sent);
      await again.get('delivered', { messageId: 'once' });
      await b.settled();
      expect('what came', b.messageIds, ['once']);
    },
    { versions: BOTH },
  ),
  promise(
    '5: other content under the same id is `id_conflict`, and stores nothing',
    async (world) => {
      const { bob, a, b } = await world.pair();
      const sent = world.message(bob.address, { messageId: 'c' });
      a.send(sent);
      await a.get('delivered', { messageId: 'c' });
      a.send({ ...sent, content: 'something else' });
      await a.get('error', { code: 'id_conflict', messageId: 'c', outcome: 'refused', retryable: false });
      await b.settled();
      expect('what came', b.messageIds, ['c']);
    },
    { versions: BOTH },
  ),
  promise(
    '2: never `delivered` before an acknowledgement, and unacknowledged mail comes again',
    async (world) => {
      const { bob, a, b } = await world.pair({ acks: false, pongs: false });
      a.send(world.message(bob.address, { messageId: 'u' }));
      const { id } = await b.get('message', { messageId: 'u' });
      await a.get('queued', { messageId: 'u' });
      await wait(500);
      await a.none('delivered', { messageId: 'u' });
      b.kill();
      const again = await bob.join();
      await again.get('message', { messageId: 'u', id });
      await a.get('delivered', { messageId: 'u' });
    },
    { versions: BOTH },
  ),

  other(
    'typing: is passed on, and never stored',
    async (world) => {
      const { alice, bob, a, b } = await world.pair();
      a.send({ type: 'typing', to: bob.address, isTyping: true });
      await b.get('typing', { from: alice.address, isTyping: true });
    },
    { versions: BOTH, needs: [has('typing')] },
  ),
  other(
    'signal: is passed on as it is; beyond its bound it is `too_large`',
    async (world) => {
      const { alice, bob, a, b } = await world.pair();
      a.send({ type: 'signal', to: bob.address, data: ODD });
      await b.get('signal', { from: alice.address, data: ODD });
      a.send({
        type: 'signal',
        to: bob.address,
        data: 'é'.repeat((world.facts.limits.maxSignalBytes ?? 16_384) / 2 + 1),
      });
      await a.get('error', { code: 'too_large' });
    },
    { versions: BOTH, needs: [has('signal')] },
  ),
  other(
    'subscribe_presence: tells now and on every change, until one unsubscribes',
    async (world) => {
      const [alice, bob] = [world.person(), world.person()];
      const a = await alice.join();
      a.send({ type: 'subscribe_presence', addresses: [bob.address] });
      await a.get('presence', { address: bob.address, status: 'offline' });
      const b = await bob.join();
      await a.get('presence', { address: bob.address, status: 'online' });
      b.send({ type: 'set_presence', visible: false });
      await a.until(() => a.all('presence', { status: 'offline' }).length === 2, 'offline once hidden');
      b.send({ type: 'set_presence', visible: true });
      await a.until(() => a.all('presence', { status: 'online' }).length === 2, 'online once visible');
      a.send({ type: 'unsubscribe_presence', addresses: [bob.address] });
      await a.settled();
      const told = a.all('presence').length;
      await b.close();
      await a.settled();
      expect('what was told afterwards', a.all('presence').length, told);
    },
    { versions: BOTH, needs: [has('presence')] },
  ),
  other(
    'subscribe_presence: refuses more addresses than fit',
    async (world) => {
      const peer = await world.person().join();
      const most = world.facts.limits.maxAddressesPerRequest ?? 500;
      const addresses = Array.from({ length: most + 1 }, (_, i) => `0x${(i + 1).toString(16).padStart(40, '0')}`);
      peer.send({ type: 'subscribe_presence', addresses });
      await peer.get('error', { code: 'too_large' });
    },
    { needs: [has('presence')] },
  ),

  history(
    'pages through messages that are still kept, newest first',
    async (world) => {
      const { bob, a, b } = await world.pair();
      for (const messageId of ['h1', 'h2', 'h3']) a.send(world.message(bob.address, { messageId }));
      await a.count('delivered', 3);
      b.send({ type: 'history', limit: 2 });
      const page = await b.get('history');
      expect('the newest page', page, {
        entries: [{ messageId: 'h3', type: 'message', id: aText }, { messageId: 'h2' }],
        next: aText,
      });
      b.send({ type: 'history', limit: 2, before: page.next });
      await b.count('history', 2);
      expect('the one before', b.all('history')[1], { entries: [{ messageId: 'h1' }] });
    },
    { versions: BOTH, needs: [has('history')] },
  ),
  history(
    'is `unsupported` where none is kept',
    async (world) => {
      const peer = await world.person().join();
      peer.send({ type: 'history' });
      await peer.get('error', { code: 'unsupported' });
    },
    { versions: BOTH, needs: [(world) => (world.facts.features.history ? 'history is kept here' : null)] },
  ),

  casesOf('10. Limits')(
    'a stranger’s share: one message more is `stranger_share_full`',
    async (world) => {
      const [alice, bob] = [world.person(), world.person()];
      await (await bob.join()).close();
      const a = await alice.join();
      const most = world.facts.limits.maxStrangerMessages ?? 20;
      for (let i = 0; i <= most; i++) a.send(world.message(bob.address, { messageId: `s${i}` }));
      await a.get('error', { code: 'stranger_share_full', messageId: `s${most}`, outcome: 'refused', retryable: true });
      expect('how many were stored', a.all('queued').length, most);
    },
    {
      needs: [
        isSigned,
        ({ facts }) => ((facts.limits.maxStrangerMessages ?? 0) > 100 ? 'too many are allowed here' : null),
      ],
    },
  ),
  casesOf('10. Limits')(
    'sends beyond the burst are `rate_limited`, with a time, and the connection stays',
    async (world) => {
      const person = world.person();
      const peer = await person.join();
      const { sendBurst = 200, sendsPerSecond = 20 } = world.facts.limits;
      for (let i = 0; i < sendBurst * 1.5 + sendsPerSecond; i++)
        peer.send({ type: 'typing', to: person.address, isTyping: true });
      await peer.get('error', { code: 'rate_limited', retryable: true, retryAfterMs: anInteger });
      await peer.settled();
    },
    {
      needs: [({ facts }) => ((facts.limits.sendBurst ?? 0) > 500 ? 'the burst is more than this suite sends' : null)],
    },
  ),
];
