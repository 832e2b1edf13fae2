import type { Address } from '@relay/client';
import { byId } from '../dom.js';
import { paint, shortAddress } from './avatar.js';

/** A stop is not told where their link died. */
const TYPING_LASTS_MS = 6_000;
const MINUTE_MS = 60_000;
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** The other person: who, whether there, and whether writing. */
export class PeerView {
  private readonly name = byId('peer-name', HTMLElement);
  private readonly avatar = byId('peer-avatar', HTMLElement);
  private readonly presence = byId('presence', HTMLElement);
  private readonly typing = byId('typing', HTMLElement);
  private typingTimer = 0;

  constructor() {
    byId('chat', HTMLElement).hidden = true;
  }

  show(peer: Address): void {
    byId('pairing', HTMLElement).hidden = true;
    byId('chat', HTMLElement).hidden = false;
    paint(this.avatar, peer);
    this.name.textContent = shortAddress(peer);
    this.name.title = peer;
  }

  present({ isOnline, lastSeen }: { isOnline: boolean; lastSeen: number | null }): void {
    this.presence.classList.toggle('is-online', isOnline);
    this.presence.textContent = isOnline ? 'online' : lastSeen === null ? 'offline' : `last seen ${ago(lastSeen)}`;
    if (!isOnline) this.types(false);
  }

  /** While we are not connected, nobody tells us. */
  unknown(): void {
    this.presence.classList.remove('is-online');
    this.presence.textContent = 'not known while this window is offline';
    this.types(false);
  }

  types(isTyping: boolean): void {
    clearTimeout(this.typingTimer);
    this.typing.hidden = !isTyping;
    if (isTyping) this.typingTimer = window.setTimeout(() => this.types(false), TYPING_LASTS_MS);
  }
}

function ago(at: number): string {
  const minutes = Math.round((at - Date.now()) / MINUTE_MS);
  if (minutes > -1) return 'just now';
  return minutes > -60 ? relative.format(minutes, 'minute') : relative.format(Math.round(minutes / 60), 'hour');
}
