import { ClientError } from './errors.js';
import type { OutgoingMessage, Receipt } from './outgoing.js';

/** Messages that are never stored: one attempt each, and no other after it. */
export class EphemeralSends {
  private readonly waiting = new Map<string, OutgoingMessage>();

  constructor(private readonly transmit: (frame: object) => boolean) {}

  send(message: OutgoingMessage, content: string): OutgoingMessage {
    const { messageId, to } = message;
    if (!this.transmit({ type: 'message', to, content, messageId, ephemeral: true })) throw new ClientError('offline');
    this.waiting.set(messageId, message);
    return message;
  }

  delivered(receipt: Receipt): void {
    this.waiting.get(receipt.messageId)?.advance(receipt);
    this.waiting.delete(receipt.messageId);
  }

  /** False for what is not one of these. */
  refused(error: ClientError): boolean {
    const messageId = error.messageId ?? '';
    this.waiting.get(messageId)?.fail(error);
    return this.waiting.delete(messageId);
  }

  stop(): void {
    for (const [messageId, message] of this.waiting) {
      message.fail(new ClientError('offline', { messageId, outcome: 'unknown' }));
    }
    this.waiting.clear();
  }
}
