import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
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
export function networkOf(address: string): string {
  const ip = withoutPort(address);
  if (!isIPv6(ip)) return ip;
  const groups = groupsOf(ip);
  if (groups.slice(0, 6).join() === '0,0,0,0,0,65535') {
    const [high = 0, low = 0] = groups.slice(6);
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** Some gateways append the port to what they forward. */
function withoutPort(address: string): string {
  const match = /^(\d+\.\d+\.\d+\.\d+):\d+$|^\[([^\]]+)\](?::\d+)?$/.exec(address);
  return match?.[1] ?? match?.[2] ?? address;
}

/** The eight numbers of an IPv6 address. The URL parser knows every way to write one and puts them into one form. */
function groupsOf(ip: string): number[] {
  const { hostname } = new URL(`http://[${ip.split('%')[0]}]`);
  const [left = [], right = []] = hostname
    .slice(1, -1)
    .split('::')
    .map((part) => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16))));
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}
