import { Controller, Get, Header, NotFoundException } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { readFileSync } from 'node:fs';
import { Settings } from '../common/settings.js';
import { asyncApiDocument } from './asyncapi.js';
import { websocketPage } from './websocket-page.js';

const browserFile = (name: string): string => readFileSync(new URL(`./browser/${name}`, import.meta.url), 'utf8');

/** The WebSocket protocol, for people and for programs. Nothing of it changes while the relay runs. */
@ApiExcludeController()
@Controller('docs')
export class ReferenceController {
  private readonly page: string;
  private readonly document = asyncApiDocument();
  private readonly style = browserFile('reference.css');
  private readonly script: string | null;

  constructor({ docsConsole }: Settings) {
    this.page = websocketPage({ hasConsole: docsConsole });
    this.script = docsConsole ? browserFile('console.js') : null;
  }

  @Get('ws')
  @Header('Content-Type', 'text/html; charset=utf-8')
  forPeople(): string {
    return this.page;
  }

  @Get('asyncapi.json')
  forPrograms(): object {
    return this.document;
  }

  @Get('reference.css')
  @Header('Content-Type', 'text/css; charset=utf-8')
  forBrowsers(): string {
    return this.style;
  }

  @Get('console.js')
  @Header('Content-Type', 'text/javascript; charset=utf-8')
  console(): string {
    if (this.script === null) throw new NotFoundException();
    return this.script;
  }
}
