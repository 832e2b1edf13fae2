import { Body, Controller, Get, Header, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiQuery, ApiTags } from '@nestjs/swagger';
import { type Address, parseAddress, RelayError } from '@relay/protocol';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { networkOf } from '../common/client-ip.js';
import { domainOf } from '../common/domain.js';
import { Logger } from '../common/logger.js';
import { ApiProblems } from '../common/problem.dto.js';
import { InvalidRequest } from '../common/problem.js';
import { REQUEST_ID } from '../common/request-id.js';
import { Settings } from '../common/settings.js';
import {
  clearedCookie,
  isDeviceId,
  linkTokenOf,
  newVerifier,
  readVerifier,
  verifierCookie,
  walletUrl,
} from './browser-sign-in.js';
import { CALLBACK_PAGE, CALLBACK_SCRIPT } from './callback-page.js';
import {
  AuthenticateDto,
  BrowserSessionDto,
  BrowserSignInDto,
  LinkTokenDto,
  StartSessionDto,
  WalletAnswerDto,
} from './sign-in-link.dto.js';
import { SignInLinkLimits } from './sign-in-link.limits.js';
import { LinkRefusal, SignInLinks } from './sign-in-link.service.js';

/** As much of Express's request and response as is used. */
interface Request extends IncomingMessage {
  readonly ip?: string;
  readonly protocol: string;
  readonly res?: ServerResponse;
}
type Response = ServerResponse & { redirect(status: number, url: string): void };

const TOKEN = /^[\x21-\x7e]{1,128}$/;
const SUPPORTED_VERSION = 'v1';

/**
 * "Sign in with Idena". The first four calls are made by wallets in the field, exactly so, and answered with 200 whatever
 * comes; the others are for the browser of whoever signs in.
 */
@ApiTags('sign in with Idena')
@ApiProblems()
@Controller('auth')
export class SignInLinkController {
  constructor(
    private readonly links: SignInLinks,
    private readonly limits: SignInLinkLimits,
    private readonly settings: Settings,
    private readonly logger: Logger,
  ) {}

  @Post(':version/start-session')
  @HttpCode(200)
  @ApiBody({ type: StartSessionDto })
  @ApiOkResponse({ type: WalletAnswerDto })
  startSession(@Param('version') version: string, @Body() body: unknown, @Req() request: Request) {
    return this.answer(version, request, body, async (token) => {
      const address = parseAddress((body as { address?: unknown }).address);
      if (address === null) throw new LinkRefusal('invalid address');
      await this.limits.takeStart(address);
      return { nonce: await this.links.startSession(token, address, this.domainOf(request)) };
    });
  }

  @Post(':version/authenticate')
  @HttpCode(200)
  @ApiBody({ type: AuthenticateDto })
  @ApiOkResponse({ type: WalletAnswerDto })
  authenticate(@Param('version') version: string, @Body() body: unknown, @Req() request: Request) {
    return this.answer(version, request, body, async (token) => ({
      authenticated: await this.links.authenticate(token, (body as { signature?: unknown }).signature),
    }));
  }

  @Get(':version/get-account')
  @Header('Cache-Control', 'no-store')
  @ApiQuery({ name: 'token', type: String })
  @ApiOkResponse({ type: WalletAnswerDto })
  account(@Param('version') version: string, @Query() query: unknown, @Req() request: Request) {
    return this.answer(version, request, query, async (token): Promise<{ address: Address }> => {
      return { address: await this.links.account(token) };
    });
  }

  @Post(':version/logout')
  @HttpCode(200)
  @ApiBody({ type: LinkTokenDto })
  @ApiOkResponse({ type: WalletAnswerDto })
  logout(@Param('version') version: string, @Body() body: unknown, @Req() request: Request) {
    return this.answer(version, request, body, async (token) => ({ loggedout: await this.links.logout(token) }));
  }

