import { Controller, Delete, Get, Param } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { isDeviceId, RelayError } from '@relay/protocol';
import { CallerSession } from '../auth/auth.guard.js';
import type { Session } from '../auth/session.repository.js';
import { ApiProblems } from '../common/problem.dto.js';
import { CLASSIC_DEVICE } from '../queue/queue.repository.js';
import { DeviceEndedDto, DevicesDto } from './devices.dto.js';
import { DevicesService, type OwnDevice } from './devices.service.js';

@ApiTags('devices')
@ApiProblems()
@Controller('api/devices')
export class DevicesController {
  constructor(private readonly devices: DevicesService) {}

  /** No more than an address may have of them, so there are no pages. */
  @Get()
  @ApiOkResponse({ type: DevicesDto })
  async list(@CallerSession() session: Session): Promise<DevicesDto> {
    const devices = (await this.devices.list(session.address)).map((device) => toDto(device, session));
    return { address: session.address, count: devices.length, devices };
  }

  @Delete(':deviceId')
  @ApiOkResponse({ type: DeviceEndedDto })
  async end(@CallerSession() session: Session, @Param('deviceId') deviceId: string): Promise<DeviceEndedDto> {
    const isName = isDeviceId(deviceId) || deviceId === CLASSIC_DEVICE;
    if (isName && (await this.devices.end(session.address, deviceId))) return { success: true, deviceId };
    throw new RelayError('not_found', 'This address has no such device');
  }
}

function toDto({ device, isOnline, mailbox, session }: OwnDevice, caller: Session): DevicesDto['devices'][number] {
  return {
    deviceId: device,
    current: device === caller.device,
    online: isOnline,
    lastUsedAt: mailbox?.lastUsedAt ?? null,
    pending: mailbox?.pending ?? null,
    session: session === null ? null : times(session),
  };
}

function times({
  id,
  createdAt,
  lastUsedAt,
  expiresAt,
}: Session): NonNullable<DevicesDto['devices'][number]['session']> {
  return { id, createdAt, lastUsedAt, expiresAt };
}
