import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { ROUTE_RULES, type Who } from '../auth/rules.js';
import type { Settings } from '../common/settings.js';

const BEARER = 'token';
const METHODS = ['get', 'head', 'post', 'put', 'delete'] as const;

const WHO: Readonly<Record<Who, string>> = {
  all: 'Everybody.',
  signed_in: 'Whoever has signed in; in `open` mode everybody.',
  self: 'Whoever has signed in, for what is theirs.',
  owner: 'The owner of the address; in `open` mode everybody, as long as the address has never signed in.',
  owner_or_admin:
    'The owner of the address, or an operator; in `open` mode everybody, as long as the address has never signed in.',
  admin: 'An operator; in `open` mode everybody, where no ADMIN_TOKEN is set.',
  operator: 'An operator; without ADMIN_TOKEN the relay has no such call (404).',
};

/** What a client's HTTP stack sends by itself: nobody fills it in, and a page may not. */
const BY_ITSELF: readonly string[] = ['host', 'cookie', 'accept', 'authorization'];

function withoutHeaders(document: OpenAPIObject): OpenAPIObject {
  for (const item of Object.values(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      if (operation?.parameters === undefined) continue;
      operation.parameters = operation.parameters.filter(
        (one) => '$ref' in one || one.in !== 'header' || !BY_ITSELF.includes(one.name.toLowerCase()),
      );
    }
  }
  return document;
}

const OPERATORS = 'admin';

/** The order of `/docs`: what clients are for comes first, what operators do last. Each group of a controller is here. */
export const GROUPS: readonly (readonly [name: string, description: string])[] = [
  ['messages', 'The mailbox of an address. Messages are sent and come by WebSocket; this is what waits.'],
  ['public keys', 'What others encrypt to, signed by the address that it is of or not.'],
  ['presence', 'Who is connected, as far as they let it be seen.'],
  ['contacts', 'Whom an address blocks or allows.'],
  ['devices', 'Where somebody is signed in, and how to end that.'],
  ['sign in with Idena', 'What wallets call.'],
  ['sign in with Idena, in a browser', 'What a page does for a session. Off unless BROWSER_SIGN_IN=true.'],
  ['reference', 'What this relay is and demands.'],
  ['health', 'For balancers and whoever watches.'],
  [OPERATORS, 'For operators.'],
];

/** From the table that the guard goes by, so the two cannot differ. */
function withSecurity(document: OpenAPIObject): OpenAPIObject {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      const rule = ROUTE_RULES.get(`${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`);
      if (operation === undefined || rule === undefined) continue;
      operation.security = rule.who === 'all' ? [] : [{ [BEARER]: [] }];
      if (rule.who === 'admin') operation.tags = [OPERATORS];
      operation.description = [operation.description, `**Who**: ${WHO[rule.who]}`].filter(Boolean).join('\n\n');
    }
  }
  return document;
}

/** The REST reference: /docs for people, /docs/openapi.json for programs. */
export function serveReference(app: INestApplication, { docsConsole }: Settings): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(app), {
    jsonDocumentUrl: 'docs/openapi.json',
    yamlDocumentUrl: 'docs/openapi.yaml',
    customSiteTitle: 'Relay: REST reference',
    swaggerOptions: docsConsole ? {} : { supportedSubmitMethods: [] },
  });
}

export function openApiDocument(app: INestApplication): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Relay')
    .setDescription(
      'REST of the relay for end-to-end encrypted messages. Messages themselves travel over the WebSocket at `/` or `/ws`: its reference is at [/docs/ws](/docs/ws).',
    )
    .setVersion('1')
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'A session token, or ADMIN_TOKEN.' }, BEARER);
  for (const [name, description] of GROUPS) builder.addTag(name, description);
  const config = builder.build();
  return withSecurity(withoutHeaders(SwaggerModule.createDocument(app, config)));
}