  /** Sends a browser to its wallet; one that asks for JSON is told where that is. Nothing is kept here: the cookie is all. */
  @Get('v1/start')
  @Header('Cache-Control', 'no-store')
  @ApiQuery({ name: 'wallet', required: false, enum: ['web', 'app'] })
  @ApiQuery({ name: 'deviceId', required: false, type: String, description: 'Which device the browser will be.' })
  @ApiOkResponse({ type: BrowserSignInDto, description: 'With `Accept: application/json`; else a redirect (302).' })
  start(@Query() query: Record<string, unknown>, @Req() request: Request, @Res() response: Response): void {
    const { deviceId } = query;
    if (deviceId !== undefined && !isDeviceId(deviceId)) {
      throw new InvalidRequest([{ field: 'deviceId', message: 'must be 1 to 64 letters, digits and _-' }]);
    }
    const verifier = newVerifier(deviceId ?? null);
    const token = linkTokenOf(verifier);
    const origin = `${request.protocol}://${this.domainOf(request)}`;
    const urls = { url: walletUrl('web', token, origin), appUrl: walletUrl('app', token, origin) };
    response.setHeader('Set-Cookie', verifierCookie(verifier, isSecure(request)));
    const isJson = request.headers.accept?.includes('application/json') ?? false;
    if (!isJson) return response.redirect(302, query.wallet === 'app' ? urls.appUrl : urls.url);
    response.setHeader('Content-Type', 'application/json; charset=utf-8').end(JSON.stringify({ token, ...urls }));
  }

  /** Changes nothing itself: its script asks for the session, also where that ends a sign-in which began elsewhere. */
  @Get('v1/callback')
  @ApiQuery({ name: 'token', type: String })
  @ApiOkResponse({ description: 'A page', content: { 'text/html': {} } })
  callback(@Query('token') token: unknown, @Req() request: Request, @Res() response: Response): void {
    const verifier = readVerifier(request.headers.cookie, isSecure(request));
    response.statusCode = verifier !== null && linkTokenOf(verifier) === token ? 200 : 403;
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Content-Type', 'text/html; charset=utf-8').end(CALLBACK_PAGE);
  }

  @Get('v1/callback.js')
  @Header('Content-Type', 'text/javascript; charset=utf-8')
  @ApiOkResponse({ description: 'The script of that page', content: { 'text/javascript': {} } })
  script(): string {
    return CALLBACK_SCRIPT;
  }

  /** The session, once, for the browser with the cookie that began. From any other, the sign-in is over. */
  @Post('v1/session')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @ApiBody({ type: LinkTokenDto })
  @ApiOkResponse({ type: BrowserSessionDto })
  async session(@Body() body: unknown, @Req() request: Request, @Res({ passthrough: true }) response: Response) {
    const token = tokenIn(body);
    if (token === null) throw new InvalidRequest([{ field: 'token', message: 'must be that of the sign-in' }]);
    const verifier = readVerifier(request.headers.cookie, isSecure(request));
    if (verifier === null || linkTokenOf(verifier) !== token) {
      await this.links.abandon(token);
      throw new RelayError('forbidden', 'This sign-in did not begin in this browser, and has been ended');
    }
    const exchanged = await this.links.exchange(token, verifier.device);
    if (exchanged.kind === 'pending') return { pending: true, retryAfterMs: exchanged.retryAfterMs };
    response.setHeader('Set-Cookie', clearedCookie(isSecure(request)));
    const { id, address, device, expiresAt } = exchanged.session;
    return { address, deviceId: device, sessionId: id, token: exchanged.token, tokenExpiresAt: expiresAt };
  }

  private domainOf({ headers }: Request): string {
    return domainOf(this.settings, headers.host);
  }

  private async answer(
    version: string,
    request: Request,
    fields: unknown,
    work: (token: string) => Promise<Readonly<Record<string, unknown>>>,
  ): Promise<WalletAnswerDto> {
    try {
      if (version !== SUPPORTED_VERSION) throw new LinkRefusal('unsupported version');
      const token = tokenIn(fields);
      if (token === null) throw new LinkRefusal('invalid token');
      await this.limits.takeCall(networkOf(request.ip ?? ''), token);
      return { success: true, data: await work(token) };
    } catch (error) {
      if (error instanceof LinkRefusal || error instanceof RelayError) return { success: false, error: error.message };
      this.logger.error('sign-in by wallet failed', error, { request: String(request.res?.getHeader(REQUEST_ID)) });
      return { success: false, error: 'internal error' };
    }
  }
}

function tokenIn(fields: unknown): string | null {
  const { token } = (fields ?? {}) as { token?: unknown };
  return typeof token === 'string' && TOKEN.test(token) ? token : null;
}

function isSecure({ protocol }: Request): boolean {
  return protocol === 'https';
}
