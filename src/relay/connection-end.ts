import { CLOSE_CODES } from '@relay/protocol';
import type { LogFields } from '../common/logger.js';
import type { SocketEnd } from './client-socket.js';
import type { Connection } from './connection.js';

const LOST = 1006;

/** What an operator may know of a connection that is over. What the client itself gave as its reason is not among it. `now`: monotonic ms. */
export function endOf(connection: Connection, end: SocketEnd, now: number): LogFields {
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
    seconds: Math.round((now - startedAt) / 100) / 10,
    framesIn: received,
    framesOut: link.sent,
    acknowledged: acknowledgedEntries,
    bytesIn: end.bytesRead,
    bytesOut: end.bytesWritten,
  };
}

function whyEnded(because: Connection['endedBecause'], { code, isBroken }: SocketEnd): { by: string; reason: string } {
  if (because === 'no answer') return { by: 'relay', reason: because };
  if (because !== null) return { by: 'relay', reason: CLOSE_CODES[because].reason };
  const known = CLOSE_CODES[code as keyof typeof CLOSE_CODES] as { reason: string } | undefined;
  if (isBroken) return { by: 'relay', reason: known?.reason ?? 'protocol error' };
  return code === LOST ? { by: 'link', reason: 'lost' } : { by: 'client', reason: 'closed' };
}
