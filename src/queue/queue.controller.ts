import { Controller, createParamDecorator, Delete, type ExecutionContext, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import { type Address, LIMITS } from '@relay/protocol';
import { AddressPipe } from '../common/address.pipe.js';
import { ADDRESS_SCHEMA } from '../common/dto.js';
import { ApiProblems } from '../common/problem.dto.js';
import { InvalidRequest } from '../common/problem.js';
import { Settings } from '../common/settings.js';
import { type EntryId, parseEntryId } from './entry-id.js';
import { ClearedDto, MessagesDto, MessagesQueryDto, QueueSizeDto, QueueStatsDto } from './queue.dto.js';
import { type MessageEntry, QueueRepository } from './queue.repository.js';
import { QueueService } from './queue.service.js';

/** Strict where everything else is lenient: with `?upto=`, a typing mistake would empty the mailbox. */
function upToOf(_: unknown, context: ExecutionContext): EntryId | undefined {
  const { query } = context.switchToHttp().getRequest<{ query: Record<string, unknown> }>();
  const { upTo, ...unknown } = query;
  if (Object.keys(unknown).length > 0) {
    throw new InvalidRequest([{ field: 'query', message: 'may hold upTo and nothing else' }]);
  }
  const id = typeof upTo === 'string' ? parseEntryId(upTo) : undefined;
  if (id === null || (upTo !== undefined && id === undefined)) {
    throw new InvalidRequest([{ field: 'upTo', message: 'must be the id of a message' }]);
  }
  return id;
}

const UpTo = createParamDecorator(upToOf);

@ApiTags('messages')
@ApiProblems()
@Controller('api/messages')
export class QueueController {
  constructor(
    private readonly queue: QueueRepository,
    private readonly service: QueueService,
    private readonly settings: Settings,
  ) {}

  @Get('stats/all')
  @ApiOkResponse({ type: QueueStatsDto })
  async stats(): Promise<QueueStatsDto> {
    const { mailboxes, pending } = await this.queue.ledger();
    const { maxOfflineMessages, messageRetentionHours } = this.settings;
    return {
      totalUsers: mailboxes,
      totalMessages: pending,
      maxMessagesPerUser: maxOfflineMessages,
      retentionHours: messageRetentionHours,
    };
  }

  @Get(':address/queue-size')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: QueueSizeDto })
  async size(@Param('address', AddressPipe) address: Address): Promise<QueueSizeDto> {
    return { address, queueSize: await this.queue.size(address) };
  }

  /** Reads and removes nothing: a link preview must not empty a mailbox. */
  @Get(':address')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: MessagesDto })
  async list(
    @Param('address', AddressPipe) address: Address,
    @Query() { limit, after }: MessagesQueryDto,
  ): Promise<MessagesDto> {
    const page = await this.queue.pending(address, after ?? null, limit, LIMITS.pageBytes);
    const messages = page.messages.map(toDto);
    return { address, count: messages.length, messages, next: page.more ? (messages.at(-1)?.id ?? null) : null };
  }

  @Delete(':address')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiQuery({
    name: 'upTo',
    required: false,
    description: 'Acknowledge up to the message with this id, instead of dropping everything.',
  })
  @ApiOkResponse({ type: ClearedDto })
  async clear(@Param('address', AddressPipe) address: Address, @UpTo() upTo: EntryId | undefined): Promise<ClearedDto> {
    if (upTo === undefined) {
      const cleared = await this.queue.clear(address);
      return { address, cleared, message: `Cleared ${cleared} queued messages` };
    }
    const cleared = await this.service.acknowledge(address, upTo);
    return { address, cleared, message: `Acknowledged ${cleared} queued messages` };
  }
}

function toDto({ id, from, content, messageId, timestamp, queuedAt }: MessageEntry): MessagesDto['messages'][number] {
  return { id, from, content, messageId, timestamp, queuedAt };
}
