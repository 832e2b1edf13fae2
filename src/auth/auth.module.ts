import { Module } from '@nestjs/common';
import { Backplane } from '../backplane/backplane.js';
import { Bans } from '../bans/bans.js';
import { BansModule } from '../bans/bans.module.js';
import { Clock } from '../common/clock.js';
import { Logger } from '../common/logger.js';
import { domainOf } from '../common/domain.js';
import { Settings } from '../common/settings.js';
import { RecoveryBudget } from '../identity/recovery-budget.js';
import { RateLimits } from '../limits/rate-limits.js';
import { SignInLimits } from '../limits/sign-in-limits.js';
import { AuthService } from './auth.service.js';
import { Revocations } from './revocations.js';
import { SessionRepository } from './session.repository.js';

@Module({
  imports: [BansModule],
  providers: [
    {
      provide: Revocations,
      inject: [SessionRepository, Backplane, Logger],
      useFactory: (sessions: SessionRepository, backplane: Backplane, logger: Logger) =>
        new Revocations(sessions, backplane, logger),
    },
    {
      provide: SignInLimits,
      inject: [RateLimits, Settings],
      useFactory: (limits: RateLimits, { maxFirstSignInsPerIp }: Settings) =>
        new SignInLimits(limits, maxFirstSignInsPerIp),
    },
    {
      provide: AuthService,
      inject: [Settings, SessionRepository, Revocations, Bans, RecoveryBudget, SignInLimits, Clock],
      useFactory: (
        settings: Settings,
        sessions: SessionRepository,
        revocations: Revocations,
        bans: Bans,
        recoveries: RecoveryBudget,
        limits: SignInLimits,
        clock: Clock,
      ) =>
        new AuthService(
          { sessions, revocations, bans, recoveries, limits, clock },
          { mode: settings.authMode, domainOf: (host) => domainOf(settings, host) },
        ),
    },
  ],
  exports: [AuthService, Revocations],
})
export class AuthModule {}
