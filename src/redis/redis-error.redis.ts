import { RelayError } from '@relay/protocol';

/** Redis surely did not begin: at its memory limit, read-only, loading, no quorum, or not connected. */
export class NotExecuted extends RelayError {
  constructor(reason: string) {
    super('store_unavailable', reason);
  }
}

/**
 * Error replies that say that nothing was written. Inside a script too: Redis looks at these before the first write, and
 * once a script has written it lets the rest through.
 */
const NOT_EXECUTED: ReadonlyMap<string, string> = new Map([
  ['OOM', 'Storage is full'],
  ['READONLY', 'Storage is changing over'],
  ['MASTERDOWN', 'Storage is changing over'],
  ['CLUSTERDOWN', 'Storage is changing over'],
  ['TRYAGAIN', 'Storage is changing over'],
  ['LOADING', 'Storage is starting'],
  ['MISCONF', 'Storage cannot write to its disk'],
  ['NOREPLICAS', 'Storage has no replicas'],
  ['BUSY', 'Storage is busy'],
]);

/** What ioredis says where it wrote nothing. */
const NOT_WRITTEN = 'enableOfflineQueue options is false';

/** The first word of an error reply, such as `OOM`; `''` for what is no reply. */
export function replyCode(error: unknown): string {
  return isReply(error) ? error.message.split(' ', 1)[0]! : '';
}

/**
 * What a caller hears: `NotExecuted`, a plain `store_unavailable` where nobody knows whether Redis did it, or the error
 * itself where the mistake is ours (a script that fails, a key of another type, a missing permission).
 */
export function translate(error: unknown): unknown {
  if (error instanceof RelayError) return error;
  if (isReply(error)) {
    const reason = NOT_EXECUTED.get(replyCode(error));
    return reason === undefined ? error : new NotExecuted(reason);
  }
  if (String((error as Partial<Error>).message).endsWith(NOT_WRITTEN))
    return new NotExecuted('Storage is not connected');
  return new RelayError('store_unavailable');
}

function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}
