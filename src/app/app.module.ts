import { type DynamicModule, Global, Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { AdminModule } from '../admin/admin.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { AuthorizationModule } from '../auth/authorization.module.js';
import { SignInLinkModule } from '../auth/sign-in-link.module.js';
import { BansModule } from '../bans/bans.module.js';
import { Clock } from '../common/clock.js';
import { Logger } from '../common/logger.js';
import { Metrics } from '../common/metrics.js';
import { Settings } from '../common/settings.js';
import { Siblings, SoleProcess } from '../common/siblings.js';
import { Tracing } from '../common/tracing.js';
import { ContactsModule } from '../contacts/contacts.module.js';
import { RELAY_VERSION } from '../common/version.js';
import { DevicesModule } from '../devices/devices.module.js';
import { HealthModule } from '../health/health.module.js';
import { RecoveryBudget } from '../identity/recovery-budget.js';
import { KeysModule } from '../keys/keys.module.js';
import { MetricsModule } from '../metrics/metrics.module.js';
import { openTracing } from '../metrics/tracing.otlp.js';
import { PagesModule } from '../pages/pages.module.js';
import { PresenceModule } from '../presence/presence.module.js';
import { QueueModule } from '../queue/queue.module.js';
import { ReferenceModule } from '../reference/reference.module.js';
import { RelayModule } from '../relay/relay.module.js';
import { Schedule } from './schedule.js';
import { StorageModule } from './storage.js';

export interface Surroundings {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** None where left out. */
  readonly siblings?: Siblings;
}

/** What every module may ask for. */
@Global()
@Module({})
class SurroundingsModule {
  static with({ settings, clock, logger, siblings = new SoleProcess() }: Surroundings): DynamicModule {
    return {
      module: SurroundingsModule,
      providers: [
        { provide: Settings, useValue: settings },
        { provide: Clock, useValue: clock },
        { provide: Logger, useValue: logger },
        { provide: Siblings, useValue: siblings },
        { provide: Metrics, useValue: new Metrics() },
        {
          provide: Tracing,
          useFactory: () => openTracing({ endpoint: settings.otlpEndpoint, version: RELAY_VERSION }, logger),
        },
        { provide: RecoveryBudget, useFactory: () => new RecoveryBudget() },
      ],
      exports: [Settings, Clock, Logger, Siblings, Metrics, RecoveryBudget, Tracing],
    };
  }
}

@Module({})
export class AppModule {
  static with(surroundings: Surroundings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        SurroundingsModule.with(surroundings),
        StorageModule.forRoot(),
        ScheduleModule.forRoot(),
        BansModule,
        AuthModule,
        AuthorizationModule,
        SignInLinkModule,
        QueueModule,
        KeysModule,
        PresenceModule,
        ContactsModule,
        RelayModule,
        DevicesModule,
        AdminModule,
        HealthModule,
        MetricsModule,
        ReferenceModule,
        PagesModule,
      ],
      providers: [Schedule],
    };
  }
}
