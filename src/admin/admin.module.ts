import { type BeforeApplicationShutdown, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { hostname } from 'node:os';
import { SessionRepository } from '../auth/session.repository.js';
import { Backplane } from '../backplane/backplane.js';
import { Bans } from '../bans/bans.js';
import { BansModule } from '../bans/bans.module.js';
import { Clock } from '../common/clock.js';
import { Logger } from '../common/logger.js';
import { Metrics } from '../common/metrics.js';
import { Settings } from '../common/settings.js';
import { RELAY_VERSION } from '../common/version.js';
import { ContactRepository } from '../contacts/contact.repository.js';
import { DevicesModule } from '../devices/devices.module.js';
import { DevicesService } from '../devices/devices.service.js';
import { KeyRepository } from '../keys/key.repository.js';
import { MailboxSurvey } from '../queue/mailbox-survey.js';
import { QueueRepository } from '../queue/queue.repository.js';
import { Connections } from '../relay/connections.js';
import { Drain } from '../relay/drain.js';
import { RelayModule } from '../relay/relay.module.js';
import { AdminController } from './admin.controller.js';
import { AdminService } from './admin.service.js';
import { MailboxRanking } from './mailbox-ranking.js';
import { NodeBeat } from './node-beat.js';
import { NodeMeter } from './node-meter.js';
import { NodeRepository } from './node.repository.js';
import { ProcessMeter } from './process-meter.js';

const beat = {
  provide: NodeBeat,
  inject: [Settings, Backplane, NodeRepository, QueueRepository, Connections, Drain, Metrics, Clock, Logger],
  useFactory: (
    { storage, adminToken }: Settings,
    { node }: Backplane,
    nodes: NodeRepository,
    queue: QueueRepository,
    connections: Connections,
    drain: Drain,
    metrics: Metrics,
    clock: Clock,
    logger: Logger,
  ) =>
    new NodeBeat(
      { node, host: hostname(), pid: process.pid, version: RELAY_VERSION, startedAt: clock.now(), storage },
      {
        nodes,
        meter: new NodeMeter(metrics),
        process: new ProcessMeter(),
        drain,
        census: (now) => connections.census(now),
        reach: () => queue.reach(),
        clock,
        logger,
        hasOperator: adminToken !== '',
      },
    ),
};

const admin = {
  provide: AdminService,
  inject: [
    NodeRepository,
    NodeBeat,
    MailboxSurvey,
    QueueRepository,
    DevicesService,
    SessionRepository,
    ContactRepository,
    KeyRepository,
    Bans,
    Clock,
  ],
  useFactory: (
    nodes: NodeRepository,
    nodeBeat: NodeBeat,
    survey: MailboxSurvey,
    queue: QueueRepository,
    devices: DevicesService,
    sessions: SessionRepository,
    contacts: ContactRepository,
    keys: KeyRepository,
    bans: Bans,
    clock: Clock,
  ) => {
    const ranking = new MailboxRanking(survey, () => clock.monotonic());
    return new AdminService({
      nodes,
      beat: nodeBeat,
      ranking,
      survey,
      queue,
      devices,
      sessions,
      contacts,
      keys,
      bans,
    });
  },
};

@Module({
  imports: [BansModule, DevicesModule, RelayModule],
  controllers: [AdminController],
  providers: [beat, admin],
  exports: [NodeBeat],
})
export class AdminModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly nodeBeat: NodeBeat,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): Promise<void> {
    return this.tell(this.nodeBeat.beat());
  }

  /** While the store is still there. */
  beforeApplicationShutdown(): Promise<void> {
    return this.tell(this.nodeBeat.end());
  }

  /** Operators see a node that could not say how it is as one that is away. */
  private async tell(work: Promise<void>): Promise<void> {
    await work.catch((error: unknown) => this.logger.warn('operators not told', { reason: String(error) }));
  }
}
