import { type DynamicModule, Global, Module, type OnApplicationShutdown, type Provider } from '@nestjs/common';
import { NodeRepository } from '../admin/node.repository.js';
import { MemoryNodeRepository } from '../admin/node.repository.memory.js';
import { RedisNodeRepository } from '../admin/node.repository.redis.js';
import { SessionRepository } from '../auth/session.repository.js';
import { MemorySessionRepository } from '../auth/session.repository.memory.js';
import { MAX_LINKS, SignInLinkRepository } from '../auth/sign-in-link.repository.js';
import { MemorySignInLinkRepository } from '../auth/sign-in-link.repository.memory.js';
import { RedisSignInLinkRepository } from '../auth/sign-in-link.repository.redis.js';
import { RedisSessionRepository } from '../auth/session.repository.redis.js';
import { Backplane } from '../backplane/backplane.js';
import { SingleNodeBackplane } from '../backplane/backplane.memory.js';
import { RedisBackplane } from '../backplane/backplane.redis.js';
import { BanRepository } from '../bans/ban.repository.js';
import { MemoryBanRepository } from '../bans/ban.repository.memory.js';
import { RedisBanRepository } from '../bans/ban.repository.redis.js';
import { refuseUnfinishedRestore } from '../backup/unfinished-restore.redis.js';
import { Clock } from '../common/clock.js';
import { ContactRepository } from '../contacts/contact.repository.js';
import { MemoryContactRepository } from '../contacts/contact.repository.memory.js';
import { RedisContactRepository } from '../contacts/contact.repository.redis.js';
import { heapShare } from '../common/heap-share.js';
import { RateLimits } from '../limits/rate-limits.js';
import { MemoryRateLimits } from '../limits/rate-limits.memory.js';
import { RedisRateLimits } from '../limits/rate-limits.redis.js';
import { Logger } from '../common/logger.js';
import { Metrics } from '../common/metrics.js';
import { Settings } from '../common/settings.js';
import { Tracing } from '../common/tracing.js';
import { KeyRepository } from '../keys/key.repository.js';
import { MemoryKeyRepository } from '../keys/key.repository.memory.js';
import { RedisKeyRepository } from '../keys/key.repository.redis.js';
import { PresenceRepository } from '../presence/presence.repository.js';
import { MemoryPresenceRepository } from '../presence/presence.repository.memory.js';
import { RedisPresenceRepository } from '../presence/presence.repository.redis.js';
import { QueueRepository } from '../queue/queue.repository.js';
import { MailboxSurvey } from '../queue/mailbox-survey.js';
import { MemoryMailboxSurvey } from '../queue/mailbox-survey.memory.js';
import { MemoryQueueRepository } from '../queue/queue.repository.memory.js';
import { RedisQueueRepository } from '../queue/queue.repository.redis.js';
import { checkRedis } from '../redis/redis-checks.redis.js';
import { RedisClient } from '../redis/redis-client.redis.js';
import { StoreClock } from '../redis/store-clock.redis.js';

export interface Storage {
  readonly queue: QueueRepository;
  readonly survey: MailboxSurvey;
  readonly keys: KeyRepository;
  readonly presence: PresenceRepository;
  readonly contacts: ContactRepository;
  readonly bans: BanRepository;
  readonly nodes: NodeRepository;
  readonly limits: RateLimits;
  readonly sessions: SessionRepository;
  readonly links: SignInLinkRepository;
  readonly backplane: Backplane;
  /** After the last use. */
  close(): Promise<void>;
}

/** The only place that knows which implementation runs. Rejects with `StartError` where the store cannot be used. */
export async function openStorage(
  settings: Settings,
  clock: Clock,
  metrics: Metrics,
  logger: Logger,
  tracing: Tracing,
): Promise<Storage> {
  switch (settings.storage) {
    case 'memory':
      return openMemory(settings, clock);
    case 'redis':
      return openRedis(settings, clock, metrics, logger, tracing);
  }
}

function queueRules({ retentionMs, historyMs, maxOfflineMessages, maxDevicesPerAddress }: Settings) {
  return { retentionMs, historyMs, maxReceipts: maxOfflineMessages, maxDevices: maxDevicesPerAddress };
}

function openMemory(settings: Settings, clock: Clock): Storage {
  const contacts = new MemoryContactRepository(clock, heapShare(1 / 20));
  const maxTotalBytes = heapShare(1 / 3);
  const queue = new MemoryQueueRepository({ clock, ...queueRules(settings), maxTotalBytes, screen: contacts });
  return {
    queue,
    survey: new MemoryMailboxSurvey(queue),
    contacts,
    bans: new MemoryBanRepository(clock),
    nodes: new MemoryNodeRepository(clock),
    limits: new MemoryRateLimits(),
    keys: new MemoryKeyRepository(clock, heapShare(1 / 20)),
    presence: new MemoryPresenceRepository(clock, settings.retentionMs),
    sessions: new MemorySessionRepository(clock, heapShare(1 / 20)),
    links: new MemorySignInLinkRepository(clock, MAX_LINKS),
    backplane: new SingleNodeBackplane(),
    close: () => Promise.resolve(),
  };
}

