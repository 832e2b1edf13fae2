import type { IncomingMessage } from 'node:http';
import { type CompiledTrust, compileTrust, networkOf } from '../common/client-ip.js';
import { type Siblings, SoleProcess } from '../common/siblings.js';
import type { WaitingRoom } from './waiting-room.js';

export interface AdmissionLimits {
  readonly allowedOrigins: readonly string[];
  /** Of all workers together, as `maxConnectionsPerIp` is. */
  readonly maxConnections: number;
  /** Of this process, which has a limit on descriptors of its own. */
  readonly maxConnectionsHere: number;
  readonly maxConnectionsPerIp: number;
  readonly trustProxy: false | number | readonly string[];
}

/** A refused upgrade, answered as HTTP. */
export interface UpgradeRefusal {
  readonly status: 400 | 403 | 404 | 405 | 426 | 429 | 503;
  readonly detail: string;
  readonly retryAfterSeconds?: number;
}

export const WEBSOCKET_PATHS: readonly string[] = ['/', '/ws'];
/** RFC 6455 §4.1. */
export const WEBSOCKET_VERSION = '13';
const OVERLOADED_RETRY_SECONDS = 5;

/** Who may open a WebSocket. Counts what it lets in: every `admit` without a refusal needs one `release`. */
export class Admission {
  private readonly perNetwork = new Map<string, number>();
  private readonly trust: CompiledTrust;
  private total = 0;
  private isClosed = false;

  constructor(
    private readonly limits: AdmissionLimits,
    private readonly waiting: Pick<WaitingRoom, 'makeRoom'>,
    private readonly siblings: Siblings = new SoleProcess(),
  ) {
    this.trust = compileTrust(limits.trustProxy);
  }

  get isDraining(): boolean {
    return this.isClosed;
  }

  /** Nobody is let in any more. */
  close(): void {
    this.isClosed = true;
    this.siblings.accepting(false);
  }

  /** After `close`. */
  open(): void {
    this.isClosed = false;
    this.siblings.accepting(true);
  }

  networkOf(request: IncomingMessage): string {
    return networkOf(this.trust(request));
  }

  refusal(request: IncomingMessage, network: string): UpgradeRefusal | null {
    const { allowedOrigins, maxConnectionsPerIp } = this.limits;
    if (!isWebSocketPath(request.url)) return { status: 404, detail: 'WebSockets are at / and /ws' };
    if (request.method !== 'GET') return { status: 405, detail: 'A WebSocket is opened with GET' };
    if (!isWebSocketUpgrade(request)) return { status: 426, detail: 'Only WebSocket upgrades are supported' };
    if (request.headers['sec-websocket-version'] !== WEBSOCKET_VERSION) {
      return { status: 426, detail: `Only version ${WEBSOCKET_VERSION} of the WebSocket protocol is supported` };
    }
    if (!isAllowedOrigin(request.headers.origin, allowedOrigins)) {
      return { status: 403, detail: 'This origin is not allowed' };
    }
    if (this.isClosed) return { status: 503, detail: 'Restarting', retryAfterSeconds: 1 };
    const fromThere = (this.perNetwork.get(network) ?? 0) + this.siblings.openElsewhereFrom(network);
    const isNetworkFull = fromThere >= maxConnectionsPerIp;
    if (isNetworkFull && !this.waiting.makeRoom(network)) {
      const detail = 'Too many connections from this address';
      return { status: 429, detail, retryAfterSeconds: OVERLOADED_RETRY_SECONDS };
    }
    // The place that a neighbour gave up is one of all.
    if (this.isFull && !isNetworkFull && !this.waiting.makeRoom(null)) {
      return { status: 503, detail: 'Too many connections', retryAfterSeconds: OVERLOADED_RETRY_SECONDS };
    }
    return null;
  }

  private get isFull(): boolean {
    const { maxConnections, maxConnectionsHere } = this.limits;
    return this.total >= maxConnectionsHere || this.total + this.siblings.openElsewhere >= maxConnections;
  }

  admit(network: string): void {
    this.total++;
    this.siblings.opened(network, 1);
    this.perNetwork.set(network, (this.perNetwork.get(network) ?? 0) + 1);
  }

  release(network: string): void {
    this.total--;
    this.siblings.opened(network, -1);
    const left = (this.perNetwork.get(network) ?? 1) - 1;
    if (left === 0) this.perNetwork.delete(network);
    else this.perNetwork.set(network, left);
  }
}

export function isWebSocketUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

export function isWebSocketPath(url: string | undefined): boolean {
  return WEBSOCKET_PATHS.includes(pathOf(url));
}

/** Native clients send no Origin; browsers always do, and it is compared as it is. */
export function isAllowedOrigin(origin: string | undefined, allowed: readonly string[]): boolean {
  return origin === undefined || allowed[0] === '*' || allowed.includes(origin);
}

function pathOf(url: string | undefined): string {
  return (url ?? '').split('?', 1)[0] ?? '';
}
