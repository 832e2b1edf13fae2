import { element } from '../dom.js';
import { addressChip } from './address-chip.js';
import { button } from './address.view.js';
import { count, duration } from './format.js';
import type { Look } from './mailboxes.view.js';
import type { Ban } from './views.js';

/** Of ten thousand, the newest: more than anybody reads. */
const SHOWN = 100;

export function banList(bans: readonly Ban[], at: number, look: Look, unban: (address: string) => void): HTMLElement {
  if (bans.length === 0) return element('p', { class: 'hint' }, 'None.');
  const newest = bans.toReversed().slice(0, SHOWN);
  const rows = newest.map((ban) =>
    element(
      'li',
      { 'data-ban': ban.address },
      addressChip(ban.address, 'ban', look),
      element('p', { class: 'hint' }, `${duration(at - ban.at)} ago${ban.note === '' ? '' : `: ${ban.note}`}`),
      button('Lift', 'quiet', `lift ${ban.address}`, () => unban(ban.address)),
    ),
  );
  const more = bans.length - newest.length;
  return element(
    'div',
    {},
    element('ul', { class: 'bans' }, ...rows),
    more > 0 ? element('p', { class: 'hint' }, `And ${count(more)} older ones.`) : '',
  );
}
