import { byId } from '../dom.js';
import { addressView, type AddressActions } from './address.view.js';
import { type Api, Refused } from './api.js';
import { banList } from './bans.view.js';
import { confirm, type Question } from './confirm.js';
import { drainQuestion } from './drain-question.js';
import { figures } from './figures.view.js';
import { shortAddress } from './format.js';
import { ledgerView } from './ledger.view.js';
import { show } from './live.js';
import { fullest, roundText, slowest } from './mailboxes.view.js';
import { nodeCards, type NodeActions } from './nodes.view.js';
import type { Ban, NodeView, Overview } from './views.js';

const SAID_FOR_MS = 4_000;

const at = (id: string): HTMLElement => byId(id, HTMLElement);

/** Everything that an operator sees once signed in. */
export class Board {
  private chosen: string | null = null;
  private bans: readonly Ban[] = [];
  private bansKnown = -1;
  private storeAt = 0;
  private nodes: readonly NodeView[] = [];
  private saidUntil: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly api: Api,
    private readonly signedOut: (reason: string) => void,
  ) {
    const find = byId('find', HTMLFormElement);
    find.onsubmit = (event) => {
      event.preventDefault();
      void this.choose(byId('address', HTMLInputElement).value.trim());
    };
  }

  /** Asks for everything that is shown, and shows it. */
  async look(): Promise<void> {
    const overview = await this.api.overview();
    this.storeAt = overview.at;
    this.nodes = overview.nodes;
    this.showOverview(overview);
    // A list of its own, and one that seldom changes.
    if (overview.bans !== this.bansKnown) await this.loadBans();
    this.showBans();
    if (this.chosen !== null) await this.lookAtAddress(this.chosen);
  }

  private showOverview(overview: Overview): void {
    show(at('figures'), ...figures(overview));
    show(at('nodes'), ...nodeCards(overview.nodes, overview.at, this.nodeActions));
    show(at('ledger'), ...ledgerView(overview.ledger));
    show(at('fullest'), fullest(overview, this.lookUp));
    show(at('slowest'), slowest(overview, this.lookUp));
    at('round').textContent = roundText(overview.mailboxes);
    const notice = noticeOf(overview);
    at('notice').hidden = notice === '';
    // Said once, not with every look.
    if (at('notice').textContent !== notice) at('notice').textContent = notice;
  }

  private async loadBans(): Promise<void> {
    const { bans, count } = await this.api.bans();
    this.bans = bans;
    this.bansKnown = count;
  }

  private showBans(): void {
    show(at('bans'), banList(this.bans, this.storeAt, this.lookUp, this.addressActions.unban));
  }

  private readonly lookUp = (address: string): void => {
    byId('address', HTMLInputElement).value = address;
    void this.choose(address);
    at('address-title').scrollIntoView({ block: 'start' });
  };

  private async choose(address: string): Promise<void> {
    this.chosen = address;
    at('found').replaceChildren();
    await this.lookAtAddress(address);
  }

  private async lookAtAddress(address: string): Promise<void> {
    const error = at('find-error');
    try {
      const view = await this.api.address(address);
      if (this.chosen !== address) return;
      error.hidden = true;
      show(at('found'), ...addressView(view, this.storeAt, this.addressActions));
    } catch (reason) {
      // What is no address is not asked for again.
      if (reason instanceof Refused && reason.status === 400) this.chosen = null;
      error.hidden = false;
      error.textContent = reason instanceof Refused ? reason.message : 'The relay does not answer.';
    }
  }

  private readonly nodeActions: NodeActions = {
    drain: (view) =>
      void this.act(drainQuestion(view, this.nodes), async () => {
        await this.api.drain(view.node);
        return `Node ${view.node} is told to drain.`;
      }),
    resume: ({ node }) =>
      void this.act(null, async () => {
        await this.api.resume(node);
        return `Node ${node} is told to let clients in.`;
      }),
  };

  private readonly addressActions: AddressActions = {
    revoke: (address) =>
      void this.act(
        {
          title: `Revoke all sessions of ${shortAddress(address)}?`,
          text: 'Every device is signed out and cut off. Mail stays. Clients that need no proof come back at once.',
          yes: 'Revoke them',
        },
        async () => {
          const { sessions, devices } = await this.api.revoke(address);
          return `${sessions} sessions revoked, ${devices} devices cut off.`;
        },
      ),
    endDevice: (address, deviceId) =>
      void this.act(
        {
          title: `End the device ${deviceId}?`,
          text: 'It is signed out and cut off, and mail waits for it no more.',
          yes: 'End it',
        },
        async () => {
          await this.api.endDevice(address, deviceId);
          return `The device ${deviceId} is ended.`;
        },
      ),
    ban: (address) =>
      void this.act(
        {
          title: `Ban ${shortAddress(address)}?`,
          text: 'Whatever it has open is closed, and its sign-ins and calls are refused by all nodes within 5 s. Its mail stays, and so do its sessions, for when the ban is lifted.',
          yes: 'Ban it',
          asksWhy: true,
        },
        async (note) => {
          await this.api.ban(address, note);
          this.bansKnown = -1;
          return `${shortAddress(address)} is banned.`;
        },
      ),
    unban: (address) =>
      void this.act(null, async () => {
        await this.api.unban(address);
        this.bansKnown = -1;
        return `${shortAddress(address)} is let in again.`;
      }),
  };

  /** What destroys something is asked about first. */
  private async act(question: Question | null, work: (note: string) => Promise<string>): Promise<void> {
    const note = question === null ? '' : await confirm(question);
    if (note === null) return;
    try {
      this.say(await work(note));
      await this.look();
    } catch (reason) {
      if (reason instanceof Refused && reason.status === 401) return this.signedOut('The token is not right any more.');
      this.say(reason instanceof Refused ? reason.message : 'The relay did not answer: look whether it was done.');
    }
  }

  private say(text: string): void {
    const said = at('said');
    clearTimeout(this.saidUntil);
    said.textContent = text;
    said.hidden = false;
    this.saidUntil = setTimeout(() => (said.hidden = true), SAID_FOR_MS);
  }
}

function noticeOf({ nodes, ledger }: Overview): string {
  const away = nodes.filter(({ isAway }) => isAway).map(({ node }) => node);
  const parts = [
    ...(ledger === null ? ['The store does not answer: messages are refused until it is back.'] : []),
    ...(away.length > 0
      ? [`Silent, and never said that it stops: ${away.join(', ')}. It crashed, hangs or is cut off: look at its log.`]
      : []),
  ];
  return parts.join(' ');
}
