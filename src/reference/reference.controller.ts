import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { asyncApiDocument } from './asyncapi.js';
import { websocketPage } from './websocket-page.js';

/** The WebSocket protocol, for people and for programs. Neither changes while the relay runs. */
@ApiExcludeController()
@Controller('docs')
export class ReferenceController {
  private readonly page = websocketPage();
  private readonly document = asyncApiDocument();

  @Get('ws')
  @Header('Content-Type', 'text/html; charset=utf-8')
  forPeople(): string {
    return this.page;
  }

  @Get('asyncapi.json')
  forPrograms(): object {
    return this.document;
  }
}
