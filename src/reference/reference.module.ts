import { Module } from '@nestjs/common';
import { FrontPageController } from './front-page.controller.js';
import { ReferenceController } from './reference.controller.js';
import { WellKnownController } from './well-known.controller.js';

@Module({ controllers: [FrontPageController, ReferenceController, WellKnownController] })
export class ReferenceModule {}
