import { type Address, RelayError } from '@relay/protocol';
import type { AdminToken } from './admin-token.js';
import type { AuthService } from './auth.service.js';
import { ROUTE_RULES, type RouteRule } from './rules.js';
import type { Session } from './session.repository.js';

export type Caller =
  { readonly kind: 'nobody' } | { readonly kind: 'session'; readonly session: Session } | { readonly kind: 'admin' };

const NOBODY: Caller = { kind: 'nobody' };
/** What `Authorization: Bearer` may carry: no session or admin token is anything else. */
const BEARER = /^Bearer +([\x21-\x7e]{1,512})$/i;

/** Decides about each REST call by the one table. Refusals say nothing of what they protect, not even whether it exists. */
export class Authorization {
  constructor(
    private readonly auth: AuthService,
    private readonly admin: AdminToken,
  ) {}

  /**
   * Who calls, if they may. Rejects with `auth_required` (no token), `auth_failed` (one that is none, or is no more),
   * `not_found` (there is no operator), `forbidden`, or `downgrade_refused` (no token, for an address that once signed in).
   *
   * @param route as in `ROUTE_RULES`
   * @param address that the call names; `null` where it names none, or what is no address and so belongs to nobody
   */
  async admit(route: string, address: Address | null, authorization: string | undefined): Promise<Caller> {
    const rule = ROUTE_RULES.get(route);
    if (rule === undefined) throw new RelayError('forbidden');
    if (rule.who === 'all') return NOBODY;
    // Without an operator there is nothing to find here.
    if (rule.who === 'operator' && !this.admin.isSet) throw new RelayError('not_found');
    const caller = await this.identify(authorization);
    if (caller.kind === 'nobody' && (await this.isOpen(rule, address))) return caller;
    if (caller.kind === 'nobody') throw new RelayError('auth_required');
    if (await this.allows(rule, caller, address)) return caller;
    throw new RelayError('forbidden');
  }

  /** Whether that is the operator's token; asks no store. */
  isOperator(authorization: string | undefined): boolean {
    const token = tokenOf(authorization);
    return token !== undefined && this.admin.matches(token);
  }

  private async identify(authorization: string | undefined): Promise<Caller> {
    if (authorization === undefined) return NOBODY;
    if (this.isOperator(authorization)) return { kind: 'admin' };
    const token = tokenOf(authorization);
    const session = token === undefined ? null : await this.auth.session(token);
    if (session === null) throw new RelayError('auth_failed', 'The token is unknown, expired or revoked');
    return { kind: 'session', session };
  }

  /** Without any token. */
  private async isOpen({ who }: RouteRule, address: Address | null): Promise<boolean> {
    if (this.auth.mode === 'signed' || who === 'self' || who === 'operator') return false;
    if (who === 'admin') return !this.admin.isSet;
    if (who === 'signed_in' || address === null || (await this.auth.isBelieved(address))) return true;
    throw new RelayError('downgrade_refused');
  }

  private async allows({ who }: RouteRule, caller: Caller, address: Address | null): Promise<boolean> {
    if (who === 'signed_in') return true;
    if (caller.kind === 'admin') return who === 'admin' || who === 'operator' || who === 'owner_or_admin';
    if (caller.kind !== 'session' || who === 'operator') return false;
    if (who === 'self') return true;
    if (who === 'admin') return this.auth.mode === 'open' && !this.admin.isSet;
    // What is no address is refused by its check, for the same reason to everybody.
    if (address === null || address === caller.session.address) return true;
    // Whoever signed in may do at least what anybody may.
    return this.auth.isBelieved(address);
  }
}

function tokenOf(authorization = ''): string | undefined {
  return BEARER.exec(authorization)?.[1];
}
