import { type DynamicModule, Global, Module, type Provider } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { heapShare } from '../common/heap-share.js';
import { Settings } from '../common/settings.js';
import { KeyRepository } from '../keys/key.repository.js';
import { MemoryKeyRepository } from '../keys/key.repository.memory.js';
import { PresenceRepository } from '../presence/presence.repository.js';
import { MemoryPresenceRepository } from '../presence/presence.repository.memory.js';
import { QueueRepository } from '../queue/queue.repository.js';
import { MemoryQueueRepository } from '../queue/queue.repository.memory.js';

export interface Storage {
  readonly queue: QueueRepository;
  readonly keys: KeyRepository;
  readonly presence: PresenceRepository;
}

/** The only place that knows which implementation runs. */
export function openStorage(settings: Settings, clock: Clock): Storage {
  switch (settings.storage) {
    case 'memory': {
      const { retentionMs, maxOfflineMessages: maxReceipts } = settings;
      return {
        queue: new MemoryQueueRepository({ clock, retentionMs, maxReceipts, maxTotalBytes: heapShare(1 / 3) }),
        keys: new MemoryKeyRepository(clock, heapShare(1 / 20)),
        presence: new MemoryPresenceRepository(clock),
      };
    }
  }
}

const STORAGE = Symbol('storage');

const ports: Provider[] = [
  { provide: QueueRepository, inject: [STORAGE], useFactory: ({ queue }: Storage) => queue },
  { provide: KeyRepository, inject: [STORAGE], useFactory: ({ keys }: Storage) => keys },
  { provide: PresenceRepository, inject: [STORAGE], useFactory: ({ presence }: Storage) => presence },
];

@Global()
@Module({})
export class StorageModule {
  static forRoot(): DynamicModule {
    return {
      module: StorageModule,
      providers: [{ provide: STORAGE, inject: [Settings, Clock], useFactory: openStorage }, ...ports],
      exports: [QueueRepository, KeyRepository, PresenceRepository],
    };
  }
}
