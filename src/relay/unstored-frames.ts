/** Frames of one connection that are never stored but must be confirmed, and who waits to hear that they arrived. */
export class UnstoredFrames {
  private sent = 0;
  /** Oldest first. */
  private readonly waiting: { readonly number: number; readonly arrived: () => void }[] = [];

  get size(): number {
    return this.waiting.length;
  }

  /** The number of the last frame while somebody waits, else 0. */
  get mark(): number {
    return this.waiting.length === 0 ? 0 : this.sent;
  }

  add(arrived: () => void): void {
    this.waiting.push({ number: ++this.sent, arrived });
  }

  arrivedUpTo(number: number): void {
    while (this.waiting.length > 0 && this.waiting[0]!.number <= number) this.waiting.shift()?.arrived();
  }
}
