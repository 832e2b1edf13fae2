import type { Address } from '@relay/client';
import { byId } from '../dom.js';

/** Hosts that mean another machine on another machine. */
const LOCAL = /^(localhost|127\.|\[::1\])/;
const COPIED_FOR_MS = 2_000;
/** There is something to do meanwhile. */
const SELECTED_FOR_MS = 8_000;
const POPUP = { width: 560, height: 860, gap: 16 };

export function linkTo(address: Address): string {
  return `${location.origin}${location.pathname}#to=${address}`;
}

/** How the second person gets there: a window, or a link. */
export class PairingView {
  private readonly open = byId('open-second', HTMLAnchorElement);
  private readonly link = byId('link', HTMLInputElement);
  private readonly copy = byId('copy', HTMLButtonElement);

  constructor() {
    byId('local-hint', HTMLElement).hidden = !LOCAL.test(location.host);
    this.open.addEventListener('click', (event) => this.openBeside(event));
    this.copy.addEventListener('click', () => void this.copyLink());
  }

  show(own: Address): void {
    this.open.href = this.link.value = linkTo(own);
  }

  /** As a window of its own beside this one, where there is room for two; else, or with a key held down, as any link. */
  private openBeside(event: MouseEvent): void {
    const isPlain = !(event.metaKey || event.ctrlKey || event.shiftKey);
    if (!isPlain || screen.availWidth < 2 * POPUP.width) return;
    event.preventDefault();
    const left = Math.min(window.screenX + window.outerWidth + POPUP.gap, screen.availWidth - POPUP.width);
    const place = `width=${POPUP.width},height=${POPUP.height},left=${left},top=${window.screenY}`;
    // Without noopener the new window would begin with a copy of this one's key.
    window.open(this.open.href, '_blank', `popup,noopener,${place}`);
  }

  /** The clipboard is there on HTTPS and localhost alone; the selection everywhere. */
  private async copyLink(): Promise<void> {
    this.link.select();
    const isCopied = await navigator.clipboard?.writeText(this.link.value).then(
      () => true,
      () => false,
    );
    this.copy.textContent = isCopied ? 'Copied' : 'Selected: press Ctrl+C';
    setTimeout(() => (this.copy.textContent = 'Copy'), isCopied ? COPIED_FOR_MS : SELECTED_FOR_MS);
  }
}
