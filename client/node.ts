import { type ClientOptions, connect as connectAnywhere, RelayClient } from './client.js';
import type { SocketConstructor } from './environment.js';

export { fileIdentity } from './identity.file.js';
export { FileStore } from './store.file.js';

/** Node's own from 22 on, else that of `ws`, which has to be installed then. */
export async function nodeWebSocket(): Promise<SocketConstructor> {
  if ('WebSocket' in globalThis) return globalThis.WebSocket;
  const { WebSocket } = await import('ws');
  return WebSocket as unknown as SocketConstructor;
}

/** As `connect` of `@relay/client`, with a WebSocket on every Node. */
export async function connect(options: ClientOptions): Promise<RelayClient> {
  return connectAnywhere(await onNode(options));
}

/** As `RelayClient.open`, likewise. */
export async function open(options: ClientOptions): Promise<RelayClient> {
  return RelayClient.open(await onNode(options));
}

async function onNode(options: ClientOptions): Promise<ClientOptions> {
  const { environment = {} } = options;
  return { ...options, environment: { WebSocket: await nodeWebSocket(), ...environment } };
}
