import { type Group, type ProcessHealth, type ProcessState, Siblings } from '../common/siblings.js';
import type { Beginning, GroupQuestion } from './messages.js';
import { OpenConnections } from './open-connections.js';
import type { PrimaryLink } from './primary-link.js';

/** Longer than the primary waits for the others. */
const GROUP_WITHIN_MS = 1_200;
/** A reconnect storm is told in batches. */
const TELL_AFTER_MS = 5;

/** The other workers, as the primary tells of them. */
export class WorkerSiblings extends Siblings {
  override readonly count: number;
  private readonly elsewhere = new OpenConnections();
  private untold = new OpenConnections();
  private isTelling = false;

  constructor(
    private readonly link: PrimaryLink,
    { count, opened }: Pick<Beginning, 'count' | 'opened'>,
  ) {
    super();
    this.count = count;
    this.elsewhere.apply(opened);
    link.on('opened', ({ changes }) => this.elsewhere.apply(changes));
  }

  override get openElsewhere(): number {
    return this.elsewhere.total;
  }

  override openElsewhereFrom(network: string): number {
    return this.elsewhere.of(network);
  }

  override state(own: () => ProcessState): Promise<Group<ProcessState>> {
    return this.ask('state', own);
  }

  override health(own: () => Promise<ProcessHealth>): Promise<Group<ProcessHealth>> {
    return this.ask('health', own);
  }

  override opened(network: string, by: 1 | -1): void {
    this.untold.apply([[network, by]]);
    if (this.isTelling) return;
    this.isTelling = true;
    setTimeout(() => this.tell(), TELL_AFTER_MS);
  }

  override accepting(isOn: boolean): void {
    void this.link.tell({ type: 'accepting', isOn });
  }

  /** Where the primary does not answer, this process speaks for itself. */
  private async ask<Told extends ProcessState>(
    question: GroupQuestion,
    own: () => Told | Promise<Told>,
  ): Promise<Group<Told>> {
    const group = (await this.link.ask(question, GROUP_WITHIN_MS)) as Group<Told> | undefined;
    if (group !== undefined && group.processes.length > 0) return group;
    return { wanted: this.count, processes: [await own()] };
  }

  private tell(): void {
    this.isTelling = false;
    const changes = this.untold.all();
    this.untold = new OpenConnections();
    if (changes.length > 0) void this.link.tell({ type: 'opened', changes });
  }
}
