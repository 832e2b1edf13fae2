import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { RelayError } from '@relay/protocol';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Settings } from '../common/settings.js';
import { PageFiles } from './page-files.js';
import { sendPageFile } from './send-page-file.js';

/** For operators: it asks for ADMIN_TOKEN, and all that it shows comes from /admin/api. Not there where no token is set. */
@ApiExcludeController()
@Controller('admin')
export class AdminPageController {
  private readonly files: PageFiles | null;

  constructor(settings: Settings) {
    this.files = settings.adminToken === '' ? null : PageFiles.read('admin');
  }

  @Get()
  page(@Req() request: IncomingMessage, @Res() response: ServerResponse): void {
    if (this.files === null) throw new RelayError('not_found');
    if (this.files.index === undefined) throw new RelayError('not_found', 'The admin page is not built: npm run build');
    sendPageFile(request, response, this.files.index);
  }

  @Get('assets/:name')
  asset(@Param('name') name: string, @Req() request: IncomingMessage, @Res() response: ServerResponse): void {
    sendPageFile(request, response, this.files?.asset(name));
  }
}
