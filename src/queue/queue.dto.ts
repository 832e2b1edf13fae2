import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { Address } from '@relay/protocol';
import { IsOptional, Matches } from 'class-validator';
import { ADDRESS_SCHEMA, PageSizeDto } from '../common/dto.js';
import { ENTRY_ID, type EntryId } from './entry-id.js';

const NOT_AN_ID = { message: 'must be the id of an entry' };

export class MessagesQueryDto extends PageSizeDto {
  @ApiPropertyOptional({ type: 'string', description: 'The `next` of the page before.' })
  @IsOptional()
  @Matches(ENTRY_ID, NOT_AN_ID)
  readonly after?: EntryId;
}

export class QueuedMessageDto {
  @ApiProperty({ description: 'Opaque; pass it as `upTo`.' })
  readonly id!: string;

  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly from!: Address;

  @ApiProperty()
  readonly content!: string;

  @ApiProperty()
  readonly messageId!: string;

  @ApiProperty({ type: 'integer', description: "The sender's, ms since 1970" })
  readonly timestamp!: number;

  @ApiProperty({ type: 'integer', description: 'ms since 1970' })
  readonly queuedAt!: number;
}

export class MessagesDto {
  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;

  @ApiProperty({ type: 'integer', description: 'Of this page.' })
  readonly count!: number;

  @ApiProperty({ type: [QueuedMessageDto] })
  readonly messages!: readonly QueuedMessageDto[];

  @ApiProperty({ type: 'string', nullable: true, description: 'Pass as `after` for the next page.' })
  readonly next!: string | null;
}

export class QueueSizeDto {
  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;

  @ApiProperty({ type: 'integer', description: 'Messages that no device has acknowledged.' })
  readonly queueSize!: number;
}

export class ClearedDto {
  @ApiProperty({ ...ADDRESS_SCHEMA })
  readonly address!: Address;

  @ApiProperty({ type: 'integer' })
  readonly cleared!: number;

  @ApiProperty()
  readonly message!: string;
}

export class QueueStatsDto {
  @ApiProperty({ type: 'integer', description: 'Mailboxes with mail.' })
  readonly totalUsers!: number;

  @ApiProperty({ type: 'integer' })
  readonly totalMessages!: number;

  @ApiProperty({ type: 'integer' })
  readonly maxMessagesPerUser!: number;

  @ApiProperty()
  readonly retentionHours!: number;
}
