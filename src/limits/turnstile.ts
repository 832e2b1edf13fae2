interface Line {
  running: number;
  readonly waiting: (() => void)[];
}

/** Work of one key, so much of it at a time, first come first served. Keys do not wait for each other. */
export class Turnstile {
  private readonly lines = new Map<string, Line>();

  constructor(private readonly width: number) {}

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const line = this.lines.get(key) ?? { running: 0, waiting: [] };
    this.lines.set(key, line);
    if (line.running < this.width) line.running++;
    else await new Promise<void>((resolve) => line.waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Whoever waited for longest takes the place over.
      const next = line.waiting.shift();
      if (next !== undefined) next();
      else if (--line.running === 0) this.lines.delete(key);
    }
  }
}
