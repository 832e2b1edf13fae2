import { Module } from '@nestjs/common';
import { ReferenceController } from './reference.controller.js';
import { WellKnownController } from './well-known.controller.js';

@Module({ controllers: [ReferenceController, WellKnownController] })
export class ReferenceModule {}
