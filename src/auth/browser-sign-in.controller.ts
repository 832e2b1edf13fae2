import { Body, Controller, Get, Header, HttpCode, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import { ApiBody, ApiNotFoundResponse, ApiOkResponse, ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import { isDeviceId, RelayError } from '@relay/protocol';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { networkOf } from '../common/client-ip.js';
import { domainOf } from '../common/domain.js';
import { ApiProblems } from '../common/problem.dto.js';
import { InvalidRequest } from '../common/problem.js';
import { Settings } from '../common/settings.js';
import { BrowserSignInGuard } from './browser-sign-in.guard.js';
import { clearedCookie, linkTokenOf, newVerifier, readVerifier, verifierCookie, walletUrl } from './browser-sign-in.js';
import { CALLBACK_PAGE, CALLBACK_SCRIPT } from './callback-page.js';
import { BrowserSessionDto, BrowserSignInDto, LinkTokenDto } from './sign-in-link.dto.js';
import { linkTokenIn, SignInLinks } from './sign-in-link.service.js';

/** As much of Express's request and response as is used. */
interface Request extends IncomingMessage {
  readonly protocol: string;
  readonly ip?: string;
}
type Response = ServerResponse & { redirect(status: number, url: string): void };

const OFF = 'Off unless BROWSER_SIGN_IN=true: a link that somebody else made can then give that person the session.';

/** "Sign in with Idena" for the browser of whoever signs in: the part that ends in a session of this relay, off by default. */
@ApiTags('sign in with Idena, in a browser')
@ApiProblems()
@ApiNotFoundResponse({ description: 'BROWSER_SIGN_IN is off, or this sign-in is over' })
@Controller('auth/v1')
@UseGuards(BrowserSignInGuard)
export class BrowserSignInController {
  constructor(
    private readonly links: SignInLinks,
    private readonly settings: Settings,
  ) {}

  /** Sends a browser to its wallet; one that asks for JSON is told where that is. Nothing is kept here: the cookie is all. */
  @Get('start')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ description: OFF })
  @ApiQuery({ name: 'wallet', required: false, enum: ['web', 'app'] })
  @ApiQuery({ name: 'deviceId', required: false, type: String, description: 'Which device the browser will be.' })
  @ApiOkResponse({ type: BrowserSignInDto, description: 'With `Accept: application/json`; else a redirect (302).' })
  start(@Query() query: Record<string, unknown>, @Req() request: Request, @Res() response: Response): void {
    const { deviceId } = query;
    if (deviceId !== undefined && !isDeviceId(deviceId)) {
      const message = 'must be 1 to 64 of A-Z a-z 0-9 _ -, and not "classic"';
      throw new InvalidRequest([{ field: 'deviceId', message }]);
    }
    const verifier = newVerifier(deviceId ?? null);
    const token = linkTokenOf(verifier);
    const origin = `${request.protocol}://${domainOf(this.settings, request.headers.host)}`;
    const urls = { url: walletUrl('web', token, origin), appUrl: walletUrl('app', token, origin) };
    response.setHeader('Set-Cookie', verifierCookie(verifier, isSecure(request)));
    const isJson = request.headers.accept?.includes('application/json') ?? false;
    if (!isJson) return response.redirect(302, query.wallet === 'app' ? urls.appUrl : urls.url);
    response.setHeader('Content-Type', 'application/json; charset=utf-8').end(JSON.stringify({ token, ...urls }));
  }

  /** Changes nothing itself: its script asks for the session, also where that ends a sign-in which began elsewhere. */
  @Get('callback')
  @ApiOperation({ description: OFF })
  @ApiQuery({ name: 'token', type: String })
  @ApiOkResponse({ description: 'A page', content: { 'text/html': {} } })
  callback(@Query('token') token: unknown, @Req() request: Request, @Res() response: Response): void {
    const verifier = readVerifier(request.headers.cookie, isSecure(request));
    response.statusCode = verifier !== null && linkTokenOf(verifier) === token ? 200 : 403;
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Content-Type', 'text/html; charset=utf-8').end(CALLBACK_PAGE);
  }

  @Get('callback.js')
  @Header('Content-Type', 'text/javascript; charset=utf-8')
  @ApiOperation({ description: OFF })
  @ApiOkResponse({ description: 'The script of that page', content: { 'text/javascript': {} } })
  script(): string {
    return CALLBACK_SCRIPT;
  }

  /** The session, once, for the browser with the cookie that began. From any other, the sign-in is over. */
  @Post('session')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ description: OFF })
  @ApiBody({ type: LinkTokenDto })
  @ApiOkResponse({ type: BrowserSessionDto })
  async session(@Body() body: unknown, @Req() request: Request, @Res({ passthrough: true }) response: Response) {
    const token = linkTokenIn(body);
    if (token === null) throw new InvalidRequest([{ field: 'token', message: 'must be that of the sign-in' }]);
    const verifier = readVerifier(request.headers.cookie, isSecure(request));
    if (verifier === null || linkTokenOf(verifier) !== token) {
      await this.links.abandon(token);
      throw new RelayError('forbidden', 'This sign-in did not begin in this browser, and has been ended');
    }
    const exchanged = await this.links.exchange(token, verifier.device, networkOf(request.ip ?? ''));
    if (exchanged.kind === 'pending') return { pending: true, retryAfterMs: exchanged.retryAfterMs };
    response.setHeader('Set-Cookie', clearedCookie(isSecure(request)));
    const { id, address, device, expiresAt } = exchanged.session;
    return { address, deviceId: device, sessionId: id, token: exchanged.token, tokenExpiresAt: expiresAt };
  }
}

function isSecure({ protocol }: Request): boolean {
  return protocol === 'https';
}
