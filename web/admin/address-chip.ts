import { drawing, element } from '../dom.js';
import { shortAddress } from './format.js';

const COPY = 'M6 6h8v10H6zM4 13V3h8';
const DONE = 'M4 10l4 4 8-9';
const SHOWN_MS = 1_200;

/** An address in short form, which leads to what is known of it, and a button that copies all of it. `place` keeps keys apart. */
export function addressChip(address: string, place: string, look: (address: string) => void): HTMLElement {
  const link = element(
    'button',
    { type: 'button', class: 'address', title: address, 'data-key': `${place} ${address}` },
    shortAddress(address),
  );
  link.addEventListener('click', () => look(address));
  return element('span', { class: 'chip' }, link, copyButton(address, place));
}

function copyButton(address: string, place: string): HTMLElement {
  const copy = element('button', {
    type: 'button',
    class: 'icon',
    'aria-label': `Copy ${address}`,
    'data-key': `copy ${place} ${address}`,
  });
  // Browsers give pages the clipboard only on HTTPS and on this machine.
  copy.hidden = !isSecureContext;
  copy.append(drawing('0 0 20 20', COPY));
  copy.addEventListener('click', () => {
    void navigator.clipboard.writeText(address).then(() => {
      copy.replaceChildren(drawing('0 0 20 20', DONE));
      setTimeout(() => copy.replaceChildren(drawing('0 0 20 20', COPY)), SHOWN_MS);
    });
  });
  return copy;
}
