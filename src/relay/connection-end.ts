import { CLOSE_CODES } from '@relay/protocol';
import type { LogFields } from '../common/logger.js';
import type { Connection } from './connection.js';

export interface End {
  /** As the WebSocket knows it. */
  readonly code: number;
  /** `ws` closed it: the peer broke the protocol. */
  readonly isBroken: boolean;
  /** Monotonic ms. */
  readonly now: number;
  /** On the socket, the handshake among them. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** What the proxy in front calls the upgrade; `null` where it does not. */
  readonly requestId: string | null;
}

const LOST = 1006;

/** What an operator may know of a connection that is over. What the client itself gave as its reason is not among it. */
export function endOf(connection: Connection, end: End): LogFields {
  const { id, address, spoken, cameIn, link, received, acknowledgedEntries, startedAt, endedBecause } = connection;
  const { by, reason } = whyEnded(endedBecause, end);
  return {
    connection: id,
    ...(end.requestId === null ? {} : { request: end.requestId }),
    ...(address === null ? {} : { address }),
    protocol: spoken,
    ...(cameIn === null ? {} : { signIn: cameIn }),
    code: end.code,
    by,
    reason,
    seconds: Math.round((end.now - startedAt) / 100) / 10,
    framesIn: received,
    framesOut: link.sent,
    acknowledged: acknowledgedEntries,
    bytesIn: end.bytesRead,
    bytesOut: end.bytesWritten,
  };
}

function whyEnded(because: Connection['endedBecause'], { code, isBroken }: End): { by: string; reason: string } {
  if (because === 'no answer') return { by: 'relay', reason: because };
  if (because !== null) return { by: 'relay', reason: CLOSE_CODES[because].reason };
  const known = CLOSE_CODES[code as keyof typeof CLOSE_CODES] as { reason: string } | undefined;
  if (isBroken) return { by: 'relay', reason: known?.reason ?? 'protocol error' };
  return code === LOST ? { by: 'link', reason: 'lost' } : { by: 'client', reason: 'closed' };
}
