import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { type Address, LIMITS, parseAddress } from '@relay/protocol';
import { Transform } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsInt,
  IsOptional,
  Max,
  Min,
  ValidateBy,
  type ValidationOptions,
} from 'class-validator';

export const ADDRESS_SCHEMA = {
  type: 'string',
  pattern: '^0x[0-9a-fA-F]{40}$',
  example: '0x5b38da6a701c568545dcfcb03fcb875f56beddc4',
} as const;

/** In lower case; anything that is not an address stays as it is and fails validation. */
const toAddress = (value: unknown): unknown => parseAddress(value) ?? value;

function IsAddress(options: ValidationOptions): PropertyDecorator {
  return ValidateBy({ name: 'isAddress', validator: { validate: (value) => parseAddress(value) !== null } }, options);
}

export function AddressProperty(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ ...ADDRESS_SCHEMA }),
    Transform(({ value }) => toAddress(value)),
    IsAddress({ message: 'must be an address: 0x and 40 hex digits' }),
  );
}

/** The body of every batch call. */
export class AddressesDto {
  @ApiProperty({ type: 'array', items: { ...ADDRESS_SCHEMA }, maxItems: LIMITS.addressesPerRequest })
  @Transform(({ value }) => (Array.isArray(value) ? value.map(toAddress) : value) as unknown)
  @IsArray({ message: 'must be a list of addresses' })
  @ArrayMaxSize(LIMITS.addressesPerRequest, { message: `must have at most ${LIMITS.addressesPerRequest} addresses` })
  @IsAddress({ each: true, message: 'must hold only addresses: 0x and 40 hex digits' })
  readonly addresses!: Address[];
}

export class PageSizeDto {
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: LIMITS.pageSize, default: LIMITS.pageSize })
  @IsOptional()
  @Transform(({ value }) => (typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : value) as unknown)
  @IsInt({ message: `must be a whole number from 1 to ${LIMITS.pageSize}` })
  @Min(1, { message: `must be a whole number from 1 to ${LIMITS.pageSize}` })
  @Max(LIMITS.pageSize, { message: `must be a whole number from 1 to ${LIMITS.pageSize}` })
  readonly limit: number = LIMITS.pageSize;
}
