import { byId } from '../dom.js';

export interface Question {
  readonly title: string;
  readonly text: string;
  /** On the button that does it. */
  readonly yes: string;
  readonly asksWhy?: boolean;
}

/** What was written where a reason is asked for, else ''; `null` where the operator thinks better of it. */
export function confirm({ title, text, yes, asksWhy = false }: Question): Promise<string | null> {
  const dialog = byId('confirm', HTMLDialogElement);
  const note = byId('note', HTMLInputElement);
  byId('confirm-title', HTMLElement).textContent = title;
  byId('confirm-text', HTMLElement).textContent = text;
  byId('confirm-note', HTMLElement).hidden = !asksWhy;
  byId('confirm-yes', HTMLButtonElement).textContent = yes;
  note.value = '';
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes' ? note.value : null), { once: true });
  });
}
