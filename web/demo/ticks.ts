import { drawing, element } from '../dom.js';
import type { Status } from './entries.js';

/** In words, for whoever does not see the drawing; the same words as in the legend. */
export const STATUS_TEXTS: Readonly<Record<Status, string>> = {
  waiting: 'Waiting in this window',
  queued: 'The relay has it',
  delivered: 'Their device has it',
  read: 'They have read it',
  failed: 'Refused',
  expired: 'Expired before anybody fetched it',
};

const TICK = 'M1 6.5 4.5 10 11 2.5';
const SECOND_TICK = 'M7.5 8.6 8.9 10 15.5 2.5';
const CLOCK = ['M8 1a5.5 5.5 0 1 0 0 11A5.5 5.5 0 1 0 8 1', 'M8 3.5v3l2 1.5'];
const CROSS = ['M4 2l8 9', 'M12 2 4 11'];

const PATHS: Readonly<Record<Status, readonly string[]>> = {
  waiting: CLOCK,
  queued: [TICK],
  delivered: [TICK, SECOND_TICK],
  read: [TICK, SECOND_TICK],
  failed: CROSS,
  expired: CROSS,
};

export function ticks(status: Status): HTMLElement {
  const text = STATUS_TEXTS[status];
  const attributes = { class: `ticks ${status}`, role: 'img', 'aria-label': text, title: text };
  return element('span', attributes, drawing('0 0 17 13', ...PATHS[status]));
}

/** The four that a message goes through. */
export function legend(): HTMLElement[] {
  const steps = ['waiting', 'queued', 'delivered', 'read'] as const;
  return steps.map((status) => {
    const item = element('li', {}, ticks(status), STATUS_TEXTS[status]);
    // The words stand beside it.
    item.firstElementChild!.setAttribute('aria-hidden', 'true');
    return item;
  });
}
