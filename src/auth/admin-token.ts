import { createHash, timingSafeEqual } from 'node:crypto';

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();

/** What an operator proves itself with. Kept as its digest, whose comparison takes the same time whatever differs. */
export class AdminToken {
  private readonly digest: Buffer | null;

  /** `''`: there is none, and nothing matches it. */
  constructor(token: string) {
    this.digest = token === '' ? null : digestOf(token);
  }

  get isSet(): boolean {
    return this.digest !== null;
  }

  /** Tells tokens apart in logs, from one to the next, and gives nothing of them away. */
  get fingerprint(): string {
    return this.digest?.toString('hex').slice(0, 8) ?? 'none';
  }

  matches(token: string): boolean {
    return this.digest !== null && timingSafeEqual(this.digest, digestOf(token));
  }
}
