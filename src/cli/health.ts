import { readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { parseEnv } from 'node:util';
import { EXIT } from './exit-codes.js';
import type { Terminal } from './terminal.js';

export interface HealthFlags {
  readonly url?: string;
  readonly ready?: boolean;
  readonly timeout?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Asks the relay of this machine. It reads what it needs by itself: checking all settings would take longer than the question. */
export async function health(terminal: Terminal, flags: HealthFlags, environment: Environment): Promise<number> {
  const base = flags.url ?? localUrl({ ...dotEnv(), ...given(environment) });
  if (!URL.canParse(base)) {
    terminal.err(`${base} is not a URL\n`);
    return EXIT.usage;
  }
  const url = new URL(flags.ready === true ? '/health/ready' : '/health/live', base);
  const answer = await ask(url, Number(flags.timeout ?? 2000));
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
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    request.on('close', () => clearTimeout(timer));
    request.end();
  });
}

function localUrl({ HOST = '', PORT = '3002', TLS_CERT_FILE = '' }: Environment): string {
  const host = HOST === '' || HOST === '0.0.0.0' || HOST === '::' ? '127.0.0.1' : HOST;
  const scheme = TLS_CERT_FILE === '' ? 'http' : 'https';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${PORT}`;
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
