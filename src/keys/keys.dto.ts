import { ApiProperty } from '@nestjs/swagger';
import { type Address, LIMITS } from '@relay/protocol';
import { IsEmpty, IsString, Length } from 'class-validator';
import { ADDRESS_SCHEMA, AddressProperty } from '../common/dto.js';

export class UploadKeyDto {
  @AddressProperty()
  readonly address!: Address;

  @ApiProperty({ description: 'Any text; the relay never looks inside.', maxLength: LIMITS.publicKeyLength })
  @IsString({ message: 'must be a string' })
  @Length(1, LIMITS.publicKeyLength, { message: `must have 1 to ${LIMITS.publicKeyLength} characters` })
  readonly publicKey!: string;

  /** A signature that nobody verified would only look like one. */
  @IsEmpty({ message: 'is not supported by this version' })
  readonly signature?: undefined;
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
