import { Module } from '@nestjs/common';
import { QueueController } from './queue.controller.js';
import { QueueRepository } from './queue.repository.js';
import { QueueService } from './queue.service.js';

@Module({
  controllers: [QueueController],
  providers: [
    {
      provide: QueueService,
      inject: [QueueRepository],
      useFactory: (queue: QueueRepository) => new QueueService(queue),
    },
  ],
  exports: [QueueService],
})
export class QueueModule {}
