import { Controller, Get, Header, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Settings } from '../common/settings.js';
import { frontDescription, frontPage } from './front-page.js';

/** As much of Express's request as is used: the first of these types that the client would rather have. */
interface Request extends IncomingMessage {
  accepts(types: readonly string[]): string | false;
}

/** What stands at the address of a relay: a page for browsers, JSON for everything else. WebSockets never come here. */
@ApiExcludeController()
@Controller()
export class FrontPageController {
  private readonly page: string;
  private readonly description: string;

  constructor(settings: Settings) {
    this.page = frontPage(settings);
    this.description = JSON.stringify(frontDescription(settings));
  }

  @Get()
  @Header('Cache-Control', 'no-cache')
  @Header('Vary', 'Accept')
  front(@Req() request: Request, @Res() response: ServerResponse): void {
    // Who does not mind, as curl does, gets the first.
    const isPage = request.accepts(['json', 'html']) === 'html';
    response.setHeader('Content-Type', `${isPage ? 'text/html' : 'application/json'}; charset=utf-8`);
    response.end(isPage ? this.page : this.description);
  }
}
