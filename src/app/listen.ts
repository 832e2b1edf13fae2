import { type INestApplication } from '@nestjs/common';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listenFailure } from '../common/listen-failure.js';
import type { Settings } from '../common/settings.js';
import { EXIT_UNAVAILABLE, StartError } from '../common/start-error.js';
import { HTTP_LIMITS } from './relay-http.adapter.js';

/**
 * Returns the URL. Rejects with a `StartError` of one line where nobody can listen there; Nest's own `listen` logs that with a stack,
 * before it rejects.
 */
export async function listen(app: INestApplication, settings: Settings): Promise<string> {
  const { port, host, tlsCertFile } = settings;
  await app.init();
  const server = app.getHttpServer() as Server;
  try {
    await once(server.listen({ port, host, backlog: HTTP_LIMITS.listenBacklog }), 'listening');
  } catch (error) {
    const target = { port, host, portSetting: 'PORT', hostSetting: 'HOST' };
    throw new StartError(EXIT_UNAVAILABLE, [listenFailure(target, error)]);
  }
  return urlOf(server.address() as AddressInfo, tlsCertFile !== '');
}

/** As it is reached from this machine, where it listens everywhere. */
function urlOf({ address, family, port }: AddressInfo, isTls: boolean): string {
  const isIPv6 = family === 'IPv6';
  const host =
    address === '::' || address === '0.0.0.0' ? (isIPv6 ? '[::1]' : '127.0.0.1') : isIPv6 ? `[${address}]` : address;
  return `${isTls ? 'https' : 'http'}://${host}:${port}`;
}
