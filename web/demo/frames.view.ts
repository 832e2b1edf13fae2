import { byId, element } from '../dom.js';

export interface SeenFrame {
  readonly direction: 'in' | 'out';
  readonly text: string;
}

interface Kept extends SeenFrame {
  readonly at: Date;
}

const MAX_FRAMES = 150;
const MAX_CHARS = 420;
const CONTENT = /("content":")([^"]*)(")/;

/** What passes over the wire, as it is: bounded, and drawn only while somebody looks. */
export class FramesView {
  private readonly details = byId('frames', HTMLDetailsElement);
  private readonly list = byId('frame-list', HTMLOListElement);
  private readonly total = byId('frame-total', HTMLElement);
  private readonly kept: Kept[] = [];
  private count = 0;
  /** Of those that are kept, not yet in the list. */
  private fresh = 0;
  private isDue = false;

  constructor() {
    this.details.addEventListener('toggle', () => this.wantsDrawing());
    byId('frames-clear', HTMLButtonElement).addEventListener('click', () => {
      this.kept.length = this.fresh = 0;
      this.list.replaceChildren();
    });
  }

  add({ direction, text }: SeenFrame): void {
    this.kept.push({ direction, text, at: new Date() });
    if (this.kept.length > MAX_FRAMES) this.kept.shift();
    this.fresh = Math.min(this.fresh + 1, this.kept.length);
    this.count++;
    this.wantsDrawing();
  }

  private wantsDrawing(): void {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.isDue = false;
    this.total.textContent = this.count.toLocaleString('en');
    if (!this.details.open || this.fresh === 0) return;
    const follows = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    this.list.append(...this.kept.slice(-this.fresh).map(rowOf));
    this.fresh = 0;
    while (this.list.childElementCount > MAX_FRAMES) this.list.firstElementChild!.remove();
    if (follows) this.list.scrollTop = this.list.scrollHeight;
  }
}

function rowOf({ direction, text, at }: Kept): HTMLElement {
  const isOut = direction === 'out';
  const way = element('span', { class: 'way' }, element('span', { 'aria-hidden': 'true' }, isOut ? '↑' : '↓'));
  way.append(element('span', { class: 'unseen' }, isOut ? 'sent' : 'received'));
  const time = element('time', {}, at.toISOString().slice(11, 23));
  return element('li', { class: `frame ${direction}` }, way, time, element('code', {}, ...partsOf(text)));
}

/** Marks what the envelope holds: all that the relay gets to see of a message's words. */
function partsOf(text: string): (Node | string)[] {
  const [, before, content, after] = CONTENT.exec(text) ?? [];
  if (content === undefined) return [shortened(text)];
  const at = text.indexOf(before!) + before!.length;
  const mark = element('mark', {}, shortened(content));
  return [text.slice(0, at), mark, after! + text.slice(at + content.length + 1)];
}

function shortened(text: string): string {
  if (text.length <= MAX_CHARS) return text;
  return `${text.slice(0, MAX_CHARS)}… ${(text.length - MAX_CHARS).toLocaleString('en')} more characters`;
}
