import { readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { parseEnv } from 'node:util';
import { CommandError, EXIT } from './exit-codes.js';
import { localUrl, relayUrl } from './relay-url.js';
import type { Terminal } from './terminal.js';

export interface HealthFlags {
  readonly url?: string;
  readonly ready?: boolean;
  readonly timeout?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Asks the relay of this machine. It reads what it needs by itself: checking all settings would take longer than the question. */
export async function health(terminal: Terminal, flags: HealthFlags, environment: Environment): Promise<number> {
  const base = flags.url === undefined ? ownUrl({ ...dotEnv(), ...given(environment) }) : relayUrl(flags.url);
  const url = new URL(flags.ready === true ? '/health/ready' : '/health/live', base);
  const answer = await ask(url, withinMs(flags.timeout));
  const isWell = answer === 200;
  if (isWell) terminal.out('ok\n');
  else terminal.err(`${url.href}: ${typeof answer === 'number' ? `HTTP ${answer}` : answer}\n`);
  return isWell ? EXIT.ok : EXIT.failed;
}

/** The status, or why there is none. */
function ask(url: URL, withinMs: number): Promise<number | string> {
  return new Promise((resolve) => {
    // Its own certificate names a domain, not this address; and it is asked for nothing secret.
    const options = { timeout: withinMs, agent: false, rejectUnauthorized: false };
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options, (response) => {
      response.destroy();
      resolve(response.statusCode ?? 'no status');
    });
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${withinMs} ms`)), withinMs);
    request.on('error', (error: NodeJS.ErrnoException) => resolve(reasonOf(error)));
    request.on('close', () => clearTimeout(timer));
    request.end();
  });
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return code === 'ECONNREFUSED' ? `nobody listens there (${code})` : (code ?? message);
}

function withinMs(text = '2000'): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new CommandError(EXIT.usage, `--timeout ${text} is not a number of ms from 1 to 999999`);
}

function ownUrl({ HOST: host = '', PORT: port = '3002', TLS_CERT_FILE = '' }: Environment): URL {
  const url = localUrl({ host, port, isTls: TLS_CERT_FILE !== '' });
  if (URL.canParse(url)) return new URL(url);
  throw new CommandError(EXIT.configuration, `HOST and PORT make no URL: ${url}`);
}

function dotEnv(): Environment {
  try {
    return parseEnv(readFileSync('.env', 'utf8'));
  } catch {
    return {};
  }
}

function given(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim() !== ''));
}
