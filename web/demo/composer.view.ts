import { byId } from '../dom.js';

export interface ComposerActions {
  say(text: string): void;
  typing(isTyping: boolean): void;
  /** Resolves when all are in the outbox. */
  burst(count: number): Promise<void>;
}

const TELL_AGAIN_AFTER_MS = 2_500;
const IDLE_AFTER_MS = 3_000;

/** Where the person writes. */
export class ComposerView {
  private readonly text = byId('text', HTMLTextAreaElement);
  private readonly form = byId('composer', HTMLFormElement);
  private readonly burstButton = byId('burst-send', HTMLButtonElement);
  private toldAt = -Infinity;
  private idleTimer = 0;

  constructor(private readonly actions: ComposerActions) {
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    this.text.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    });
    this.text.addEventListener('input', () => this.types());
    this.text.addEventListener('blur', () => this.stops());
    const burst = byId('burst', HTMLFormElement);
    burst.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.burst();
    });
  }

  /** There is somebody to write to. */
  allowBurst(): void {
    this.burstButton.disabled = false;
  }

  focus(): void {
    this.text.focus({ preventScroll: true });
  }

  private submit(): void {
    const text = this.text.value.trim();
    if (text === '') return;
    this.text.value = '';
    this.stops();
    this.actions.say(text);
  }

  private async burst(): Promise<void> {
    this.burstButton.disabled = true;
    await this.actions.burst(Number(byId('burst-count', HTMLSelectElement).value));
    this.burstButton.disabled = false;
  }

  /** Not each key: the relay counts these frames as it counts messages. */
  private types(): void {
    if (this.text.value === '') return this.stops();
    clearTimeout(this.idleTimer);
    this.idleTimer = window.setTimeout(() => this.stops(), IDLE_AFTER_MS);
    const now = performance.now();
    if (now - this.toldAt < TELL_AGAIN_AFTER_MS) return;
    this.toldAt = now;
    this.actions.typing(true);
  }

  private stops(): void {
    clearTimeout(this.idleTimer);
    if (this.toldAt === -Infinity) return;
    this.toldAt = -Infinity;
    this.actions.typing(false);
  }
}
