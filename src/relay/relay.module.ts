import { type BeforeApplicationShutdown, Module } from '@nestjs/common';
import type { Address } from '@relay/protocol';
import { setTimeout } from 'node:timers/promises';
import { AuthModule } from '../auth/auth.module.js';
import { AuthService } from '../auth/auth.service.js';
import { Revocations } from '../auth/revocations.js';
import { SessionRepository } from '../auth/session.repository.js';
import { Backplane } from '../backplane/backplane.js';
import { Bans } from '../bans/bans.js';
import { BansModule } from '../bans/bans.module.js';
import { Clock } from '../common/clock.js';
import { descriptorLimit } from '../common/descriptor-limit.js';
import { Logger } from '../common/logger.js';
import { Metrics } from '../common/metrics.js';
import { Tracing } from '../common/tracing.js';
import { Settings } from '../common/settings.js';
import { Siblings } from '../common/siblings.js';
import { ContactRepository } from '../contacts/contact.repository.js';
import { ContactService } from '../contacts/contact.service.js';
import { ContactsModule } from '../contacts/contacts.module.js';
import { KeysModule } from '../keys/keys.module.js';
import { KeysService } from '../keys/keys.service.js';
import { PresenceModule } from '../presence/presence.module.js';
import { PresenceService } from '../presence/presence.service.js';
import { QueueModule } from '../queue/queue.module.js';
import { QueueRepository } from '../queue/queue.repository.js';
import { QueueService } from '../queue/queue.service.js';
import { Acquaintance } from './acquaintance.js';
import { Admission } from './admission.js';
import { Connections } from './connections.js';
import { Delivery } from './delivery.js';
import { Drain } from './drain.js';
import { Ephemeral } from './ephemeral.js';
import { ReceiptPost } from './receipt-post.js';
import { Receipts } from './receipts.js';
import { Relay } from './relay.js';
import { RelayGateway } from './relay.gateway.js';
import { Rooms, type SendLimits } from './room.js';
import { SessionWatch } from './session-watch.js';
import { Turn } from './turn.js';
import { Verdicts } from './verdicts.js';
import { WaitingRoom } from './waiting-room.js';

const ADDRESS_LENGTH = 42;
const NETWORK_BURST_SECONDS = 20;

const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  setTimeout(ms, undefined, signal === undefined ? {} : { signal });

const relay = {
  provide: Relay,
  inject: [
    Settings,
    Rooms,
    QueueRepository,
    PresenceService,
    Delivery,
    Verdicts,
    Ephemeral,
    Acquaintance,
    Revocations,
    Bans,
    WaitingRoom,
    Backplane,
    Clock,
    Metrics,
    Logger,
    Tracing,
  ],
  useFactory: (
    settings: Settings,
    rooms: Rooms,
    queue: QueueRepository,
    presence: PresenceService,
    delivery: Delivery,
    verdicts: Verdicts,
    ephemeral: Ephemeral,
    acquaintance: Acquaintance,
    revocations: Revocations,
    bans: Bans,
    waiting: WaitingRoom,
    backplane: Backplane,
    clock: Clock,
    metrics: Metrics,
    logger: Logger,
    tracing: Tracing,
  ) =>
    new Relay(
      {
        rooms,
        queue,
        presence,
        delivery,
        verdicts,
        ephemeral,
        acquaintance,
        revocations,
        bans,
        waiting,
        backplane,
        clock,
        metrics,
        logger,
        tracing,
      },
      relayOptions(settings),
    ),
};

function relayOptions(settings: Settings): ConstructorParameters<typeof Relay>[1] {
  const { maxOfflineMessages, maxQueueBytes, senderShare, queueOverflow, retentionMs, maxFrameBytes } = settings;
  const mailbox = {
    maxMessages: maxOfflineMessages,
    maxBytes: maxQueueBytes,
    senderShare,
    overflow: queueOverflow,
    maxStrangerMessages: settings.tellsStrangers ? settings.maxStrangerMessages : undefined,
  };
  return {
    mailbox,
    retentionMs,
    maxFrameBytes,
    keepsHistory: settings.historyMs > 0,
  };
}

function networkLimits(ratePerSecond: number): SendLimits {
  return { ratePerSecond, burst: ratePerSecond * NETWORK_BURST_SECONDS };
}

/** Workers get connections in turn, so of many that come from one network each has as many; a few still get what one address may. */
function shareOf(ratePerIp: number, workers: number, ratePerAddress: number): number {
  return Math.max(ratePerIp / workers, Math.min(ratePerIp, ratePerAddress));
}

