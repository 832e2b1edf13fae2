import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { type Address, parseAddress } from '@relay/protocol';
import { Transform } from 'class-transformer';
import { IsOptional, Matches } from 'class-validator';
import { ADDRESS_SCHEMA, PageSizeDto } from '../common/dto.js';

export class StatusDto {
  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;

  @ApiProperty()
  readonly online!: boolean;

  @ApiProperty({ type: 'integer', description: 'ms since 1970' })
  readonly timestamp!: number;
}

export class StatusesDto {
  @ApiProperty({ type: 'integer', description: 'ms since 1970' })
  readonly timestamp!: number;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'boolean' } })
  readonly statuses!: Readonly<Record<string, boolean>>;
}

export class OnlineQueryDto extends PageSizeDto {
  @ApiPropertyOptional({ ...ADDRESS_SCHEMA, description: 'The `next` of the page before.' })
  @IsOptional()
  @Transform(({ value }) => parseAddress(value) ?? (value as unknown))
  @Matches(/^0x[0-9a-f]{40}$/, { message: 'must be an address' })
  readonly after?: Address;
}

export class OnlineUsersDto {
  @ApiProperty({ type: 'integer', description: 'Of this page.' })
  readonly count!: number;

  @ApiProperty({ type: 'array', items: { ...ADDRESS_SCHEMA } })
  readonly users!: readonly Address[];

  @ApiProperty({ type: 'integer', description: 'ms since 1970' })
  readonly timestamp!: number;

  @ApiProperty({ type: 'string', nullable: true, description: 'Pass as `after` for the next page.' })
  readonly next!: Address | null;
}
