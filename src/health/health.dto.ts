import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

export class HealthDto {
  @ApiProperty({ example: 'ok' })
  readonly status!: 'ok' | 'draining';

  @ApiProperty({ type: 'integer', description: 'ms since 1970' })
  readonly timestamp!: number;

  @ApiProperty({ description: 'Seconds since the start.' })
  readonly uptime!: number;

  @ApiProperty({ type: 'integer', description: 'WebSockets open on this node, of all its workers.' })
  readonly connections!: number;

  @ApiProperty({ type: 'integer', description: 'Messages that no device has acknowledged.' })
  readonly queuedMessages!: number;

  @ApiPropertyOptional({
    type: 'integer',
    description: 'Processes behind this port that answered, where WORKERS is not 1.',
  })
  readonly workers?: number;
}
