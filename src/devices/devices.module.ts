import { Module } from '@nestjs/common';
import { setTimeout } from 'node:timers/promises';
import { AuthModule } from '../auth/auth.module.js';
import { AuthService } from '../auth/auth.service.js';
import { SessionRepository } from '../auth/session.repository.js';
import { Backplane } from '../backplane/backplane.js';
import { QueueModule } from '../queue/queue.module.js';
import { QueueRepository } from '../queue/queue.repository.js';
import { QueueService } from '../queue/queue.service.js';
import { RelayModule } from '../relay/relay.module.js';
import { Rooms } from '../relay/room.js';
import { DeviceConnections } from './device-connections.js';
import { DevicesController } from './devices.controller.js';
import { DevicesService } from './devices.service.js';

@Module({
  imports: [AuthModule, QueueModule, RelayModule],
  controllers: [DevicesController],
  providers: [
    {
      provide: DeviceConnections,
      inject: [Rooms, Backplane],
      useFactory: (rooms: Rooms, backplane: Backplane) =>
        new DeviceConnections(rooms, backplane, (ms, signal) => setTimeout(ms, undefined, { signal })),
    },
    {
      provide: DevicesService,
      inject: [AuthService, SessionRepository, QueueRepository, QueueService, DeviceConnections],
      useFactory: (
        auth: AuthService,
        sessions: SessionRepository,
        queue: QueueRepository,
        queueService: QueueService,
        connections: DeviceConnections,
      ) => new DevicesService(auth, sessions, queue, queueService, connections),
    },
  ],
  exports: [DevicesService],
})
export class DevicesModule {}
