import { Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { Logger } from '../common/logger.js';
import { Metrics } from '../common/metrics.js';
import { Settings } from '../common/settings.js';
import { Siblings } from '../common/siblings.js';
import { RELAY_VERSION } from '../common/version.js';
import { QueueRepository } from '../queue/queue.repository.js';
import { Admission } from '../relay/admission.js';
import { Connections } from '../relay/connections.js';
import { RelayModule } from '../relay/relay.module.js';
import { listenForScrapes, MetricsServer } from './metrics.server.js';
import { MetricsService } from './metrics.service.js';

@Module({
  imports: [RelayModule],
  providers: [
    {
      provide: MetricsService,
      inject: [Metrics, Connections, Admission, QueueRepository, Clock],
      useFactory: (
        metrics: Metrics,
        connections: Connections,
        admission: Admission,
        queue: QueueRepository,
        clock: Clock,
      ) =>
        new MetricsService(metrics, {
          version: RELAY_VERSION,
          census: () => connections.census(clock.monotonic()),
          isDraining: () => admission.isDraining,
          ledger: () => queue.ledger(),
        }),
    },
    {
      provide: MetricsServer,
      inject: [MetricsService],
      useFactory: (service: MetricsService) => new MetricsServer(service),
    },
  ],
  exports: [MetricsService],
})
export class MetricsModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    private readonly server: MetricsServer,
    private readonly settings: Settings,
    private readonly siblings: Siblings,
    private readonly logger: Logger,
  ) {}

  /** Where there are several workers, the primary is asked, and asks them. */
  async onApplicationBootstrap(): Promise<void> {
    if (this.siblings.isAlone) await listenForScrapes(this.server, this.settings, this.logger);
  }

  /** Last, so that a scrape sees the drain. */
  async onApplicationShutdown(): Promise<void> {
    await this.server.close();
  }
}
