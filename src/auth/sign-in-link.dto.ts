import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { Address } from '@relay/protocol';
import { ADDRESS_SCHEMA } from '../common/dto.js';

const TOKEN_SCHEMA = {
  type: 'string',
  minLength: 1,
  maxLength: 128,
  example: '428489af-3ca1-4861-b1c7-5f634f6466e2',
} as const;

/** Bodies of wallets are checked by hand: whatever is wrong with them is answered as wallets read it. */
export class StartSessionDto {
  @ApiProperty({ ...TOKEN_SCHEMA })
  readonly token!: string;

  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;
}

export class AuthenticateDto {
  @ApiProperty({ ...TOKEN_SCHEMA })
  readonly token!: string;

  @ApiProperty({ description: 'Of the nonce, as `dna_sign` makes it.', pattern: '^0x[0-9a-fA-F]{130}$' })
  readonly signature!: string;
}

export class LinkTokenDto {
  @ApiProperty({ ...TOKEN_SCHEMA })
  readonly token!: string;
}

export class WalletAnswerDto {
  @ApiProperty()
  readonly success!: boolean;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    description: '`{nonce}`, `{authenticated}`, `{address}` or `{loggedout}`',
  })
  readonly data?: Readonly<Record<string, unknown>>;

  @ApiPropertyOptional({
    description: '`unsupported version`, `duplicate token`, `no data found`, `already authenticated`, …',
  })
  readonly error?: string;
}

export class BrowserSignInDto {
  @ApiProperty({ ...TOKEN_SCHEMA })
  readonly token!: string;

  @ApiProperty({ description: 'Of the wallet in the browser: open it at the top level.' })
  readonly url!: string;

  @ApiProperty({ description: 'Of the wallet on this machine.' })
  readonly appUrl!: string;
}

export class BrowserSessionDto {
  @ApiPropertyOptional({ ...ADDRESS_SCHEMA })
  readonly address?: Address;

  @ApiPropertyOptional()
  readonly deviceId?: string;

  @ApiPropertyOptional({ description: 'Public; names the session.' })
  readonly sessionId?: string;

  @ApiPropertyOptional({ description: 'Secret: opens the device in `hello`, and is the Bearer of REST.' })
  readonly token?: string;

  @ApiPropertyOptional({ type: 'integer', description: 'ms since 1970; every use moves it on' })
  readonly tokenExpiresAt?: number;

  @ApiPropertyOptional({ description: 'Not proven yet, or only just now.' })
  readonly pending?: true;

  @ApiPropertyOptional({ type: 'integer' })
  readonly retryAfterMs?: number;
}
