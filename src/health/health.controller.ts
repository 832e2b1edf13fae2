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
import { QueueRepository } from '../queue/queue.repository.js';
import { Admission } from '../relay/admission.js';
import { Connections } from '../relay/connections.js';
import { HealthDto } from './health.dto.js';

const STORE_ANSWERS_WITHIN_MS = 500;

@ApiTags('health')
@ApiProblems()
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly queue: QueueRepository,
    private readonly connections: Connections,
    private readonly admission: Admission,
    private readonly clock: Clock,
  ) {}

  /** As the first relay answered it. */
  @Get()
  @ApiOkResponse({ type: HealthDto })
  async summary(): Promise<HealthDto> {
    const { pending } = await this.queue.ledger();
    return {
      status: this.admission.isDraining ? 'draining' : 'ok',
      timestamp: this.clock.now(),
      uptime: process.uptime(),
      connections: this.connections.size,
      queuedMessages: pending,
    };
  }

  /** That it answers is all there is to say. */
  @Get('live')
  live(): { readonly status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  @HealthCheck({ swaggerDocumentation: false })
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.store(), () => this.accepting()]);
  }

  private async store(): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check('store');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), STORE_ANSWERS_WITHIN_MS);
    });
    try {
      const answer = await Promise.race([this.queue.reach(), late]);
      return answer === 'late' ? indicator.down('no answer in time') : indicator.up();
    } catch {
      return indicator.down('unavailable');
    } finally {
      clearTimeout(timer);
    }
  }

  private accepting(): HealthIndicatorResult {
    const indicator = this.indicators.check('accepting');
    return this.admission.isDraining ? indicator.down('draining') : indicator.up();
  }
}
