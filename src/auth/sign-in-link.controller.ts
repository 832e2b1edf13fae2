import { Body, Controller, Get, Header, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiQuery, ApiTags } from '@nestjs/swagger';
import { type Address, parseAddress, RelayError } from '@relay/protocol';
import type { IncomingMessage } from 'node:http';
import { networkOf } from '../common/client-ip.js';
import { domainOf } from '../common/domain.js';
import { Logger } from '../common/logger.js';
import { ApiProblems } from '../common/problem.dto.js';
import { Settings } from '../common/settings.js';
import { AuthenticateDto, LinkTokenDto, StartSessionDto, WalletAnswerDto } from './sign-in-link.dto.js';
import { SignInLinkLimits } from './sign-in-link.limits.js';
import { LinkRefusal, linkTokenIn, SignInLinks } from './sign-in-link.service.js';

/** As much of Express's request as is used. */
interface Request extends IncomingMessage {
  readonly ip?: string;
}

const SUPPORTED_VERSION = 'v1';

/**
 * "Sign in with Idena", as wallets in the field call it: exactly so, and answered with 200 whatever comes. It says whose a
 * link is; what gives a session for it is `BrowserSignInController`, which is off by default.
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
      const token = linkTokenIn(fields);
      if (token === null) throw new LinkRefusal('invalid token');
      await this.limits.takeCall(networkOf(request.ip ?? ''), token);
      return { success: true, data: await work(token) };
    } catch (error) {
      if (error instanceof LinkRefusal || error instanceof RelayError) return { success: false, error: error.message };
      this.logger.error('sign-in by wallet failed', error);
      return { success: false, error: 'internal error' };
    }
  }
}
