import { Module } from '@nestjs/common';
import { Backplane } from '../backplane/backplane.js';
import { ContactRepository } from '../contacts/contact.repository.js';
import { PresenceController } from './presence.controller.js';
import { PresenceRepository } from './presence.repository.js';
import { PresenceService } from './presence.service.js';

@Module({
  controllers: [PresenceController],
  providers: [
    {
      provide: PresenceService,
      inject: [PresenceRepository, ContactRepository, Backplane],
      useFactory: (repository: PresenceRepository, contacts: ContactRepository, backplane: Backplane) =>
        new PresenceService(repository, contacts, backplane),
    },
  ],
  exports: [PresenceService],
})
export class PresenceModule {}
