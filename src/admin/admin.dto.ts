import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { Address } from '@relay/protocol';
import { Transform } from 'class-transformer';
import { IsOptional, IsString, MaxLength } from 'class-validator';
import { MAX_NOTE } from '../bans/ban.repository.js';
import { ADDRESS_SCHEMA } from '../common/dto.js';
import type { NodeState } from './node.repository.js';

const Integer = (description = ''): PropertyDecorator => ApiProperty({ type: 'integer', description });
const IntegerOrNull = (description: string): PropertyDecorator =>
  ApiProperty({ type: 'integer', nullable: true, description });
const AMOUNT = { type: 'number' } as const;

export class NodeConnectionsDto {
  @Integer('Not signed in yet.')
  readonly pending!: number;

  @Integer()
  readonly classic!: number;

  @Integer()
  readonly v2!: number;

  @Integer('Sent nothing more until they read or acknowledge.')
  readonly slow!: number;

  @Integer('Entries sent and not acknowledged.')
  readonly unacknowledged!: number;

  @Integer('The longest that one of them has acknowledged nothing of what it was sent, ms.')
  readonly lagMs!: number;
}

/** Per second, over the last minute. */
export class NodeRatesDto {
  @ApiProperty(AMOUNT)
  readonly stored!: number;

  @ApiProperty(AMOUNT)
  readonly delivered!: number;

  @ApiProperty(AMOUNT)
  readonly refused!: number;

  @ApiProperty(AMOUNT)
  readonly opened!: number;

  @ApiProperty(AMOUNT)
  readonly signIns!: number;
}

const SERIES = { type: 'array', items: { type: 'number' }, description: 'Oldest first, every 2 s.' } as const;

export class NodeHistoryDto {
  @ApiProperty(SERIES)
  readonly stored!: readonly number[];

  @ApiProperty(SERIES)
  readonly delivered!: readonly number[];

  @ApiProperty(SERIES)
  readonly connections!: readonly number[];
}

export class NodeProcessDto {
  @ApiProperty({ ...AMOUNT, description: 'Part of one core.' })
  readonly cpu!: number;

  @Integer()
  readonly rssBytes!: number;

  @Integer()
  readonly heapBytes!: number;

  @ApiProperty({ ...AMOUNT, description: '99 of 100 turns of the event loop began no later than this, ms.' })
  readonly loopP99Ms!: number;

  @ApiProperty(AMOUNT)
  readonly loopMaxMs!: number;
}

export class NodeStoreDto {
  @ApiProperty({ enum: ['memory', 'redis'] })
  readonly kind!: 'memory' | 'redis';

  @ApiProperty({ description: 'Whether it answered this node within a second.' })
  readonly ok!: boolean;

  @ApiProperty({ ...AMOUNT, nullable: true })
  readonly roundTripMs!: number | null;
}

export class NodeDto {
  @ApiProperty({ description: 'Anew after each start.' })
  readonly node!: string;

  @ApiProperty()
  readonly host!: string;

  @Integer()
  readonly pid!: number;

  @ApiProperty()
  readonly version!: string;

  @Integer('ms since 1970')
  readonly startedAt!: number;

  @ApiProperty({
    enum: ['up', 'draining', 'drained', 'stopped'],
    description: 'drained: it has no clients and lets none in, until it is resumed or stopped. stopped: its last word.',
  })
  readonly state!: NodeState;

  @Integer('Since it last said so, ms.')
  readonly silentMs!: number;

  @ApiProperty({ description: 'It should have said something for a while, and has not.' })
  readonly isAway!: boolean;

  @ApiProperty({ description: 'Whether it is the one that answers.' })
  readonly isThis!: boolean;

  @ApiProperty({ type: NodeConnectionsDto })
  readonly connections!: NodeConnectionsDto;

  @ApiProperty({ type: NodeRatesDto })
  readonly rates!: NodeRatesDto;

  @ApiProperty({ type: NodeHistoryDto })
  readonly history!: NodeHistoryDto;

  @ApiProperty({ type: NodeProcessDto })
  readonly process!: NodeProcessDto;

  @ApiProperty({ type: NodeStoreDto })
  readonly store!: NodeStoreDto;
}

export class LedgerDto {
  @Integer()
  readonly accepted!: number;

  @Integer()
  readonly acknowledged!: number;

  @Integer()
  readonly expired!: number;

  @Integer()
  readonly dropped!: number;

  @Integer('accepted = acknowledged + expired + dropped + pending')
  readonly pending!: number;

  @Integer('In which a message waits.')
  readonly mailboxes!: number;
}

export class MailboxLoadDto {
  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;

  @Integer('That no device has acknowledged.')
  readonly messages!: number;

  @Integer('Of their contents.')
  readonly bytes!: number;

  @IntegerOrNull('When the mailbox took the oldest of them, ms since 1970; null where none waits.')
  readonly oldestAt!: number | null;
}

