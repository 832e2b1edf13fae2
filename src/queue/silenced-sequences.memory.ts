/** More than can be on its way to the clients of one address; a mailbox that nobody opens must not grow. */
const MAX_SILENCED = 4096;
const NOTHING: readonly number[] = [];

/** Sequences that an acknowledgement will pass without being owed a receipt. Mostly there are none. */
export class SilencedSequences {
  private sequences: Set<number> | null = null;

  add(sequence: number): void {
    const sequences = (this.sequences ??= new Set());
    sequences.add(sequence);
    if (sequences.size <= MAX_SILENCED) return;
    const [oldest] = sequences;
    if (oldest !== undefined) sequences.delete(oldest);
  }

  /** Those up to there, once. */
  takeUpTo(sequence: number): readonly number[] {
    if (this.sequences === null) return NOTHING;
    const taken = [...this.sequences].filter((silenced) => silenced <= sequence);
    for (const silenced of taken) this.sequences.delete(silenced);
    if (this.sequences.size === 0) this.sequences = null;
    return taken;
  }
}
