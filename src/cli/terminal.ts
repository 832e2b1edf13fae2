/** Where a command writes; tests give their own. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether a person watches stderr. */
  readonly isWatched: boolean;
  readonly hasColor: boolean;
}

/** Whoever reads may have seen enough (`| head`): the command goes on to its end and its exit code, and what it says is lost. */
function writerOf(stream: NodeJS.WriteStream): (text: string) => void {
  let isWatched = false;
  return (text) => {
    // Only for what commands write: a relay that can log no more is for the relay to decide.
    if (!isWatched) {
      stream.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EPIPE') throw error;
      });
    }
    isWatched = true;
    stream.write(text);
  };
}

export const systemTerminal = (environment: Readonly<Record<string, string | undefined>>): Terminal => ({
  out: writerOf(process.stdout),
  err: writerOf(process.stderr),
  isWatched: process.stderr.isTTY,
  // no-color.org: set, and not empty.
  hasColor: process.stdout.isTTY && (environment.NO_COLOR ?? '') === '' && environment.TERM !== 'dumb',
});

const CODES = { ok: 32, warn: 33, fail: 31 } as const;

export function paint(terminal: Terminal, as: keyof typeof CODES, text: string): string {
  return terminal.hasColor ? `\u001b[${CODES[as]}m${text}\u001b[0m` : text;
}
