import type { IncomingMessage } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';
import proxyaddr from 'proxy-addr';

export type CompiledTrust = (request: IncomingMessage) => string;

/** How to tell a client's IP address: `X-Forwarded-For` counts only as far as the proxies before it are trusted. */
export function compileTrust(trusted: false | number | readonly string[]): CompiledTrust {
  const trust =
    trusted === false
      ? () => false
      : typeof trusted === 'number'
        ? (_address: string, hop: number) => hop < trusted
        : proxyaddr.compile([...trusted]);
  // Nothing at all where the peer has already gone.
  return (request) => proxyaddr(request, trust) ?? '';
}

/** What limits are counted by: an IPv4 address, or the /64 that an IPv6 subscriber owns all of. */
export function networkOf(ip: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1];
  if (mapped !== undefined) return mapped;
  if (isIPv4(ip) || !isIPv6(ip)) return ip;
  const [head = '', tail] = ip.toLowerCase().split('%')[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array<string>(Math.max(0, zeros)).fill('0'), ...right];
  return (
    groups
      .slice(0, 4)
      .map((group) => group.replace(/^0+(?=.)/, ''))
      .join(':') + '::/64'
  );
}
