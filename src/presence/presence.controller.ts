import {
  Body,
  Controller,
  createParamDecorator,
  type ExecutionContext,
  Get,
  HttpCode,
  Param,
  Post,
  Query,
} from '@nestjs/common';
import { ApiOkResponse, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Address } from '@relay/protocol';
import { AddressPipe } from '../common/address.pipe.js';
import { Clock } from '../common/clock.js';
import { ADDRESS_SCHEMA, AddressesDto } from '../common/dto.js';
import { ApiProblems } from '../common/problem.dto.js';
import { OnlineQueryDto, OnlineUsersDto, StatusDto, StatusesDto } from './presence.dto.js';
import { PresenceService } from './presence.service.js';

/** Who asks, where the guard before this knows it. */
const Viewer = createParamDecorator((_: unknown, context: ExecutionContext): Address | null => {
  const { caller } = context.switchToHttp().getRequest<{ caller?: { session?: { address: Address } } }>();
  return caller?.session?.address ?? null;
});

@ApiTags('presence')
@ApiProblems()
@Controller('api/status')
export class PresenceController {
  constructor(
    private readonly presence: PresenceService,
    private readonly clock: Clock,
  ) {}

  @Post('batch')
  @HttpCode(200)
  @ApiOkResponse({ type: StatusesDto })
  async batch(@Body() { addresses }: AddressesDto, @Viewer() viewer: Address | null): Promise<StatusesDto> {
    const found = await this.presence.statuses(addresses, viewer);
    const statuses = Object.fromEntries(addresses.map((address, i) => [address, found[i]?.online === true]));
    return { timestamp: this.clock.now(), statuses };
  }

  @Get('online/all')
  @ApiOkResponse({ type: OnlineUsersDto })
  async online(@Query() { limit, after }: OnlineQueryDto): Promise<OnlineUsersDto> {
    const { addresses, next } = await this.presence.online(after ?? null, limit);
    return { count: addresses.length, users: addresses, timestamp: this.clock.now(), next };
  }

  @Get(':address')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: StatusDto })
  async status(@Param('address', AddressPipe) address: Address, @Viewer() viewer: Address | null): Promise<StatusDto> {
    const [status] = await this.presence.statuses([address], viewer);
    return { address, online: status?.online === true, timestamp: this.clock.now() };
  }
}
