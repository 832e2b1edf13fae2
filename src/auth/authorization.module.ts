import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Clock } from '../common/clock.js';
import { Logger } from '../common/logger.js';
import { Settings } from '../common/settings.js';
import { AdminLimits } from '../limits/admin-limits.js';
import { RateLimits } from '../limits/rate-limits.js';
import { AdminToken } from './admin-token.js';
import { AuthModule } from './auth.module.js';
import { AuthService } from './auth.service.js';
import { AuthGuard } from './auth.guard.js';
import { Authorization } from './authorization.js';

/** Who may make which REST call. */
@Module({
  imports: [AuthModule],
  providers: [
    { provide: AdminToken, inject: [Settings], useFactory: ({ adminToken }: Settings) => new AdminToken(adminToken) },
    {
      provide: Authorization,
      inject: [AuthService, AdminToken],
      useFactory: (auth: AuthService, admin: AdminToken) => new Authorization(auth, admin),
    },
    {
      provide: APP_GUARD,
      inject: [Authorization, AdminToken, RateLimits, Clock, Logger],
      useFactory: (authorization: Authorization, admin: AdminToken, limits: RateLimits, clock: Clock, logger: Logger) =>
        new AuthGuard(authorization, admin, new AdminLimits(limits), clock, logger),
    },
  ],
})
export class AuthorizationModule {}
