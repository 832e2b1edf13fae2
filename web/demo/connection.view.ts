import type { ClientEvents, State } from '@relay/client';
import { byId } from '../dom.js';

export interface ConnectionActions {
  goOnline(): void;
  goOffline(): void;
  retryNow(): void;
}

const TEXTS: Readonly<Record<State, string>> = {
  connecting: 'Connecting …',
  syncing: 'Catching up …',
  online: 'Connected',
  waiting: 'Reconnecting',
  stopped: 'Offline',
};
const MS_PER_SECOND = 1000;

/** Whether this window is connected, and the switch for it. */
export class ConnectionView {
  private readonly text = byId('state', HTMLElement);
  private readonly toggle = byId('switch', HTMLButtonElement);
  private readonly retry = byId('retry', HTMLButtonElement);

  constructor(actions: ConnectionActions) {
    this.retry.addEventListener('click', () => actions.retryNow());
    this.toggle.addEventListener('click', () => {
      if (this.toggle.getAttribute('aria-checked') === 'true') actions.goOffline();
      else actions.goOnline();
    });
  }

  show({ state, retryInMs }: ClientEvents['state']): void {
    const wait = retryInMs === undefined ? '' : ` in ${Math.ceil(retryInMs / MS_PER_SECOND)} s`;
    this.text.textContent = TEXTS[state] + wait;
    document.documentElement.dataset.state = state;
    this.toggle.setAttribute('aria-checked', String(state !== 'stopped'));
    this.retry.hidden = state !== 'waiting';
  }
}
