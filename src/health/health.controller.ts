import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  type HealthCheckResult,
  HealthCheckService,
  type HealthIndicatorResult,
  HealthIndicatorService,
} from '@nestjs/terminus';
import { Clock } from '../common/clock.js';
import { ApiProblems } from '../common/problem.dto.js';
import { type Group, type ProcessHealth, Siblings } from '../common/siblings.js';
import { QueueRepository } from '../queue/queue.repository.js';
import { HealthDto } from './health.dto.js';
import { OwnHealth } from './own-health.js';

@ApiTags('health')
@ApiProblems()
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly queue: QueueRepository,
    private readonly own: OwnHealth,
    private readonly siblings: Siblings,
    private readonly clock: Clock,
  ) {}

  /** As the first relay answered it; where there are workers, also how many answered. */
  @Get()
  @ApiOkResponse({ type: HealthDto })
  async summary(): Promise<HealthDto> {
    const state = this.siblings.state(() => this.own.state());
    const [{ pending }, { processes }] = await Promise.all([this.queue.ledger(), state]);
    return {
      status: processes.every(({ isDraining }) => isDraining) ? 'draining' : 'ok',
      timestamp: this.clock.now(),
      uptime: process.uptime(),
      connections: processes.reduce((sum, { connections }) => sum + connections, 0),
      queuedMessages: pending,
      ...(this.siblings.isAlone ? {} : { workers: processes.length }),
    };
  }

  /** That it answers is all there is to say. */
  @Get('live')
  live(): { readonly status: 'ok' } {
    return { status: 'ok' };
  }

  /** Whether a client that comes now will do well, whichever worker it comes to. */
  @Get('ready')
  @HealthCheck({ swaggerDocumentation: false })
  async ready(): Promise<HealthCheckResult> {
    const group = await this.siblings.health(() => this.own.read());
    const open = group.processes.filter(({ isDraining }) => !isDraining);
    const checks = [() => this.store(open.length > 0 ? open : group.processes), () => this.accepting(open)];
    return this.health.check(this.siblings.isAlone ? checks : [...checks, () => this.workers(group)]);
  }

  private store(processes: readonly ProcessHealth[]): HealthIndicatorResult {
    const indicator = this.indicators.check('store');
    const wrong = processes.find(({ store }) => store !== 'up');
    return wrong === undefined ? indicator.up() : indicator.down(wrong.store);
  }

  private accepting(open: readonly ProcessHealth[]): HealthIndicatorResult {
    const indicator = this.indicators.check('accepting');
    return open.length > 0 ? indicator.up() : indicator.down('draining');
  }

  /** One that is being replaced gets no connections: the others take them. */
  private workers({ wanted, processes }: Group<ProcessHealth>): HealthIndicatorResult {
    return this.indicators.check('workers').up({ wanted, running: processes.length });
  }
}
