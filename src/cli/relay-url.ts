import { CommandError, EXIT } from './exit-codes.js';

/** What a person gave as --url. Throws `CommandError` for one that cannot be asked, with the one that was meant. */
export function relayUrl(text: string): URL {
  if (/^https?:\/\//i.test(text) && URL.canParse(text)) return new URL(text);
  // `localhost:3002` is a URL too, of the scheme `localhost`.
  const meant = /^wss?:\/\//i.test(text) ? text.replace(/^ws/i, 'http') : `http://${text}`;
  const isHost = !/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^wss?:/i.test(text);
  const hint = isHost && /\S/.test(text) && URL.canParse(meant) ? `; did you mean ${meant}?` : '';
  throw new CommandError(EXIT.usage, `--url ${text} does not begin with http:// or https://${hint}`);
}

export interface ListensAt {
  readonly host: string;
  readonly port: number | string;
  readonly isTls: boolean;
}

/** Where the relay of this machine is asked: at loopback, where it listens everywhere. */
export function localUrl({ host, port, isTls }: ListensAt): string {
  const name = host === '' || host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `${isTls ? 'https' : 'http'}://${name.includes(':') ? `[${name}]` : name}:${port}`;
}
