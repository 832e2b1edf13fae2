import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Logger } from '../common/logger.js';
import { Settings } from '../common/settings.js';
import { AdminToken } from './admin-token.js';
import { AuthGuard } from './auth.guard.js';
import { Authorization } from './authorization.js';
import { SessionRepository } from './session.repository.js';

/** Who may make which REST call. */
@Module({
  providers: [
    { provide: AdminToken, inject: [Settings], useFactory: ({ adminToken }: Settings) => new AdminToken(adminToken) },
    {
      provide: Authorization,
      inject: [SessionRepository, AdminToken, Settings],
      useFactory: (sessions: SessionRepository, admin: AdminToken, { authMode }: Settings) =>
        new Authorization(sessions, { mode: authMode, admin }),
    },
    {
      provide: APP_GUARD,
      inject: [Authorization, AdminToken, Logger],
      useFactory: (authorization: Authorization, admin: AdminToken, logger: Logger) =>
        new AuthGuard(authorization, admin, logger),
    },
  ],
})
export class AuthorizationModule {}
