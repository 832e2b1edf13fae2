import { type Address, LIMITS } from '@relay/protocol';
import type { IncomingFrame } from './decode.js';
import { ClientError } from './errors.js';

export interface HistoryEntry {
  readonly id: string;
  readonly from: Address;
  readonly content: string;
  readonly messageId: string;
  /** ms since 1970 */
  readonly timestamp: number;
}

export interface HistoryPage {
  /** Newest first. */
  readonly entries: readonly HistoryEntry[];
  /** Pass as `before` for older ones; `null` at the end. */
  readonly next: string | null;
}

export interface HistoryRequest {
  readonly before?: string | null;
  /** 1 to 100. */
  readonly limit?: number;
}

interface Pending {
  readonly request: HistoryRequest;
  readonly resolve: (page: HistoryPage) => void;
  readonly reject: (error: ClientError) => void;
}

/** Answers name no request, so one is asked at a time. */
export class History {
  private readonly pending: Pending[] = [];

  constructor(private readonly transmit: (frame: object) => void) {}

  ask(request: HistoryRequest): Promise<HistoryPage> {
    return new Promise((resolve, reject) => {
      this.pending.push({ request, resolve, reject });
      if (this.pending.length === 1) this.askNext();
    });
  }

  answered({ entries, next }: IncomingFrame & { readonly type: 'history' }): void {
    this.pending.shift()?.resolve({ entries, next });
    this.askNext();
  }

  /** An error about no message: of the history, if that was asked for. */
  failed(error: ClientError): boolean {
    const asked = this.pending.shift();
    asked?.reject(error);
    this.askNext();
    return asked !== undefined;
  }

  stop(): void {
    for (const { reject } of this.pending.splice(0)) reject(new ClientError('offline'));
  }

  private askNext(): void {
    const [next] = this.pending;
    if (next === undefined) return;
    const { before = null, limit = LIMITS.pageSize } = next.request;
    this.transmit({ type: 'history', limit, ...(before === null ? {} : { before }) });
  }
}
