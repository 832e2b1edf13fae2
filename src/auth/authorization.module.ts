import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Logger } from '../common/logger.js';
import { Settings } from '../common/settings.js';
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
      inject: [Authorization, AdminToken, Logger],
      useFactory: (authorization: Authorization, admin: AdminToken, logger: Logger) =>
        new AuthGuard(authorization, admin, logger),
    },
  ],
})
export class AuthorizationModule {}
