import { request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { json } from 'node:stream/consumers';
import { expect } from '../expect.mjs';
import { Peer } from '../peer.mjs';
import { BOTH, casesOf, isOpen, isSigned } from './case.mjs';

const it = casesOf('3. Transport');
const HANDSHAKE = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };

/** An upgrade by hand. @param {string} wsUrl @param {Record<string, string>} headers @returns {Promise<{ status: number, headers: any, body: any }>} */
function upgrade(wsUrl, headers) {
  const url = wsUrl.replace(/^ws/, 'http');
  return new Promise((resolve, reject) => {
    const opened = (url.startsWith('https') ? secureRequest : request)(url, { headers: { ...HANDSHAKE, ...headers } });
    opened.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: 101, headers: response.headers, body: null });
    });
    opened.on('response', (response) => {
      const { statusCode: status = 0, headers: answered } = response;
      json(response).then((body) => resolve({ status, headers: answered, body }), reject);
    });
    opened.on('error', reject);
    opened.end();
  });
}

const V13 = { 'sec-websocket-version': '13' };

export default [
  it('is a WebSocket at every path that it names, with any query', async ({ relay }) => {
    for (const path of relay.facts.protocol.websocketPaths) {
      const peer = await Peer.connect(`${relay.wsUrl}${path}?any=thing`);
      peer.kill();
    }
  }),
  it('refuses an upgrade at another path with 404 and a problem', async ({ relay }) => {
    const answer = await upgrade(`${relay.wsUrl}/elsewhere`, V13);
    expect('the answer', answer, { status: 404, body: { code: 'not_found' } });
  }),
  it('refuses another version of the WebSocket protocol with 426', async ({ relay }) => {
    const answer = await upgrade(`${relay.wsUrl}/ws`, { 'sec-websocket-version': '12' });
    expect('the answer', answer, {
      status: 426,
      headers: { 'sec-websocket-version': '13' },
      body: { code: 'unsupported' },
    });
  }),
  it('negotiates no compression', async ({ relay }) => {
    const offer = { ...V13, 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' };
    const { status, headers } = await upgrade(`${relay.wsUrl}/ws`, offer);
    expect('the status', status, 101);
    expect('what was negotiated', headers['sec-websocket-extensions'], undefined);
  }),
  it(
    'closes a binary frame with 1003',
    async (world) => {
      const peer = await world.person().join();
      peer.socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
      await peer.closed(1003);
    },
    { versions: BOTH },
  ),
  it('closes invalid UTF-8 with 1007', async (world) => {
    const peer = await world.person().join();
    peer.socket.send(Buffer.from([0x22, 0xff, 0xfe, 0x22]), { binary: false });
    await peer.closed(1007);
  }),
  it('closes a frame that is too large before the sign-in with 1009', async (world) => {
    const peer = await world.person().connect();
    peer.socket.send('x'.repeat((world.facts.limits.maxFrameBytesBeforeSignIn ?? 4096) + 1));
    await peer.closed(1009);
  }),
  it('takes a frame of the largest size, and closes a larger one with 1009', async (world) => {
    const { bob, a, b } = await world.pair();
    const bytes = world.facts.limits.maxFrameBytes ?? 131_072;
    const message = world.message(bob.address, { content: '' });
    const rest = bytes - Buffer.byteLength(JSON.stringify(message));
    a.send({ ...message, content: 'x'.repeat(rest) });
    expect('its length', (await b.get('message', { messageId: message.messageId })).content.length, rest);
    a.socket.send('x'.repeat(bytes + 1));
    await a.closed(1009);
  }),
  it(
    'answers an unknown type with `unsupported`, and stays',
    async (world) => {
      const peer = await world.person().join();
      peer.send({ type: 'no_such_type' });
      await peer.get('error', { code: 'unsupported', retryable: false });
      await peer.settled();
    },
    { versions: BOTH },
  ),
  it(
    'ignores unknown fields',
    async (world) => {
      const peer = await world.person().join();
      peer.send({ type: 'ping', more: { than: ['needed'] } });
      await peer.get('pong');
    },
    { versions: BOTH },
  ),
  it(
    'answers `ping` with `pong` and its time',
    async (world) => {
      const peer = await world.person().join();
      peer.send({ type: 'ping' });
      const { timestamp } = await peer.get('pong');
      expect(
        'a whole number of ms near now',
        timestamp,
        (/** @type {number} */ time) => Number.isInteger(time) && Math.abs(time - Date.now()) < 3_600_000,
      );
    },
    { versions: BOTH },
  ),
  it(
    'closes the fifth bad message within 10 s with 4400',
    async (world) => {
      const peer = await world.person().join();
      for (let i = 0; i < 5; i++) peer.socket.send('{');
      await peer.closed(4400);
      expect(
        'errors before it',
        peer.all('error', { code: 'bad_message', message: 'Invalid message format' }).length,
        (/** @type {number} */ n) => n >= 4,
      );
    },
    { versions: BOTH },
  ),
  it(
    'believes `auth` where addresses are believed, `auth_success` first',
    async (world) => {
      const person = world.person();
      const peer = await person.join();
      const { address, timestamp } = peer.frames[0] ?? {};
      expect('the first frame', peer.frames[0], { type: 'auth_success', address: person.address });
      expect('its time', [address, Number.isInteger(timestamp)], [person.address, true]);
    },
    { versions: [1], needs: [isOpen] },
  ),
  it(
    'refuses `auth` without a proof where addresses have to be proved',
    async (world) => {
      const peer = await world.person().connect();
      peer.send({ type: 'auth', address: world.person().address });
      await peer.get('error', { code: 'auth_required' });
      await peer.closed(4401);
    },
    { needs: [isSigned] },
  ),
];
