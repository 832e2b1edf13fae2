const MAX_WAITING = 4_096;
/** So many more are worth a question of their own, before the next tick. */
const ASK_EVERY = 512;

/** What one connection was sent that its mailbox does not hold, and who waits to hear that it arrived. */
export class UnstoredFrames {
  private sent = 0;
  /** Oldest first. */
  private readonly waiting: { readonly number: number; readonly arrived: () => void; readonly isFrame: boolean }[] = [];
  private frames = 0;

  /** Frames on their way; what was only noted is not counted. */
  get size(): number {
    return this.frames;
  }

  /** So much waits that the client seems not to confirm anything; what is not told by the mailbox must be no more. */
  get isFull(): boolean {
    return this.waiting.length >= MAX_WAITING;
  }

  get isUrgent(): boolean {
    return this.waiting.length % ASK_EVERY === 0;
  }

  get isWaiting(): boolean {
    return this.waiting.length > 0;
  }

  /** The number of the last one while somebody waits, else 0. */
  get mark(): number {
    return this.waiting.length === 0 ? 0 : this.sent;
  }

  /** `isFrame`: one that counts against what may be on its way. */
  add(arrived: () => void, isFrame: boolean): void {
    if (isFrame) this.frames++;
    this.waiting.push({ number: ++this.sent, arrived, isFrame });
  }

  arrivedUpTo(number: number): void {
    let count = 0;
    while (count < this.waiting.length && this.waiting[count]!.number <= number) count++;
    for (const { arrived, isFrame } of this.waiting.splice(0, count)) {
      if (isFrame) this.frames--;
      arrived();
    }
  }
}
