import { byId, element } from '../dom.js';
import { type BurstEntry, type Entry, isComplete } from './entries.js';
import { ticks } from './ticks.js';

const MS_PER_SECOND = 1000;
/** So near to the end, the person follows the conversation. */
const NEAR_PX = 80;
const number = new Intl.NumberFormat('en');
const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });

/** The messages on the screen; each is drawn again when something about it changes, at most once per frame of the screen. */
export class LogView {
  private readonly log = byId('log', HTMLElement);
  private readonly list = byId('messages', HTMLOListElement);
  private readonly items = new Map<number, HTMLLIElement>();
  private readonly due = new Map<number, Entry>();

  /** @param drawn after each drawing */
  constructor(private readonly drawn: () => void) {}

  show(entry: Entry): void {
    if (this.due.size === 0) requestAnimationFrame(() => this.draw());
    this.due.set(entry.sequence, entry);
  }

  /** The newest message is on the screen. */
  get isAtEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.log;
    return scrollHeight - scrollTop - clientHeight < NEAR_PX;
  }

  clear(): void {
    this.items.clear();
    this.due.clear();
    this.list.replaceChildren();
  }

  private draw(): void {
    const follows = this.isAtEnd;
    for (const entry of this.due.values()) this.place(entry);
    this.due.clear();
    if (follows) this.log.scrollTop = this.log.scrollHeight;
    this.drawn();
  }

  private place(entry: Entry): void {
    const known = this.items.get(entry.sequence);
    const item = known ?? element('li', { class: `message ${entry.isMine ? 'mine' : 'theirs'}` });
    const [text, meta] = [bodyOf(entry), metaOf(entry)];
    // What has not changed stays, and with it what a screen reader has read of it already.
    if (item.firstElementChild?.textContent === text.textContent) item.lastElementChild!.replaceWith(meta);
    else item.replaceChildren(text, meta);
    if (known !== undefined) return;
    this.items.set(entry.sequence, item);
    this.list.append(item);
  }
}

function bodyOf(entry: Entry): HTMLElement {
  const who = element('span', { class: 'unseen' }, entry.isMine ? 'You: ' : 'They: ');
  return element('p', { class: 'text' }, who, entry.kind === 'text' ? entry.text : burstText(entry));
}

function metaOf(entry: Entry): HTMLElement {
  const time = element('time', { datetime: new Date(entry.at).toISOString() }, clock.format(entry.at));
  return element('p', { class: 'meta' }, time, ...(entry.isMine ? [ticks(entry.status)] : []));
}

function burstText(entry: BurstEntry): string {
  const { isMine, of, good, count, tookMs } = entry;
  const seconds = tookMs / MS_PER_SECOND;
  const rate = `${seconds.toFixed(1)} s, ${number.format(Math.round(good / Math.max(seconds, 0.001)))} a second`;
  const all = `${number.format(of)} messages`;
  if (!isMine && count !== good)
    return `${all}: ${number.format(count - good)} of ${number.format(count)} out of place`;
  if (!isComplete(entry)) return `${all}: ${number.format(good)} ${isMine ? 'delivered' : 'came'} …`;
  return isMine ? `${all} delivered in ${rate}` : `${all} came, each once and in order, in ${rate}`;
}
