import { Module } from '@nestjs/common';
import { Backplane } from '../backplane/backplane.js';
import { ContactRepository } from './contact.repository.js';
import { ContactService } from './contact.service.js';
import { AllowedController, BlocksController } from './contacts.controller.js';

@Module({
  controllers: [BlocksController, AllowedController],
  providers: [
    {
      provide: ContactService,
      inject: [ContactRepository, Backplane],
      useFactory: (contacts: ContactRepository, backplane: Backplane) => new ContactService(contacts, backplane),
    },
  ],
  exports: [ContactService],
})
export class ContactsModule {}
