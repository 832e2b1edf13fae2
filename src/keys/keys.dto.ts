import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { type Address, LIMITS, type Scheme, SCHEMES } from '@relay/protocol';
import { IsIn, IsInt, IsString, Length, Max, Min, ValidateIf } from 'class-validator';
import { ADDRESS_SCHEMA, AddressProperty } from '../common/dto.js';

const VERSION_MUST = 'must be a whole number from 1 on, beside signature and scheme';

/** All three or none: a signature of which a part is missing would only look like one. */
function isSigned({ signature, scheme, version }: UploadKeyDto): boolean {
  return [signature, scheme, version].some((member) => member !== undefined && member !== null);
}

export class UploadKeyDto {
  @AddressProperty()
  readonly address!: Address;

  @ApiProperty({ description: 'Any text; the relay never looks inside.', maxLength: LIMITS.publicKeyLength })
  @IsString({ message: 'must be a string' })
  @Length(1, LIMITS.publicKeyLength, { message: `must have 1 to ${LIMITS.publicKeyLength} characters` })
  readonly publicKey!: string;

  /** Whether it is one is for its verification to say: in that form or another, a wrong one is refused alike. */
  @ApiPropertyOptional({
    description:
      'By the key of the address, over `key-<domain>-<address>-<version>-<publicKey>`; with scheme and version.',
    pattern: '^0x[0-9a-fA-F]{130}$',
  })
  @ValidateIf(isSigned)
  @IsString({ message: 'must be a string, beside scheme and version' })
  readonly signature?: string;

  @ApiPropertyOptional({ enum: SCHEMES })
  @ValidateIf(isSigned)
  @IsIn(SCHEMES, { message: `must be one of ${SCHEMES.join(', ')}, beside signature and version` })
  readonly scheme?: Scheme;

  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
  @ValidateIf(isSigned)
  @IsInt({ message: VERSION_MUST })
  @Min(1, { message: VERSION_MUST })
  @Max(Number.MAX_SAFE_INTEGER, { message: VERSION_MUST })
  readonly version?: number;
}

export class KeyUploadedDto {
  @ApiProperty({ example: true })
  readonly success!: true;

  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;

  @ApiProperty({ type: 'integer', description: 'ms since 1970' })
  readonly updatedAt!: number;
}

export class PublicKeyDto {
  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;

  @ApiProperty()
  readonly publicKey!: string;

  @ApiProperty({ type: 'integer', description: 'ms since 1970' })
  readonly createdAt!: number;

  @ApiProperty({ type: 'integer', description: 'ms since 1970' })
  readonly updatedAt!: number;

  @ApiPropertyOptional({ description: 'Of the address, over `key-<domain>-<address>-<version>-<publicKey>`.' })
  readonly signature?: string;

  @ApiPropertyOptional({ enum: SCHEMES })
  readonly scheme?: Scheme;

  @ApiPropertyOptional({ type: 'integer', minimum: 1 })
  readonly version?: number;
}

export class PublicKeysDto {
  @ApiProperty({ type: 'integer' })
  readonly count!: number;

  @ApiProperty({ type: 'object', additionalProperties: { $ref: '#/components/schemas/PublicKeyDto' } })
  readonly keys!: Readonly<Record<string, PublicKeyDto>>;
}

export class KeyDeletedDto {
  @ApiProperty({ example: true })
  readonly success!: true;

  @ApiProperty()
  readonly message!: string;
}

export class KeyStatsDto {
  @ApiProperty({ type: 'integer' })
  readonly totalKeys!: number;
}
