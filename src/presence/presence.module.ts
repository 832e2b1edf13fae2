import { Module } from '@nestjs/common';
import { PresenceController } from './presence.controller.js';
import { PresenceRepository } from './presence.repository.js';
import { PresenceService } from './presence.service.js';

@Module({
  controllers: [PresenceController],
  providers: [
    {
      provide: PresenceService,
      inject: [PresenceRepository],
      useFactory: (repository: PresenceRepository) => new PresenceService(repository),
    },
  ],
  exports: [PresenceService],
})
export class PresenceModule {}
