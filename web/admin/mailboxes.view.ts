import { element } from '../dom.js';
import { addressChip } from './address-chip.js';
import { bytes, count, counted, duration } from './format.js';
import { bar } from './sparkline.js';
import type { Load, Overview, Ranks } from './views.js';

export type Look = (address: string) => void;

export function fullest({ mailboxes, maxMessages }: Overview, look: Look): HTMLElement {
  return table(mailboxes, ['Mailbox', 'Messages', 'Size'], ({ fullest: loads }) =>
    loads.map((load) => [
      addressChip(load.address, 'fullest', look),
      element(
        'span',
        { class: 'fill' },
        count(load.messages),
        bar(
          [
            {
              part: load.messages / maxMessages,
              kind: load.messages > maxMessages * 0.8 ? 'is-dropped' : 'is-pending',
            },
          ],
          `${load.messages} of ${maxMessages}`,
        ),
      ),
      bytes(load.bytes),
    ]),
  );
}

export function slowest({ mailboxes, at }: Overview, look: Look): HTMLElement {
  return table(mailboxes, ['Mailbox', 'Oldest', 'Messages'], ({ slowest: loads }) =>
    loads.map((load) => [
      addressChip(load.address, 'slowest', look),
      duration(at - (load.oldestAt ?? at)),
      count(load.messages),
    ]),
  );
}

/** How much of the whole the two tables are about. */
export function roundText(ranks: Ranks | null): string {
  if (ranks === null) return '';
  if (ranks.of === null)
    return `Out of the ${counted(ranks.seen, 'mailbox', 'mailboxes')} looked at so far; the first round is not over.`;
  if (ranks.of === 0) return '';
  const more = ranks.seen > 0 ? `; the next round has come to ${count(ranks.seen)}` : '';
  return `Out of ${counted(ranks.of, 'mailbox', 'mailboxes')} with mail, all looked at ${ago(ranks.ageMs ?? 0)}${more}.`;
}

function ago(ageMs: number): string {
  return ageMs < 2_000 ? 'just now' : `${duration(ageMs)} ago`;
}

type Cell = Node | string;

function table(
  ranks: Ranks | null,
  [first, ...others]: readonly string[],
  rowsOf: (ranks: Ranks) => Cell[][],
): HTMLElement {
  if (ranks === null) return element('p', { class: 'hint' }, 'The store does not answer.');
  const rows = rowsOf(ranks);
  if (rows.length === 0) return element('p', { class: 'hint' }, 'Nothing waits.');
  const head = [first ?? '', ...others].map((name) => element('th', { scope: 'col' }, name));
  const body = rows.map((cells) => element('tr', {}, ...cells.map((cell) => element('td', {}, cell))));
  return element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...body));
}

export function waitingText({ messages, bytes: size, oldestAt }: Load, at: number): string {
  if (messages === 0) return 'nothing';
  return `${counted(messages, 'message', 'messages')}, ${bytes(size)}, the oldest for ${duration(at - (oldestAt ?? at))}`;
}