@Module({
  imports: [AuthModule, BansModule, ContactsModule, KeysModule, QueueModule, PresenceModule],
  providers: [
    Turn,
    Connections,
    WaitingRoom,
    RelayGateway,
    relay,
    {
      provide: Rooms,
      inject: [Settings, Siblings],
      useFactory: ({ sendRatePerSecond, sendBurst, sendRatePerIp }: Settings, { count }: Siblings) =>
        new Rooms(
          { ratePerSecond: sendRatePerSecond, burst: sendBurst },
          sendRatePerIp === 0 ? null : networkLimits(shareOf(sendRatePerIp, count, sendRatePerSecond)),
        ),
    },
    {
      provide: Acquaintance,
      inject: [Rooms, ContactRepository, Settings],
      useFactory: (rooms: Rooms, contacts: ContactRepository, { tellsStrangers }: Settings) =>
        new Acquaintance(rooms, contacts, tellsStrangers),
    },
    {
      provide: Receipts,
      inject: [Rooms, QueueRepository, Backplane, Metrics],
      useFactory: (rooms: Rooms, queue: QueueRepository, backplane: Backplane, metrics: Metrics) =>
        new Receipts(rooms, queue, backplane, metrics),
    },
    {
      provide: ReceiptPost,
      inject: [Backplane, Turn, Clock, Logger],
      useFactory: (backplane: Backplane, turn: Turn, clock: Clock, logger: Logger) =>
        new ReceiptPost(backplane, turn, clock, logger),
    },
    { provide: Verdicts, inject: [Clock], useFactory: (clock: Clock) => new Verdicts(clock) },
    {
      provide: Delivery,
      inject: [
        Rooms,
        QueueRepository,
        Receipts,
        ReceiptPost,
        Verdicts,
        Acquaintance,
        Backplane,
        Clock,
        Metrics,
        Logger,
      ],
      useFactory: (
        rooms: Rooms,
        queue: QueueRepository,
        receipts: Receipts,
        post: ReceiptPost,
        verdicts: Verdicts,
        acquaintance: Acquaintance,
        backplane: Backplane,
        clock: Clock,
        metrics: Metrics,
        logger: Logger,
      ) => new Delivery({ rooms, queue, receipts, post, verdicts, acquaintance, backplane, clock, metrics, logger }),
    },
    {
      provide: Ephemeral,
      inject: [Rooms, Backplane, Acquaintance, Clock],
      useFactory: (rooms: Rooms, backplane: Backplane, acquaintance: Acquaintance, clock: Clock) =>
        new Ephemeral(rooms, backplane, acquaintance, clock),
    },
    {
      provide: Admission,
      inject: [Settings, WaitingRoom, Siblings],
      useFactory: (settings: Settings, waiting: WaitingRoom, siblings: Siblings) => {
        const maxConnectionsHere = settings.maxConnections || descriptorLimit();
        const maxConnections = settings.maxConnections || Infinity;
        return new Admission({ ...settings, maxConnections, maxConnectionsHere }, waiting, siblings);
      },
    },
    {
      provide: SessionWatch,
      inject: [Connections, SessionRepository, Logger],
      useFactory: (connections: Connections, sessions: SessionRepository, logger: Logger) =>
        new SessionWatch(connections, sessions, logger),
    },
    {
      provide: Drain,
      inject: [Settings, Admission, Connections, Verdicts, Siblings],
      useFactory: (
        { drainSeconds }: Settings,
        admission: Admission,
        connections: Connections,
        verdicts: Verdicts,
        { count: processes }: Siblings,
      ) => {
        const budgetMs = drainSeconds * 1000;
        return new Drain(admission, connections, verdicts, { budgetMs, processes, pause, random: Math.random });
      },
    },
  ],
  exports: [Admission, Connections, Delivery, Drain, Ephemeral, Rooms, SessionWatch, Verdicts],
})
export class RelayModule implements BeforeApplicationShutdown {
  constructor(
    queueService: QueueService,
    keysService: KeysService,
    auth: AuthService,
    queue: QueueRepository,
    private readonly backplane: Backplane,
    revocations: Revocations,
    sessionWatch: SessionWatch,
    bans: Bans,
    relay: Relay,
    contacts: ContactService,
    acquaintance: Acquaintance,
    presence: PresenceService,
    private readonly delivery: Delivery,
    private readonly drain: Drain,
    private readonly logger: Logger,
  ) {
    queueService.observe({
      acknowledged: (mailbox, messages, owed) => {
        acquaintance.tookFrom(mailbox, new Set(messages.map(({ from }) => from)));
        delivery.delivered(mailbox, messages, owed);
      },
      keepAfter: (mailbox) => delivery.slowestPosition(mailbox),
      owed: (receipts) => delivery.passOn(receipts),
    });
    keysService.observe((change) => relay.keyChanged(change));
    auth.observe((session) => relay.sessionOpened(session));
    queue.onAppended((mailbox, entry) => delivery.appendedElsewhere(mailbox, entry));
    backplane.listen('f', (address, payload) => {
      relay.routed(address, payload.slice(0, ADDRESS_LENGTH) as Address, payload.slice(ADDRESS_LENGTH));
    });
    revocations.observe({ revoked: (session) => relay.revoked(session), missed: () => sessionWatch.doubtAll() });
    bans.onBanned((address) => relay.banned(address));
    backplane.listen('s', () => revocations.look());
    backplane.listen('d', (address, payload) => {
      const [claim = '0', device = ''] = payload.split(' ', 2);
      relay.openedElsewhere(address, device, Number(claim));
    });
    contacts.keep({
      changed: (owner) => presence.blocksChanged(owner),
      owners: () => presence.watchedAddresses(),
      reload: (owners) => presence.lookAt(owners),
    });
    contacts.keep({
      changed: (owner) =>
        acquaintance.reload([owner]).catch((error: unknown) => this.logger.error('block list not read', error)),
      owners: () => acquaintance.owners(),
      reload: (owners) => acquaintance.reload(owners),
    });
    backplane.onResumed(() => {
      acquaintance.loadAll().catch((error: unknown) => this.logger.error('block lists not read', error));
      delivery.recheck().catch((error: unknown) => this.logger.error('mailboxes not looked at', error));
    });
  }

  /** Before Nest closes the servers: it would cut every WebSocket without a word. */
  async beforeApplicationShutdown(): Promise<void> {
    // What other nodes say of sends from here goes by the mailbox from now on: nobody would settle it.
    this.backplane.endHearing();
    const cut = await this.drain.run();
    if (cut > 0) this.logger.warn('connections cut at the end of the drain', { count: cut });
    await this.delivery.settle().catch((error: unknown) => this.logger.error('receipts not settled', error));
  }
}
