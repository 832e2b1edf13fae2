import type { Beginning, Question, ToPrimary, ToWorker } from './messages.js';
import { Questions } from './questions.js';

/** As much as is used of `process` in a worker. */
export interface Channel {
  send?(message: ToPrimary, done: (error: Error | null) => void): unknown;
  on(event: 'message', listener: (message: ToWorker) => void): unknown;
}

type Told = Exclude<ToWorker['type'], 'begin' | 'ask' | 'answer'>;
type Handlers = { [Type in Told]?: (message: Extract<ToWorker, { type: Type }>) => void };
type Replies = Partial<Record<Question, () => Promise<unknown>>>;

/** What a worker and the primary say to each other, at the worker's end. */
export class PrimaryLink {
  private readonly questions = new Questions((id, question) => void this.tell({ type: 'ask', id, question }));
  private readonly handlers: Handlers = {};
  private readonly replies: Replies = {};
  private begun: (beginning: Beginning) => void = () => undefined;

  constructor(private readonly channel: Channel) {
    channel.on('message', (message) => this.take(message));
  }

  /** Says hello; resolves with what the primary answers. */
  begin(): Promise<Beginning> {
    const beginning = new Promise<Beginning>((resolve) => (this.begun = resolve));
    void this.tell({ type: 'hello' });
    return beginning;
  }

  /** Resolves when it is sent, or cannot be: then the primary has gone, which ends this process. */
  tell(message: ToPrimary): Promise<void> {
    return new Promise((resolve) => {
      if (this.channel.send === undefined) resolve();
      else this.channel.send(message, () => resolve());
    });
  }

  ask(question: Question, withinMs: number): Promise<unknown> {
    return this.questions.ask(question, withinMs);
  }

  on<Type extends Told>(type: Type, handler: (message: Extract<ToWorker, { type: Type }>) => void): void {
    Object.assign(this.handlers, { [type]: handler });
  }

  /** One whose reply fails is not answered, as one that hangs. */
  answer(question: Question, reply: () => Promise<unknown>): void {
    this.replies[question] = reply;
  }

  private take(message: ToWorker): void {
    if (message.type === 'begin') return this.begun(message.beginning);
    if (message.type === 'answer') return this.questions.answered(message.id, message.value);
    if (message.type === 'ask') return this.reply(message.id, message.question);
    (this.handlers[message.type] as ((message: ToWorker) => void) | undefined)?.(message);
  }

  private reply(id: number, question: Question): void {
    void this.replies[question]?.().then(
      (value) => this.tell({ type: 'answer', id, value }),
      () => undefined,
    );
  }
}
