import { type Address, RelayError } from '@relay/protocol';
import type { SessionRepository } from '../auth/session.repository.js';
import type { Ban } from '../bans/ban.repository.js';
import type { Bans } from '../bans/bans.js';
import { within } from '../common/within.js';
import { type ContactRepository, MAX_LISTED } from '../contacts/contact.repository.js';
import type { DevicesService, OwnDevice } from '../devices/devices.service.js';
import type { KeyRepository } from '../keys/key.repository.js';
import type { MailboxLoad, MailboxSurvey } from '../queue/mailbox-survey.js';
import type { Ledger, QueueRepository } from '../queue/queue.repository.js';
import type { MailboxRanking, MailboxRanks } from './mailbox-ranking.js';
import type { NodeBeat } from './node-beat.js';
import { HEARD_WITHIN_MS, type NodeOrder, type NodeReport, type NodeRepository } from './node.repository.js';

/** A page that is looked at while Redis is away must not wait for it. */
const STORE_WITHIN_MS = 1_500;

export interface ListedNode extends NodeReport {
  /** Since its last word, ms. */
  readonly silentMs: number;
  readonly isAway: boolean;
  /** Whether it is the one that answers. */
  readonly isThis: boolean;
}

export interface Overview {
  /** Integer ms since 1970. */
  readonly at: number;
  readonly nodes: readonly ListedNode[];
  /** `null`, like `mailboxes`, where the store does not answer. */
  readonly ledger: Ledger | null;
  readonly mailboxes: MailboxRanks | null;
  readonly bans: number;
}

export interface AddressView {
  readonly address: Address;
  readonly ban: Ban | null;
  /** Whether it ever proved to have its key. */
  readonly hasSignedIn: boolean;
  readonly waiting: MailboxLoad;
  readonly devices: readonly OwnDevice[];
  readonly blocks: number;
  readonly allows: number;
  readonly key: { readonly updatedAt: number; readonly version: number | null } | null;
}

export interface AdminParts {
  readonly nodes: NodeRepository;
  readonly beat: NodeBeat;
  readonly ranking: MailboxRanking;
  readonly survey: MailboxSurvey;
  readonly queue: QueueRepository;
  readonly devices: DevicesService;
  readonly sessions: SessionRepository;
  readonly contacts: ContactRepository;
  readonly keys: KeyRepository;
  readonly bans: Bans;
}

/** What an operator sees of the relay, and may do to it. */
export class AdminService {
  constructor(private readonly parts: AdminParts) {}

  /** Answers also where the store is away: then with what this node knows. */
  async overview(): Promise<Overview> {
    const { queue, ranking, bans, nodes } = this.parts;
    const [listed, ledger, mailboxes] = await Promise.all([
      this.listNodes(),
      orNull(queue.ledger()),
      orNull(ranking.look()),
    ]);
    return { at: nodes.now(), nodes: listed, ledger, mailboxes, bans: bans.all.size };
  }

  async address(address: Address): Promise<AddressView> {
    const { survey, devices, sessions, contacts, keys, bans } = this.parts;
    const [waiting, listed, hasSignedIn, blocked, allowed, key] = await Promise.all([
      survey.load(address),
      devices.list(address),
      sessions.hasSignedIn(address),
      contacts.page('blocked', address, null, MAX_LISTED),
      contacts.page('allowed', address, null, MAX_LISTED),
      keys.get(address),
    ]);
    return {
      address,
      ban: bans.all.get(address) ?? null,
      hasSignedIn,
      waiting,
      devices: listed,
      blocks: blocked.addresses.length,
      allows: allowed.addresses.length,
      key: key === null ? null : { updatedAt: key.updatedAt, version: key.signed?.version ?? null },
    };
  }

  /** Rejects with `not_found` where no node of that name has reported of late. */
  async order(node: string, order: NodeOrder): Promise<void> {
    if (!(await this.parts.nodes.order(node, order))) throw new RelayError('not_found', 'No node is called that');
    // The others are asked within 2 s, with their next report.
    if (this.parts.beat.own?.node === node) await this.parts.beat.beat();
  }

  private async listNodes(): Promise<readonly ListedNode[]> {
    const { nodes, beat } = this.parts;
    const known = await orNull(nodes.list());
    const { own } = beat;
    const reports = known ?? (own === null ? [] : [{ report: own, heardAt: nodes.now() }]);
    return reports.map(({ report, heardAt }) => {
      const silentMs = Math.max(0, nodes.now() - heardAt);
      const isAway = silentMs > HEARD_WITHIN_MS && report.state !== 'stopped';
      return { ...report, silentMs, isAway, isThis: report.node === own?.node };
    });
  }
}

async function orNull<T>(work: Promise<T>): Promise<T | null> {
  return within(work, STORE_WITHIN_MS).catch(() => null);
}
