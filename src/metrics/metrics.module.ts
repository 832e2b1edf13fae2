import { Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { listenFailure } from '../common/listen-failure.js';
import { Logger } from '../common/logger.js';
import { Metrics } from '../common/metrics.js';
import { Settings } from '../common/settings.js';
import { EXIT_UNAVAILABLE, StartError } from '../common/start-error.js';
import { RELAY_VERSION } from '../common/version.js';
import { QueueRepository } from '../queue/queue.repository.js';
import { Admission } from '../relay/admission.js';
import { Connections } from '../relay/connections.js';
import { RelayModule } from '../relay/relay.module.js';
import { MetricsServer } from './metrics.server.js';
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
    private readonly logger: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { metricsPort, metricsHost, environment } = this.settings;
    try {
      const port = await this.server.listen(metricsPort, metricsHost);
      this.logger.info('metrics listening', { url: `http://${metricsHost}:${port}/metrics` });
    } catch (error) {
      const target = { port: metricsPort, host: metricsHost, portSetting: 'METRICS_PORT', hostSetting: 'METRICS_HOST' };
      const reason = listenFailure(target, error);
      if (environment === 'production') throw new StartError(EXIT_UNAVAILABLE, [reason]);
      // Two relays on a developer's machine.
      this.logger.warn('no metrics', { reason });
    }
  }

  /** Last, so that a scrape sees the drain. */
  async onApplicationShutdown(): Promise<void> {
    await this.server.close();
  }
}
