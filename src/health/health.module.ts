import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { QueueRepository } from '../queue/queue.repository.js';
import { Admission } from '../relay/admission.js';
import { Connections } from '../relay/connections.js';
import { RelayModule } from '../relay/relay.module.js';
import { HealthController } from './health.controller.js';
import { OwnHealth } from './own-health.js';

const own = {
  provide: OwnHealth,
  inject: [QueueRepository, Connections, Admission],
  useFactory: (queue: QueueRepository, connections: Connections, admission: Admission) =>
    new OwnHealth(queue, connections, admission),
};

@Module({
  imports: [TerminusModule.forRoot({ logger: false }), RelayModule],
  controllers: [HealthController],
  providers: [own],
})
export class HealthModule {}
