import { CLOSE_CODES } from '@relay/protocol';
import { CLIENT_SCHEMAS, type FrameSchema, SERVER_SCHEMAS } from '@relay/protocol/schemas';

type Members = Readonly<Record<string, unknown>>;

/** The WebSocket protocol for programs: AsyncAPI 3.0, made of the schemas that the frames are tested against. */
export function asyncApiDocument(): Members {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Relay',
      version: '2',
      description: [
        'The WebSocket protocol of the relay for end-to-end encrypted messages. One JSON object in each text frame.',
        'Unknown fields are ignored on both sides, and clients ignore types that they do not know.',
        `Close codes: ${closeCodes()}.`,
      ].join('\n\n'),
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
    },
    defaultContentType: 'application/json',
    servers: {
      relay: {
        host: '{host}',
        protocol: 'wss',
        description: 'A relay; `ws` where it is not behind TLS',
        variables: { host: { default: 'localhost:3002', description: 'Host name and port' } },
      },
    },
    channels: {
      socket: {
        address: '/',
        title: 'The WebSocket',
        description: 'Also at `/ws`, for proxies that route by path.',
        messages: { ...references(CLIENT_SCHEMAS, 'client'), ...references(SERVER_SCHEMAS, 'server') },
      },
    },
    operations: {
      fromClient: operation('receive', 'What clients send', CLIENT_SCHEMAS, 'client'),
      toClient: operation('send', 'What the relay sends', SERVER_SCHEMAS, 'server'),
    },
    components: { messages: { ...messages(CLIENT_SCHEMAS, 'client'), ...messages(SERVER_SCHEMAS, 'server') } },
  };
}

type Side = 'client' | 'server';
type Frames = Readonly<Record<string, FrameSchema>>;

/** Both sides have a `message`, so names carry the side. */
const nameOf = (side: Side, type: string): string => `${side}_${type}`;

function messages(frames: Frames, side: Side): Members {
  return Object.fromEntries(
    Object.entries(frames).map(([type, { summary, schema, example }]) => [
      nameOf(side, type),
      { name: type, title: type, summary, payload: schema, examples: [{ payload: example }] },
    ]),
  );
}

function references(frames: Frames, side: Side): Members {
  const types = Object.keys(frames).map((type) => nameOf(side, type));
  return Object.fromEntries(types.map((name) => [name, { $ref: `#/components/messages/${name}` }]));
}

function operation(action: 'send' | 'receive', title: string, frames: Frames, side: Side): Members {
  return {
    action,
    title,
    channel: { $ref: '#/channels/socket' },
    messages: Object.keys(frames).map((type) => ({ $ref: `#/channels/socket/messages/${nameOf(side, type)}` })),
  };
}

function closeCodes(): string {
  const codes = Object.entries(CLOSE_CODES).map(([code, { reason, reconnect }]) => {
    return `${code} ${reason} (${reconnect ? 'connect again' : 'do not connect again as you are'})`;
  });
  return codes.join(', ');
}
