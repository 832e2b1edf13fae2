import type { Question } from './messages.js';

/** Questions to another process, and who waits for the answers. */
export class Questions {
  private readonly waiting = new Map<number, (value: unknown) => void>();
  private lastId = 0;

  constructor(private readonly send: (id: number, question: Question) => void) {}

  /** The answer, or `undefined` where none came in time. */
  ask(question: Question, withinMs: number): Promise<unknown> {
    const id = ++this.lastId;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answered(id, undefined), withinMs);
      this.waiting.set(id, (value) => {
        clearTimeout(timer);
        resolve(value);
      });
      this.send(id, question);
    });
  }

  answered(id: number, value: unknown): void {
    const resolve = this.waiting.get(id);
    this.waiting.delete(id);
    resolve?.(value);
  }

  /** Nobody answers any more. */
  end(): void {
    for (const id of [...this.waiting.keys()]) this.answered(id, undefined);
  }
}
