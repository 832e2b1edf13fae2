import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { type Address, parseAddress } from '@relay/protocol';
import { Transform } from 'class-transformer';
import { IsOptional, ValidateBy } from 'class-validator';
import { ADDRESS_SCHEMA, PageSizeDto } from '../common/dto.js';

const NOT_AN_ADDRESS = { message: 'must be an address: 0x and 40 hex digits' };

export class ContactsQueryDto extends PageSizeDto {
  @ApiPropertyOptional({ ...ADDRESS_SCHEMA, description: 'The `next` of the page before.' })
  @IsOptional()
  @Transform(({ value }) => (parseAddress(value) ?? value) as unknown)
  @ValidateBy({ name: 'isAddress', validator: { validate: (value) => parseAddress(value) !== null } }, NOT_AN_ADDRESS)
  readonly after?: Address;
}

export class ContactsDto {
  @ApiProperty({ type: 'integer' })
  readonly count!: number;

  @ApiProperty({ type: 'array', items: { ...ADDRESS_SCHEMA } })
  readonly addresses!: readonly Address[];

  @ApiProperty({ ...ADDRESS_SCHEMA, nullable: true, description: 'Pass as `after` for the next page.' })
  readonly next!: Address | null;
}

export class ContactChangedDto {
  @ApiProperty()
  readonly success!: boolean;

  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;
}
