import { Module } from '@nestjs/common';
import { Backplane } from '../backplane/backplane.js';
import { Clock } from '../common/clock.js';
import { Logger } from '../common/logger.js';
import { Settings } from '../common/settings.js';
import { RecoveryBudget } from '../identity/recovery-budget.js';
import { AuthService } from './auth.service.js';
import { Revocations } from './revocations.js';
import { SessionRepository } from './session.repository.js';

@Module({
  providers: [
    {
      provide: Revocations,
      inject: [SessionRepository, Logger],
      useFactory: (sessions: SessionRepository, logger: Logger) => new Revocations(sessions, logger),
    },
    {
      provide: AuthService,
      inject: [Settings, SessionRepository, Revocations, RecoveryBudget, Backplane, Clock],
      useFactory: (
        { authMode, publicDomain, environment }: Settings,
        sessions: SessionRepository,
        revocations: Revocations,
        recoveries: RecoveryBudget,
        backplane: Backplane,
        clock: Clock,
      ) =>
        new AuthService(
          { sessions, revocations, recoveries, backplane, clock },
          {
            mode: authMode,
            domain: publicDomain === '' ? null : publicDomain,
            mayUseHost: environment !== 'production',
          },
        ),
    },
  ],
  exports: [AuthService, Revocations],
})
export class AuthModule {}
