import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
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
import { Jobs } from './jobs.js';

const MINUTE_MS = 60_000;
/** One that is under way at the end of the relay waits for the store no longer. */
const END_WITHIN_MS = 2_000;
/** Another node looks. */
const NOT_OURS = { imbalance: 0, checked: 0, skipped: 0 };

/** Everything that runs by itself. */
@Injectable()
export class Schedule implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly jobs: Jobs;

  constructor(
    private readonly registry: SchedulerRegistry,
    logger: Logger,
    metrics: Metrics,
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
    const all = [
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
    this.jobs = new Jobs(all, logger, metrics);
  }

  onApplicationBootstrap(): void {
    for (const { name, everyMs } of this.jobs.all) {
      const interval = setInterval(() => void this.run(name), everyMs);
      // Nothing that runs by itself keeps a process alive.
      interval.unref();
      this.registry.addInterval(name, interval);
    }
  }

  /** Nest ends this module before the store's: jobs that are under way still have one. */
  onApplicationShutdown(): Promise<void> {
    return this.jobs.end(END_WITHIN_MS);
  }

  /** Runs one now, unless it is running. Never rejects. */
  run(name: string): Promise<void> {
    return this.jobs.run(name);
  }
}