async function openRedis(
  settings: Settings,
  clock: Clock,
  metrics: Metrics,
  logger: Logger,
  tracing: Tracing,
): Promise<Storage> {
  const { redisUrl, redisSentinels, redisSentinelName, redisClusterNodes, redisKeyPrefix, redisWaitSeconds } = settings;
  const client = await RedisClient.connect(
    { url: redisUrl, sentinels: redisSentinels, sentinelName: redisSentinelName, clusterNodes: redisClusterNodes },
    redisKeyPrefix,
    { logger, metrics, tracing, waitMs: redisWaitSeconds * 1000 },
  );
  try {
    await checkRedis(client, logger);
    await refuseUnfinishedRestore(client);
    const storeClock = await StoreClock.open(client, clock);
    const backplane = await RedisBackplane.open({ client, logger });
    const { node } = backplane;
    const lastSeenMs = settings.retentionMs;
    const { durability } = settings;
    const rules = queueRules(settings);
    const queue = new RedisQueueRepository({ client, backplane, clock: storeClock, durability, logger, ...rules });
    return {
      queue,
      survey: queue.survey(),
      keys: new RedisKeyRepository(client, storeClock),
      contacts: new RedisContactRepository(client, storeClock),
      bans: new RedisBanRepository(client, storeClock),
      nodes: new RedisNodeRepository(client, storeClock),
      limits: new RedisRateLimits(client),
      links: new RedisSignInLinkRepository(client, storeClock, MAX_LINKS),
      presence: new RedisPresenceRepository({ client, clock: storeClock, node, lastSeenMs }),
      sessions: new RedisSessionRepository(client, storeClock),
      backplane,
      close: async () => {
        backplane.close();
        await client.close();
      },
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}

const STORAGE = Symbol('storage');

const ports: Provider[] = [
  { provide: QueueRepository, inject: [STORAGE], useFactory: ({ queue }: Storage) => queue },
  { provide: KeyRepository, inject: [STORAGE], useFactory: ({ keys }: Storage) => keys },
  { provide: PresenceRepository, inject: [STORAGE], useFactory: ({ presence }: Storage) => presence },
  { provide: ContactRepository, inject: [STORAGE], useFactory: ({ contacts }: Storage) => contacts },
  { provide: MailboxSurvey, inject: [STORAGE], useFactory: ({ survey }: Storage) => survey },
  { provide: NodeRepository, inject: [STORAGE], useFactory: ({ nodes }: Storage) => nodes },
  { provide: BanRepository, inject: [STORAGE], useFactory: ({ bans }: Storage) => bans },
  { provide: RateLimits, inject: [STORAGE], useFactory: ({ limits }: Storage) => limits },
  { provide: SessionRepository, inject: [STORAGE], useFactory: ({ sessions }: Storage) => sessions },
  { provide: SignInLinkRepository, inject: [STORAGE], useFactory: ({ links }: Storage) => links },
  { provide: Backplane, inject: [STORAGE], useFactory: ({ backplane }: Storage) => backplane },
];

/** Closes the store once every connection has gone and the servers are closed. */
class StorageEnd implements OnApplicationShutdown {
  constructor(
    private readonly storage: Storage,
    private readonly logger: Logger,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    try {
      await this.storage.presence.stop();
    } catch (error) {
      // Its lease ends by itself.
      this.logger.warn('presence not given up', { reason: error instanceof Error ? error.message : String(error) });
    }
    await this.storage.close();
  }
}

@Global()
@Module({})
export class StorageModule {
  static forRoot(): DynamicModule {
    return {
      module: StorageModule,
      providers: [
        { provide: STORAGE, inject: [Settings, Clock, Metrics, Logger, Tracing], useFactory: openStorage },
        {
          provide: StorageEnd,
          inject: [STORAGE, Logger],
          useFactory: (storage: Storage, logger: Logger) => new StorageEnd(storage, logger),
        },
        ...ports,
      ],
      exports: [
        Backplane,
        BanRepository,
        ContactRepository,
        KeyRepository,
        MailboxSurvey,
        NodeRepository,
        PresenceRepository,
        QueueRepository,
        RateLimits,
        SessionRepository,
        SignInLinkRepository,
      ],
    };
  }
}
