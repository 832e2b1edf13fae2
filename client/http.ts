import type { Fetch } from './environment.js';
import { ClientError, isRelayCode } from './errors.js';

export interface HttpCall {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: object;
}

const MS_PER_SECOND = 1000;

/** The relay's REST. Rejects with the code of the problem it answers, and with `offline` where there is no answer. */
export class Http {
  constructor(
    private readonly baseUrl: string,
    private readonly fetch: Fetch,
    private readonly token: () => string | null,
  ) {}

  /** `ws://host/path` is served by `http://host`. */
  static baseOf(webSocketUrl: string): string {
    return webSocketUrl.replace(/^ws/i, 'http').replace(/^(https?:\/\/[^/?#]+).*$/i, '$1');
  }

  async call({ method, path, body }: HttpCall): Promise<unknown> {
    const token = this.token();
    const headers = {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await this.fetch(this.baseUrl + path, init).catch((cause: unknown) => {
      throw new ClientError('offline', { cause });
    });
    const answer = (await response.json().catch(() => null)) as unknown;
    if (!response.ok) throw problemOf(response, answer);
    return answer;
  }
}

function problemOf(response: Response, answer: unknown): ClientError {
  const { code, detail } = (answer ?? {}) as { readonly code?: unknown; readonly detail?: unknown };
  const retryAfterSeconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new ClientError(isRelayCode(code) ? code : response.status === 404 ? 'not_found' : 'bad_answer', {
    message: typeof detail === 'string' ? detail : undefined,
    retryAfterMs: Number.isFinite(retryAfterSeconds) ? retryAfterSeconds * MS_PER_SECOND : undefined,
  });
}
