import { byId, element } from '../dom.js';

const LASTS_MS = 8_000;

/** What the person should know, for a while: the newest takes the place of the one before. */
export class NoticeView {
  private readonly place = byId('notice', HTMLElement);
  private timer = 0;

  tell(text: string): void {
    // Said again it only stays longer: a screen reader would read it each time.
    if (this.place.textContent !== text) this.place.textContent = text;
    this.staysFor(LASTS_MS);
  }

  /** Stays until it is used. */
  offer(text: string, action: string, run: () => void): void {
    clearTimeout(this.timer);
    const button = element('button', { type: 'button' }, action);
    button.addEventListener('click', () => {
      this.place.replaceChildren();
      run();
    });
    this.place.replaceChildren(text, ' ', button);
  }

  private staysFor(ms: number): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.place.replaceChildren(), ms);
  }
}
