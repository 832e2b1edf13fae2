import {
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  RequestMethod,
  type Type,
  UnauthorizedException,
} from '@nestjs/common';
import { type Address, parseAddress } from '@relay/protocol';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { networkOf } from '../common/client-ip.js';
import type { Logger } from '../common/logger.js';
import { REQUEST_ID } from '../common/request-id.js';
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
  constructor(
    private readonly authorization: Authorization,
    private readonly admin: AdminToken,
    private readonly logger: Logger,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return false;
    const request = context.switchToHttp().getRequest<Request>();
    const route = routeOf(context.getClass(), context.getHandler());
    const rule = ROUTE_RULES.get(route);
    if (rule === undefined) this.logger.error('a call has no rule and is refused', undefined, { route });
    const address = addressIn(request, rule);
    if (rule?.who === 'admin') this.audit(context, route, null);
    const caller = await this.authorization.admit(route, address, request.headers.authorization);
    request.caller = caller;
    if (rule?.who !== 'admin' && caller.kind === 'admin') this.audit(context, route, address);
    return true;
  }

  /** One line for each call that is an operator's, or would be: when it has its answer, so with its outcome. */
  private audit(context: ExecutionContext, route: string, address: Address | null): void {
    const request = context.switchToHttp().getRequest<Request>();
    const response = context.switchToHttp().getResponse<ServerResponse>();
    const network = networkOf(request.ip ?? '');
    response.once('close', () => {
      const status = response.writableFinished ? response.statusCode : 'cut';
      const id = String(response.getHeader(REQUEST_ID));
      const by = this.nameOf(request.caller);
      this.logger.info('admin call', { request: id, route, address, by, outcome: status, network });
    });
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
