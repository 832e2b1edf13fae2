import { type BeforeApplicationShutdown, Module } from '@nestjs/common';
import { setTimeout } from 'node:timers/promises';
import type { Address } from '@relay/protocol';
import { Clock } from '../common/clock.js';
import { descriptorLimit } from '../common/descriptor-limit.js';
import { Logger } from '../common/logger.js';
import { Settings } from '../common/settings.js';
import { PresenceModule } from '../presence/presence.module.js';
import { PresenceService } from '../presence/presence.service.js';
import { QueueModule } from '../queue/queue.module.js';
import { QueueRepository, type Receipt } from '../queue/queue.repository.js';
import { QueueService } from '../queue/queue.service.js';
import { Admission } from './admission.js';
import { Connections } from './connections.js';
import { Delivery } from './delivery.js';
import { Drain } from './drain.js';
import { Ephemeral } from './ephemeral.js';
import { Receipts } from './receipts.js';
import { Relay } from './relay.js';
import { RelayGateway } from './relay.gateway.js';
import { Rooms } from './room.js';
import { Turn } from './turn.js';

const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  setTimeout(ms, undefined, signal === undefined ? {} : { signal });

const relay = {
  provide: Relay,
  inject: [Settings, Rooms, QueueRepository, PresenceService, Delivery, Receipts, Ephemeral, Clock, Logger],
  useFactory: (
    settings: Settings,
    rooms: Rooms,
    queue: QueueRepository,
    presence: PresenceService,
    delivery: Delivery,
    receipts: Receipts,
    ephemeral: Ephemeral,
    clock: Clock,
    logger: Logger,
  ) => new Relay({ rooms, queue, presence, delivery, receipts, ephemeral, clock, logger }, relayOptions(settings)),
};

function relayOptions(settings: Settings): ConstructorParameters<typeof Relay>[1] {
  const { maxOfflineMessages, maxQueueBytes, senderShare, queueOverflow, retentionMs, maxFrameBytes } = settings;
  const mailbox = { maxMessages: maxOfflineMessages, maxBytes: maxQueueBytes, senderShare, overflow: queueOverflow };
  return { mailbox, retentionMs, maxFrameBytes };
}

@Module({
  imports: [QueueModule, PresenceModule],
  providers: [
    Turn,
    Connections,
    RelayGateway,
    relay,
    {
      provide: Rooms,
      inject: [Settings],
      useFactory: ({ sendRatePerSecond, sendBurst }: Settings) =>
        new Rooms({ ratePerSecond: sendRatePerSecond, burst: sendBurst }),
    },
    {
      provide: Receipts,
      inject: [Rooms, QueueRepository, Logger],
      useFactory: (rooms: Rooms, queue: QueueRepository, logger: Logger) => new Receipts(rooms, queue, logger),
    },
    {
      provide: Delivery,
      inject: [Rooms, QueueRepository, Receipts, Clock, Logger],
      useFactory: (rooms: Rooms, queue: QueueRepository, receipts: Receipts, clock: Clock, logger: Logger) =>
        new Delivery(rooms, queue, receipts, clock, logger),
    },
    {
      provide: Ephemeral,
      inject: [Rooms, Clock],
      useFactory: (rooms: Rooms, clock: Clock) => new Ephemeral(rooms, clock),
    },
    {
      provide: Admission,
      inject: [Settings],
      useFactory: (settings: Settings) =>
        new Admission({ ...settings, maxConnections: settings.maxConnections || descriptorLimit() }),
    },
    {
      provide: Drain,
      inject: [Settings, Admission, Connections],
      useFactory: ({ drainSeconds }: Settings, admission: Admission, connections: Connections) =>
        new Drain(admission, connections, { budgetMs: drainSeconds * 1000, pause, random: Math.random }),
    },
  ],
  exports: [Admission, Connections, Delivery, Ephemeral, Rooms],
})
export class RelayModule implements BeforeApplicationShutdown {
  constructor(
    queue: QueueService,
    delivery: Delivery,
    receipts: Receipts,
    private readonly drain: Drain,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    queue.observe({
      acknowledged: (mailbox, messages) => delivery.delivered(mailbox, messages),
      keepAfter: (mailbox) => delivery.slowestPosition(mailbox),
      expired: (messages) => {
        const timestamp = this.clock.now();
        const bySender = new Map<Address, Receipt[]>();
        for (const { mailbox, from, messageId } of messages) {
          const receipt: Receipt = { kind: 'expired', peer: mailbox, messageId, timestamp };
          const owed = bySender.get(from);
          if (owed === undefined) bySender.set(from, [receipt]);
          else owed.push(receipt);
        }
        for (const [sender, owed] of bySender) receipts.send(sender, owed);
      },
    });
  }

  /** Before Nest closes the servers: it would cut every WebSocket without a word. */
  async beforeApplicationShutdown(): Promise<void> {
    const cut = await this.drain.run();
    if (cut > 0) this.logger.warn('connections cut at the end of the drain', { count: cut });
  }
}