export class MailboxRanksDto {
  @ApiProperty({ type: [MailboxLoadDto], description: 'Most messages first.' })
  readonly fullest!: readonly MailboxLoadDto[];

  @ApiProperty({ type: [MailboxLoadDto], description: 'Those whose oldest message waits longest first.' })
  readonly slowest!: readonly MailboxLoadDto[];

  @IntegerOrNull('How many mailboxes had something waiting in the last whole round; null before its end.')
  readonly of!: number | null;

  @Integer('How many the round that is under way has come to.')
  readonly seen!: number;

  @IntegerOrNull('Since the last whole round ended, ms.')
  readonly ageMs!: number | null;
}

export class OverviewDto {
  @Integer('ms since 1970, by the clock of the store')
  readonly at!: number;

  @ApiProperty({ type: [NodeDto], description: 'First started first; also those that ended in the last ten minutes.' })
  readonly nodes!: readonly NodeDto[];

  @ApiProperty({ type: LedgerDto, nullable: true, description: 'Null where the store does not answer.' })
  readonly ledger!: LedgerDto | null;

  @ApiProperty({ type: MailboxRanksDto, nullable: true, description: 'Null where the store does not answer.' })
  readonly mailboxes!: MailboxRanksDto | null;

  @Integer('How many a mailbox may hold.')
  readonly maxMessages!: number;

  @Integer('How many addresses are banned.')
  readonly bans!: number;
}

export class AddressSessionDto {
  @Integer('ms since 1970')
  readonly createdAt!: number;

  @Integer('ms since 1970, to within an hour')
  readonly lastUsedAt!: number;

  @Integer('ms since 1970')
  readonly expiresAt!: number;
}

export class AddressDeviceDto {
  @ApiProperty()
  readonly deviceId!: string;

  @ApiProperty({ description: 'Connected now, on any node.' })
  readonly online!: boolean;

  @IntegerOrNull('When it last opened its place in the mailbox, or acknowledged; null where it has none.')
  readonly lastUsedAt!: number | null;

  @IntegerOrNull('Entries that it has not acknowledged.')
  readonly pending!: number | null;

  @ApiProperty({ type: AddressSessionDto, nullable: true })
  readonly session!: AddressSessionDto | null;
}

export class BanDto {
  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;

  @Integer('ms since 1970')
  readonly at!: number;

  @ApiProperty({ description: 'As the operator wrote it.' })
  readonly note!: string;
}

export class AddressKeyDto {
  @Integer('ms since 1970')
  readonly updatedAt!: number;

  @IntegerOrNull('Null where it was uploaded unsigned.')
  readonly version!: number | null;
}

export class AddressDto {
  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;

  @ApiProperty({ type: BanDto, nullable: true })
  readonly ban!: BanDto | null;

  @ApiProperty({ description: 'Whether it ever proved to have its key.' })
  readonly hasSignedIn!: boolean;

  @ApiProperty({ type: MailboxLoadDto })
  readonly waiting!: MailboxLoadDto;

  @ApiProperty({ type: [AddressDeviceDto] })
  readonly devices!: readonly AddressDeviceDto[];

  @Integer('How many addresses it blocks.')
  readonly blocks!: number;

  @Integer('How many it allows.')
  readonly allows!: number;

  @ApiProperty({ type: AddressKeyDto, nullable: true })
  readonly key!: AddressKeyDto | null;
}

export class RevokedDto {
  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;

  @Integer('Sessions that were ended.')
  readonly sessions!: number;

  @Integer('Devices that were connected, and are no more.')
  readonly devices!: number;
}

export class DeviceRevokedDto {
  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;

  @ApiProperty()
  readonly deviceId!: string;
}

export class BanRequestDto {
  @ApiPropertyOptional({ maxLength: MAX_NOTE, description: 'Why, for other operators. On one line.' })
  @IsOptional()
  @Transform(({ value }) => (typeof value === 'string' ? value.replace(/\p{Cc}+/gu, ' ').trim() : value) as unknown)
  @IsString({ message: 'must be a string' })
  @MaxLength(MAX_NOTE, { message: `must have at most ${MAX_NOTE} characters` })
  readonly note: string = '';
}

export class BansDto {
  @Integer()
  readonly count!: number;

  @ApiProperty({ type: [BanDto], description: 'Longest banned first.' })
  readonly bans!: readonly BanDto[];
}

export class BanChangedDto {
  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;

  @ApiProperty()
  readonly banned!: boolean;

  @ApiProperty({ description: 'False where it was so before.' })
  readonly changed!: boolean;
}

export class NodeOrderedDto {
  @ApiProperty()
  readonly node!: string;

  @ApiProperty({ enum: ['drain', 'resume'], description: 'The node does it within a few seconds; see its state.' })
  readonly order!: 'drain' | 'resume';
}
