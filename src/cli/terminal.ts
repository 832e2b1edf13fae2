/** Where a command writes; tests give their own. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether a person watches stderr. */
  readonly isWatched: boolean;
  readonly hasColor: boolean;
}

export const systemTerminal = (environment: Readonly<Record<string, string | undefined>>): Terminal => ({
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isWatched: process.stderr.isTTY,
  // no-color.org: set, and not empty.
  hasColor: process.stdout.isTTY && (environment.NO_COLOR ?? '') === '' && environment.TERM !== 'dumb',
});

const CODES = { ok: 32, warn: 33, fail: 31 } as const;

export function paint(terminal: Terminal, as: keyof typeof CODES, text: string): string {
  return terminal.hasColor ? `\u001b[${CODES[as]}m${text}\u001b[0m` : text;
}
