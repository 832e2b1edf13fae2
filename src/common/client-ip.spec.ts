import type { IncomingMessage } from 'node:http';
import { compileTrust, networkOf } from './client-ip.js';
import { loadSettings } from './load-settings.js';

const PEER = '192.0.2.1';

function requestFrom(peer: string | undefined, forwardedFor?: string): IncomingMessage {
  const headers = forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor };
  return { socket: { remoteAddress: peer }, headers } as unknown as IncomingMessage;
}

describe('the address of a client', () => {
  const forwarded = requestFrom(PEER, '203.0.113.9, 198.51.100.7, 10.0.0.5');

  it('is that of its peer where no proxy is trusted, whatever the headers say', () => {
    expect(compileTrust(false)(forwarded)).toBe(PEER);
  });

  it('is that of its peer where there is no header', () => {
    expect(compileTrust(2)(requestFrom(PEER))).toBe(PEER);
    expect(compileTrust([PEER])(requestFrom(PEER))).toBe(PEER);
  });

  it.each([
    [1, '10.0.0.5'],
    [2, '198.51.100.7'],
    [3, '203.0.113.9'],
  ])('is read behind %i trusted hops, and no further', (hops, client) => {
    expect(compileTrust(hops)(forwarded)).toBe(client);
  });

  it('is the oldest that is known where there are fewer hops than trusted', () => {
    expect(compileTrust(10)(forwarded)).toBe('203.0.113.9');
  });

  it('is the first that is not a trusted proxy, from the nearest on', () => {
    expect(compileTrust([PEER, '10.0.0.0/8'])(forwarded)).toBe('198.51.100.7');
  });

  it('is that of the peer where the peer is not a trusted proxy', () => {
    expect(compileTrust(['10.0.0.0/8'])(forwarded)).toBe(PEER);
  });

  it('knows an IPv4 proxy that a dual-stack socket shows as IPv6', () => {
    expect(compileTrust([PEER])(requestFrom(`::ffff:${PEER}`, '203.0.113.9'))).toBe('203.0.113.9');
  });

  it('is nothing where the peer has gone', () => {
    for (const trusted of [false, 1, [PEER]] as const) {
      expect(compileTrust(trusted)(requestFrom(undefined))).toBe('');
    }
  });

  it.each(['127.0.0.1', '::1', '10.0.0.0/8', '2001:db8::/32', '10.0.0.1/32', '0.0.0.0/1', 'fe80::1%eth0'])(
    'TRUST_PROXY=%s is accepted and understood',
    (network) => {
      const { trustProxy } = loadSettings({ TRUST_PROXY: network });
      expect(compileTrust(trustProxy)(requestFrom('192.0.2.200'))).toBe('192.0.2.200');
    },
  );
});

describe('the network that limits are counted by', () => {
  it('is the address itself for IPv4', () => {
    expect(networkOf('203.0.113.9')).toBe('203.0.113.9');
  });

  it.each(['::ffff:203.0.113.9', '::FFFF:203.0.113.9', '::ffff:cb00:7109'])(
    'is the IPv4 address for %s, which is one',
    (ip) => {
      expect(networkOf(ip)).toBe('203.0.113.9');
    },
  );

  it.each([
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::5', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:1::', '2001:db8:0:0::/64'],
    ['1:2:3::8', '1:2:3:0::/64'],
    ['1::4:5:6:7:8', '1:0:0:4::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.33', '64:ff9b:0:0::/64'],
    ['1::3:4:5:6:192.0.2.33', '1:0:3:4::/64'],
  ])('is for %s its /64: %s', (ip, network) => {
    expect(networkOf(ip)).toBe(network);
  });

  it('tells neighbouring networks apart', () => {
    expect(networkOf('2001:db8:1:2::1')).not.toBe(networkOf('2001:db8:1:3::1'));
  });

  it('leaves alone what is no address', () => {
    for (const text of ['', 'unknown', '1.2.3', '12345::']) expect(networkOf(text)).toBe(text);
  });
});
