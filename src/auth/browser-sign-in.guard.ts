import { type CanActivate, Injectable } from '@nestjs/common';
import { RelayError } from '@relay/protocol';
import { Settings } from '../common/settings.js';

/** Before every call of `BrowserSignInController`: none of them does anything unless an operator has switched them on. */
@Injectable()
export class BrowserSignInGuard implements CanActivate {
  constructor(private readonly settings: Settings) {}

  canActivate(): boolean {
    if (this.settings.browserSignIn) return true;
    throw new RelayError('not_found', 'Signing in by a link is switched off on this relay (BROWSER_SIGN_IN)');
  }
}
