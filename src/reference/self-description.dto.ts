import { ApiProperty } from '@nestjs/swagger';
import { SCHEMES } from '@relay/protocol';
import { FEATURE_NAMES, LIMIT_NAMES, LINK_NAMES, type SelfDescription } from './self-description.js';

class ProtocolDto {
  @ApiProperty({
    type: 'integer',
    isArray: true,
    example: [1, 2],
    description: 'What may open a connection: 1 is `auth`, 2 `hello`.',
  })
  readonly versions!: readonly number[];

  @ApiProperty({ type: [String], example: ['/', '/ws'] })
  readonly websocketPaths!: readonly string[];
}

class AuthDto {
  @ApiProperty({ enum: ['open', 'signed'] })
  readonly mode!: 'open' | 'signed';

  @ApiProperty({
    type: String,
    nullable: true,
    example: 'relay.example',
    description: 'What nonces and signed keys name. Null where nobody can sign in.',
  })
  readonly domain!: string | null;

  @ApiProperty({ enum: SCHEMES, isArray: true })
  readonly schemes!: SelfDescription['auth']['schemes'];
}

class RequirementsDto {
  @ApiProperty({ type: 'integer', description: 'The oldest that is let in.' })
  readonly protocolVersion!: number;

  @ApiProperty({ type: 'integer', description: 'From the upgrade to the first frame, ms.' })
  readonly signInWithinMs!: number;

  @ApiProperty({ type: 'integer', description: 'Protocol pings (RFC 6455), ms.' })
  readonly answerPingWithinMs!: number;

  @ApiProperty({ type: 'integer', description: 'At least one of the entries that are outstanding, ms.' })
  readonly acknowledgeWithinMs!: number;
}

/** An object that has all of these and may have more. */
function every(names: readonly string[], schema: object): object {
  const properties = Object.fromEntries(names.map((name) => [name, schema]));
  return { type: 'object', required: [...names], properties };
}

export class SelfDescriptionDto {
  @ApiProperty({ example: 'relay' })
  readonly name!: string;

  @ApiProperty({ example: '0.1.0' })
  readonly version!: string;

  @ApiProperty()
  readonly protocol!: ProtocolDto;

  @ApiProperty()
  readonly auth!: AuthDto;

  @ApiProperty({ description: 'What a client must be able to do.' })
  readonly requirements!: RequirementsDto;

  @ApiProperty({
    ...every(LIMIT_NAMES, { type: 'number' }),
    description: 'Bytes, ms and counts; hours where it says so.',
  })
  readonly limits!: SelfDescription['limits'];

  @ApiProperty({ ...every(FEATURE_NAMES, { type: 'boolean' }) })
  readonly features!: SelfDescription['features'];

  @ApiProperty({ ...every(LINK_NAMES, { type: 'string' }), description: 'Paths on this relay.' })
  readonly links!: SelfDescription['links'];
}
