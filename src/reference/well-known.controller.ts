import { Controller, Get, Header, Headers } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../common/problem.dto.js';
import { Settings } from '../common/settings.js';
import { SelfDescriptionDto } from './self-description.dto.js';
import { selfDescription } from './self-description.js';

@ApiTags('reference')
@ApiProblems()
@Controller('.well-known')
export class WellKnownController {
  constructor(private readonly settings: Settings) {}

  /** What a client needs to know before it connects. For any origin, and it may be kept for five minutes. */
  @Get('relay')
  // Outside production the domain is what the client called this relay; caches keep hosts apart by themselves.
  @Header('Cache-Control', 'public, max-age=300')
  @ApiOkResponse({ type: SelfDescriptionDto })
  relay(@Headers('host') host?: string): SelfDescriptionDto {
    return selfDescription(this.settings, host);
  }
}
