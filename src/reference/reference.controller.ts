import { Controller, Get, Header, NotFoundException } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { existsSync, readFileSync } from 'node:fs';
import { Settings } from '../common/settings.js';
import { asyncApiDocument } from './asyncapi.js';
import { websocketPage } from './websocket-page.js';

const browserFile = (name: string): string => readFileSync(new URL(`./browser/${name}`, import.meta.url), 'utf8');

/** The colours of all pages: as `npm run build` left them beside the compiled server, or where they come from. */
function baseStyle(): string {
  const places = ['../web/base.css', '../../web/base.css'].map((path) => new URL(path, import.meta.url));
  return readFileSync(places.find((place) => existsSync(place)) ?? places[0]!, 'utf8');
}

/** The WebSocket protocol, for people and for programs. Nothing of it changes while the relay runs. */
@ApiExcludeController()
@Controller('docs')
export class ReferenceController {
  private readonly page: string;
  private readonly document = asyncApiDocument();
  private readonly style = `${baseStyle()}\n${browserFile('reference.css')}`;
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
