import {
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  RequestMethod,
  type Type,
  UnauthorizedException,
} from '@nestjs/common';
import { type Address, parseAddress, RelayError } from '@relay/protocol';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { networkOf } from '../common/client-ip.js';
import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logger.js';
import { REQUEST_ID } from '../common/request-id.js';
import type { AdminLimits } from '../limits/admin-limits.js';
import type { AdminToken } from './admin-token.js';
import type { Authorization, Caller } from './authorization.js';
import { ROUTE_RULES, type RouteRule } from './rules.js';
import type { Session } from './session.repository.js';

/** As much of Express's request as is looked at. */
interface Request extends IncomingMessage {
  readonly ip?: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  caller?: Caller;
}

const TOLD_AGAIN_MS = 600_000;
const MAX_TOLD = 1_000;

/** How a controller declares a call, whichever request led there: `GET /api/messages/:address`, also for a HEAD. */
export function routeOf(controller: Type, handler: object): string {
  const method = RequestMethod[Reflect.getMetadata('method', handler) as RequestMethod];
  const paths = [controller, handler].map((where) =>
    String(Reflect.getMetadata('path', where)).replace(/^\/|\/$/g, ''),
  );
  return `${method} /${paths.filter((path) => path !== '').join('/')}`;
}

/** Stands before every REST call. A call without a rule is refused: forgetting one opens nothing. */
export class AuthGuard implements CanActivate {
  /** When a routine call was written down, monotonic ms. */
  private readonly told = new Map<string, number>();

  constructor(
    private readonly authorization: Authorization,
    private readonly admin: AdminToken,
    private readonly limits: AdminLimits,
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly logger: Logger,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return false;
    const request = context.switchToHttp().getRequest<Request>();
    const route = routeOf(context.getClass(), context.getHandler());
    const rule = ROUTE_RULES.get(route);
    if (rule === undefined) this.logger.error('a call has no rule and is refused', undefined, { route });
    const address = addressIn(request, rule);
    const isOperators = rule?.who === 'admin' || rule?.who === 'operator';
    // Without an operator there is nothing to call, and nobody to write it down for.
    if (isOperators && (this.admin.isSet || rule.who === 'admin')) this.audit(context, route, address);
    const caller = await this.identify(request, route, address, isOperators);
    request.caller = caller;
    if (!isOperators && caller.kind === 'admin') this.audit(context, route, address);
    return true;
  }

  /**
   * Whoever tries tokens for what is an operator's is kept from trying many. The right one is not counted and not kept waiting:
   * or whoever shares the operator's network, as one behind the same proxy does, could lock the operator out.
   */
  private async identify(request: Request, route: string, address: Address | null, isOperators: boolean) {
    const network = networkOf(request.ip ?? '');
    const { authorization } = request.headers;
    const isGuarded = isOperators && this.admin.isSet && !this.authorization.isOperator(authorization);
    if (isGuarded) await this.limits.mayTry(network);
    try {
      return await this.authorization.admit(route, address, authorization);
    } catch (error) {
      if (isGuarded && error instanceof RelayError) await this.limits.failed(network);
      throw error;
    }
  }

  /** One line for each call that is an operator's, or would be: when it has its answer, so with its outcome. */
  private audit(context: ExecutionContext, route: string, address: Address | null): void {
    const request = context.switchToHttp().getRequest<Request>();
    const response = context.switchToHttp().getResponse<ServerResponse>();
    const network = networkOf(request.ip ?? '');
    response.once('close', () => {
      const outcome = response.writableFinished ? response.statusCode : 'cut';
      const id = String(response.getHeader(REQUEST_ID));
      const by = this.nameOf(request.caller);
      // Whoever tries too often fills no log.
      const isRoutine = outcome === 429 || (outcome === 200 && ROUTE_RULES.get(route)?.isPolled === true);
      if (isRoutine && !this.isNews(`${route} ${address} ${by} ${network}`)) return;
      this.logger.info('admin call', { request: id, route, address, by, outcome, network });
    });
  }

  private isNews(call: string): boolean {
    const now = this.clock.monotonic();
    if ((this.told.get(call) ?? -Infinity) > now - TOLD_AGAIN_MS) return false;
    if (this.told.size >= MAX_TOLD) this.told.clear();
    this.told.set(call, now);
    return true;
  }

  private nameOf(caller: Caller | undefined): string {
    if (caller === undefined) return 'refused';
    if (caller.kind === 'admin') return `admin ${this.admin.fingerprint}`;
    return caller.kind === 'session' ? caller.session.address : 'anybody';
  }
}

function addressIn({ params, query, body }: Request, rule: RouteRule | undefined): Address | null {
  if (rule?.address === 'path') return parseAddress(params.address);
  if (rule?.address === 'query') return parseAddress(query.owner);
  if (rule?.address === 'body') return parseAddress((body as { address?: unknown } | undefined)?.address);
  return null;
}

/** The session of whoever makes a `self` call. */
export const CallerSession = createParamDecorator((_: unknown, context: ExecutionContext): Session => {
  const { caller } = context.switchToHttp().getRequest<Request>();
  if (caller?.kind !== 'session') throw new UnauthorizedException();
  return caller.session;
});
