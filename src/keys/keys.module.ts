import { Module } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { RecoveryBudget } from '../identity/recovery-budget.js';
import { KeyRepository } from './key.repository.js';
import { KeysController } from './keys.controller.js';
import { KeysService } from './keys.service.js';

@Module({
  controllers: [KeysController],
  providers: [
    {
      provide: KeysService,
      inject: [KeyRepository, RecoveryBudget, Clock],
      useFactory: (keys: KeyRepository, recoveries: RecoveryBudget, clock: Clock) =>
        new KeysService(keys, (text, proof) => recoveries.addressOf(text, proof), clock),
    },
  ],
  exports: [KeysService],
})
export class KeysModule {}
