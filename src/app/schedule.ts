import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { Clock } from '../common/clock.js';
import { Logger } from '../common/logger.js';
import { Metrics } from '../common/metrics.js';
import { ContactService } from '../contacts/contact.service.js';
import { NodeBeat } from '../admin/node-beat.js';
import { REPORT_EVERY_MS } from '../admin/node.repository.js';
import { Bans, LOOK_EVERY_MS as LOOK_FOR_BANS_MS } from '../bans/bans.js';
import { SWEEP_EVERY_MS } from '../presence/presence.repository.js';
import { AuthService } from '../auth/auth.service.js';
import { LOOK_EVERY_MS, Revocations } from '../auth/revocations.js';
import { PresenceService } from '../presence/presence.service.js';
import { QueueService } from '../queue/queue.service.js';
import { Connections } from '../relay/connections.js';
import { Delivery } from '../relay/delivery.js';
import { Ephemeral } from '../relay/ephemeral.js';
import { TICK_MS } from '../relay/liveness.js';
import { SessionWatch } from '../relay/session-watch.js';
import { Rooms } from '../relay/room.js';
import { VERDICT_SWEEP_MS, Verdicts } from '../relay/verdicts.js';

interface Job {
  readonly name: string;
  readonly everyMs: number;
  readonly run: () => void | Promise<void>;
}

const MINUTE_MS = 60_000;
/** Another node looks. */
const NOT_OURS = { imbalance: 0, checked: 0, skipped: 0 };

/** Everything that runs by itself. A job never overlaps itself, and one that fails is logged and runs again. */
@Injectable()
export class Schedule implements OnApplicationBootstrap {
  private readonly jobs: readonly Job[];
  private readonly running = new Set<string>();

  constructor(
    private readonly registry: SchedulerRegistry,
    private readonly logger: Logger,
    private readonly metrics: Metrics,
    clock: Clock,
    connections: Connections,
    delivery: Delivery,
    verdicts: Verdicts,
    ephemeral: Ephemeral,
    rooms: Rooms,
    queue: QueueService,
    presence: PresenceService,
    revocations: Revocations,
    sessions: SessionWatch,
    auth: AuthService,
    contacts: ContactService,
    bans: Bans,
    beat: NodeBeat,
  ) {
    this.jobs = [
      { name: 'answer sends', everyMs: VERDICT_SWEEP_MS, run: () => verdicts.sweep() },
      { name: 'settle receipts', everyMs: VERDICT_SWEEP_MS, run: () => delivery.settle() },
      { name: 'look for missed mail', everyMs: 5_000, run: () => delivery.recheck() },
      { name: 'look for missed blocks', everyMs: 5_000, run: () => contacts.recheck() },
      { name: 'answer ephemeral sends', everyMs: 1_000, run: () => ephemeral.sweep() },
      { name: 'watch connections', everyMs: TICK_MS, run: () => connections.tick(clock.monotonic()) },
      { name: 'forget full budgets', everyMs: 5_000, run: () => rooms.forgetFullBudgets(clock.monotonic()) },
      { name: 'pass on receipts', everyMs: 5_000, run: () => queue.passOnOwed() },
      { name: 'purge mailboxes', everyMs: 15_000, run: () => queue.purge() },
      {
        name: 'check the ledger',
        everyMs: 10_000,
        run: async () => metrics.ledgerChecked((await queue.checkLedger()) ?? NOT_OURS),
      },
      { name: 'refresh devices', everyMs: 30 * MINUTE_MS, run: () => delivery.refreshDevices() },
      {
        name: 'look for revoked sessions',
        everyMs: LOOK_EVERY_MS,
        run: async () => {
          await revocations.check();
          await sessions.lookWhereDoubted();
        },
      },
      { name: 'discard left sessions', everyMs: LOOK_EVERY_MS, run: () => auth.discardLeftOver() },
      { name: 'look for bans', everyMs: LOOK_FOR_BANS_MS, run: () => bans.check() },
      { name: 'tell operators', everyMs: REPORT_EVERY_MS, run: () => beat.beat() },
      { name: 'keep sessions in use', everyMs: 10 * MINUTE_MS, run: () => sessions.look() },
      { name: 'sweep presence', everyMs: SWEEP_EVERY_MS, run: () => presence.sweep() },
    ];
  }

  onApplicationBootstrap(): void {
    for (const { name, everyMs } of this.jobs) {
      const interval = setInterval(() => void this.run(name), everyMs);
      // Nothing that runs by itself keeps a process alive.
      interval.unref();
      this.registry.addInterval(name, interval);
    }
  }

  /** Runs one now, unless it is running. Never rejects. */
  async run(name: string): Promise<void> {
    const job = this.jobs.find((known) => known.name === name);
    if (job === undefined) throw new Error(`No job is called ${name}`);
    if (this.running.has(name)) return;
    this.running.add(name);
    try {
      await job.run();
    } catch (error) {
      this.metrics.jobsFailed.add('failed');
      this.logger.error('scheduled job failed', error, { job: name });
    } finally {
      this.running.delete(name);
    }
  }
}
