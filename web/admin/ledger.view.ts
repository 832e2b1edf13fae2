import { element } from '../dom.js';
import { count } from './format.js';
import { bar } from './sparkline.js';
import type { Ledger } from './views.js';

const PARTS = ['acknowledged', 'pending', 'expired', 'dropped'] as const;

/** What became of everything that was ever accepted. */
export function ledgerView(ledger: Ledger | null): HTMLElement[] {
  if (ledger === null) return [element('p', { class: 'hint' }, 'The store does not answer.')];
  const whole = Math.max(1, ledger.accepted);
  const isBalanced = PARTS.reduce((sum, part) => sum + ledger[part], 0) === ledger.accepted;
  const rows = PARTS.map((part) =>
    element('div', { class: `part is-${part}` }, element('dt', {}, part), element('dd', {}, count(ledger[part]))),
  );
  return [
    element('p', {}, element('strong', { class: 'value' }, count(ledger.accepted)), ' accepted since the store began'),
    element(
      'div',
      {},
      bar(
        PARTS.map((part) => ({ part: ledger[part] / whole, kind: `is-${part}` })),
        'What became of all accepted messages',
      ),
    ),
    element('dl', { class: 'parts' }, ...rows),
    ...(isBalanced
      ? []
      : [
          element(
            'p',
            { class: 'bad' },
            'These do not add up to what was accepted. What differs, and where: npm run verify',
          ),
        ]),
  ];
}
