import { ApiProperty } from '@nestjs/swagger';
import type { Address } from '@relay/protocol';
import { ADDRESS_SCHEMA } from '../common/dto.js';

export class DeviceSessionDto {
  @ApiProperty({ description: 'Public; names the session.' })
  readonly id!: string;

  @ApiProperty({ type: 'integer', description: 'ms since 1970' })
  readonly createdAt!: number;

  @ApiProperty({ type: 'integer', description: 'ms since 1970, to within an hour' })
  readonly lastUsedAt!: number;

  @ApiProperty({ type: 'integer', description: 'ms since 1970; every use moves it on' })
  readonly expiresAt!: number;
}

export class DeviceDto {
  @ApiProperty()
  readonly deviceId!: string;

  @ApiProperty({ description: 'Whether it is the one that makes this call.' })
  readonly current!: boolean;

  @ApiProperty({ description: 'Whether it is connected now, on any node.' })
  readonly online!: boolean;

  @ApiProperty({
    type: 'integer',
    nullable: true,
    description:
      'When it last opened its place in the mailbox, or acknowledged: ms since 1970. Null where it has none.',
  })
  readonly lastUsedAt!: number | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Entries that it has not acknowledged.' })
  readonly pending!: number | null;

  @ApiProperty({ type: DeviceSessionDto, nullable: true, description: 'Null where it never signed in.' })
  readonly session!: DeviceSessionDto | null;
}

export class DevicesDto {
  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;

  @ApiProperty({ type: 'integer' })
  readonly count!: number;

  @ApiProperty({ type: [DeviceDto] })
  readonly devices!: readonly DeviceDto[];
}

export class DeviceEndedDto {
  @ApiProperty({ example: true })
  readonly success!: true;

  @ApiProperty()
  readonly deviceId!: string;
}
