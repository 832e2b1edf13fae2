import { byId, element } from '../dom.js';

export interface Offer {
  readonly action: string;
  run(): void;
}

const LASTS_MS = 8_000;

/** What the person should know, for a while: the newest takes the place of the one before. */
export class NoticeView {
  private readonly place = byId('notice', HTMLElement);
  private timer = 0;
  /** All that stands there, where it is to be withdrawn. */
  private kept: string | null = null;

  tell(text: string): void {
    this.put(text);
    this.timer = window.setTimeout(() => this.place.replaceChildren(), LASTS_MS);
  }

  /** Stays until it is used. */
  offer(text: string, { action, run }: Offer): void {
    clearTimeout(this.timer);
    const button = element('button', { type: 'button' }, action);
    button.addEventListener('click', () => {
      this.place.replaceChildren();
      run();
    });
    this.place.replaceChildren(text, ' ', button);
  }

  /** Stays until it is withdrawn. */
  keep(text: string, offer?: Offer): void {
    if (offer === undefined) this.put(text);
    else this.offer(text, offer);
    this.kept = this.place.textContent;
  }

  /** What was kept is over. What took its place meanwhile stays. */
  withdraw(): void {
    if (this.kept === this.place.textContent) this.place.replaceChildren();
    this.kept = null;
  }

  /** Said again it only stays longer: a screen reader would read it each time. */
  private put(text: string): void {
    clearTimeout(this.timer);
    if (this.place.textContent !== text) this.place.textContent = text;
  }
}
