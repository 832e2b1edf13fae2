import { Module } from '@nestjs/common';
import { AdminPageController } from './admin-page.controller.js';
import { DemoController } from './demo.controller.js';

@Module({ controllers: [AdminPageController, DemoController] })
export class PagesModule {}
