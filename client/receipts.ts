import type { Address } from '@relay/protocol';
import type { IncomingFrame } from './decode.js';
import type { Receipt } from './outgoing.js';

type ReceiptFrame = Extract<IncomingFrame, { readonly type: Receipt['kind'] }>;

/** The four frames that tell what became of a message, in one form. */
export function receiptOf(frame: ReceiptFrame): Receipt {
  const { type: kind, messageId, id = null } = frame;
  const peer: Address = frame.type === 'read' ? frame.from : frame.to;
  return { kind, messageId, peer, timestamp: frame.type === 'expired' ? null : frame.timestamp, id };
}
