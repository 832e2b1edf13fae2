import { Body, Controller, Delete, Get, Param, Put } from '@nestjs/common';
import { ApiOkResponse, ApiParam, ApiTags } from '@nestjs/swagger';
import { type Address, isDeviceId, RelayError } from '@relay/protocol';
import { Bans } from '../bans/bans.js';
import { AddressPipe } from '../common/address.pipe.js';
import { ADDRESS_SCHEMA } from '../common/dto.js';
import { ApiProblems } from '../common/problem.dto.js';
import { Settings } from '../common/settings.js';
import { DevicesService, type OwnDevice } from '../devices/devices.service.js';
import {
  AddressDto,
  BanChangedDto,
  BanRequestDto,
  BansDto,
  DeviceRevokedDto,
  NodeOrderedDto,
  OverviewDto,
  RevokedDto,
} from './admin.dto.js';
import { AdminService } from './admin.service.js';
import type { NodeOrder } from './node.repository.js';

/** Everything here is an operator's (`rules.ts`): without ADMIN_TOKEN there is nothing. */
@ApiTags('admin')
@ApiProblems()
@Controller('admin/api')
export class AdminController {
  constructor(
    private readonly admin: AdminService,
    private readonly devices: DevicesService,
    private readonly bans: Bans,
    private readonly settings: Settings,
  ) {}

  /** What the page asks every 2 s. */
  @Get('overview')
  @ApiOkResponse({ type: OverviewDto })
  async overview(): Promise<OverviewDto> {
    return { ...(await this.admin.overview()), maxMessages: this.settings.maxOfflineMessages };
  }

  @Get('addresses/:address')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: AddressDto })
  async address(@Param('address', AddressPipe) address: Address): Promise<AddressDto> {
    const { ban, devices, ...view } = await this.admin.address(address);
    return { ...view, ban: ban === null ? null : { address, ...ban }, devices: devices.map(toDto) };
  }

  /** Ends every session of the address, and whatever it has open. Its mail stays. */
  @Delete('addresses/:address/sessions')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: RevokedDto })
  async revoke(@Param('address', AddressPipe) address: Address): Promise<RevokedDto> {
    return { address, ...(await this.devices.endSessions(address)) };
  }

  /** As the owner would: signs the device out, ends what it has open, and lets it hold no mail back. */
  @Delete('addresses/:address/devices/:deviceId')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: DeviceRevokedDto })
  async endDevice(
    @Param('address', AddressPipe) address: Address,
    @Param('deviceId') deviceId: string,
  ): Promise<DeviceRevokedDto> {
    if (isDeviceId(deviceId) && (await this.devices.end(address, deviceId))) return { address, deviceId };
    throw new RelayError('not_found', 'This address has no such device');
  }

  /** All of them: at most 10 000. */
  @Get('bans')
  @ApiOkResponse({ type: BansDto })
  async listBans(): Promise<BansDto> {
    await this.bans.check();
    const bans = [...this.bans.all].map(([address, ban]) => ({ address, ...ban }));
    return { count: bans.length, bans };
  }

  /** Sends and sign-ins of the address are refused from now on, on all nodes within 5 s; what it has open is closed. */
  @Put('bans/:address')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: BanChangedDto })
  async ban(@Param('address', AddressPipe) address: Address, @Body() { note }: BanRequestDto): Promise<BanChangedDto> {
    return { address, banned: true, changed: await this.bans.put(address, note) };
  }

  /** Its sessions are still there. */
  @Delete('bans/:address')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: BanChangedDto })
  async unban(@Param('address', AddressPipe) address: Address): Promise<BanChangedDto> {
    return { address, banned: false, changed: await this.bans.remove(address) };
  }

  /** Sends the node's clients to the others, as SIGTERM does; the process stays, lets nobody in, and waits. */
  @Put('nodes/:node/drain')
  @ApiOkResponse({ type: NodeOrderedDto })
  drain(@Param('node') node: string): Promise<NodeOrderedDto> {
    return this.order(node, 'drain');
  }

  /** Lets clients in again once it is drained. */
  @Delete('nodes/:node/drain')
  @ApiOkResponse({ type: NodeOrderedDto })
  resume(@Param('node') node: string): Promise<NodeOrderedDto> {
    return this.order(node, 'resume');
  }

  private async order(node: string, order: NodeOrder): Promise<NodeOrderedDto> {
    await this.admin.order(node, order);
    return { node, order };
  }
}

function toDto({ device, isOnline, mailbox, session }: OwnDevice): AddressDto['devices'][number] {
  return {
    deviceId: device,
    online: isOnline,
    lastUsedAt: mailbox?.lastUsedAt ?? null,
    pending: mailbox?.pending ?? null,
    session:
      session === null
        ? null
        : { createdAt: session.createdAt, lastUsedAt: session.lastUsedAt, expiresAt: session.expiresAt },
  };
}
