import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { RelayError } from '@relay/protocol';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Settings } from '../common/settings.js';
import { PageFiles } from './page-files.js';
import { sendPageFile } from './send-page-file.js';

/** Two people in two windows, for whoever wants to see the relay at work. Not there unless DEMO says so. */
@ApiExcludeController()
@Controller('demo')
export class DemoController {
  private readonly files: PageFiles | null;

  constructor(settings: Settings) {
    this.files = settings.demo ? PageFiles.read('demo') : null;
  }

  @Get()
  page(@Req() request: IncomingMessage, @Res() response: ServerResponse): void {
    if (this.files === null) throw new RelayError('not_found', 'The demo page is off: DEMO=true serves it');
    if (this.files.index === undefined) throw new RelayError('not_found', 'The demo page is not built: npm run build');
    sendPageFile(request, response, this.files.index);
  }

  @Get('assets/:name')
  asset(@Param('name') name: string, @Req() request: IncomingMessage, @Res() response: ServerResponse): void {
    sendPageFile(request, response, this.files?.asset(name));
  }
}
