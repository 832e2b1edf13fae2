import { Module } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { Clock } from '../common/clock.js';
import { RecoveryBudget } from '../identity/recovery-budget.js';
import { AuthModule } from './auth.module.js';
import { AuthService } from './auth.service.js';
import { BrowserSignInController } from './browser-sign-in.controller.js';
import { SignInLinkController } from './sign-in-link.controller.js';
import { SignInLinkLimits } from './sign-in-link.limits.js';
import { SignInLinkRepository } from './sign-in-link.repository.js';
import { SignInLinks } from './sign-in-link.service.js';

@Module({
  imports: [AuthModule],
  controllers: [SignInLinkController, BrowserSignInController],
  providers: [
    SignInLinkLimits,
    {
      provide: SignInLinks,
      inject: [SignInLinkRepository, AuthService, RecoveryBudget, Clock],
      useFactory: (links: SignInLinkRepository, auth: AuthService, recoveries: RecoveryBudget, clock: Clock) =>
        new SignInLinks({
          links,
          auth,
          recover: (text, proof) => recoveries.addressOf(text, proof),
          clock,
          random: () => randomBytes(16).toString('hex'),
        }),
    },
  ],
})
export class SignInLinkModule {}
