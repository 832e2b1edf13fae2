import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { RelayModule } from '../relay/relay.module.js';
import { HealthController } from './health.controller.js';

@Module({ imports: [TerminusModule.forRoot({ logger: false }), RelayModule], controllers: [HealthController] })
export class HealthModule {}
