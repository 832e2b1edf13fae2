import { Module } from '@nestjs/common';
import { Backplane } from '../backplane/backplane.js';
import { PresenceController } from './presence.controller.js';
import { PresenceRepository } from './presence.repository.js';
import { PresenceService } from './presence.service.js';

@Module({
  controllers: [PresenceController],
  providers: [
    {
      provide: PresenceService,
      inject: [PresenceRepository, Backplane],
      useFactory: (repository: PresenceRepository, backplane: Backplane) => new PresenceService(repository, backplane),
    },
  ],
  exports: [PresenceService],
})
export class PresenceModule {}
