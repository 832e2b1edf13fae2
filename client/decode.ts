import type { Address, ServerFrame, Verdict } from '@relay/protocol';

export interface MessageEntry {
  readonly type: 'message';
  readonly from: Address;
  readonly content: string;
  readonly messageId: string;
  readonly timestamp: number;
  readonly queued?: true;
  /** Missing where it is not stored. */
  readonly id?: string;
}

export interface VerdictEntry {
  readonly type: Verdict;
  readonly messageId: string;
  readonly to: Address;
  readonly timestamp: number;
  /** Set where it comes from the mailbox. */
  readonly id?: string;
}

export type IncomingFrame = ServerFrame | MessageEntry | VerdictEntry;

type Kind = 'string' | 'number' | 'boolean' | 'object';

/** Members without which a frame is of no use. What else it has is left as it is. */
const REQUIRED: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  auth_success: { address: 'string', timestamp: 'number', v: 'number', limits: 'object', pending: 'number' },
  challenge: { nonce: 'string', expiresAt: 'number' },
  message: { from: 'string', content: 'string', messageId: 'string', timestamp: 'number' },
  queued: { messageId: 'string', to: 'string', timestamp: 'number' },
  delivered: { messageId: 'string', to: 'string', timestamp: 'number' },
  read: { from: 'string', messageId: 'string', timestamp: 'number' },
  expired: { messageId: 'string', to: 'string' },
  gap: { reason: 'string', count: 'number' },
  sync_complete: {},
  history: { entries: 'object' },
  typing: { from: 'string', isTyping: 'boolean' },
  signal: { from: 'string', data: 'string' },
  presence: { address: 'string', status: 'string' },
  key_changed: { address: 'string', updatedAt: 'number' },
  session_opened: { address: 'string', deviceId: 'string', openedAt: 'number' },
  going_away: { reconnectAfterMs: 'number' },
  pong: {},
  error: { code: 'string', message: 'string' },
};

/** What the relay sent, or `null` for a frame of a type that came later than this client, or of no use. */
export function decodeServerFrame(data: unknown): IncomingFrame | null {
  if (typeof data !== 'string') return null;
  let fields: unknown;
  try {
    fields = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof fields !== 'object' || fields === null) return null;
  const frame = fields as Readonly<Record<string, unknown>>;
  const type = frame.type;
  if (typeof type !== 'string' || !Object.hasOwn(REQUIRED, type)) return null;
  const isWhole = Object.entries(REQUIRED[type]!).every(
    ([name, kind]) => typeof frame[name] === kind && frame[name] !== null,
  );
  return isWhole ? (fields as IncomingFrame) : null;
}
