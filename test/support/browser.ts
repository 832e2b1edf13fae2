import { type Answer, call } from './http-call.js';

/** What a browser does about "Sign in with Idena", with the cookie that it keeps between its requests. */
export class Browser {
  cookie: string | null = null;

  constructor(
    private readonly port: number,
    private readonly proto: 'http' | 'https' = 'https',
  ) {}

  async fetch(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await call(this.port, {
      method,
      path,
      body: body && JSON.stringify(body),
      headers: {
        'x-forwarded-proto': this.proto,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(this.cookie === null ? {} : { cookie: this.cookie }),
        ...headers,
      },
    });
    const [set] = answer.headers['set-cookie'] ?? [];
    if (set !== undefined) this.cookie = set.includes('Max-Age=0') ? null : set.split(';')[0]!;
    return answer;
  }

  /** Follows the link to the wallet, and returns its token. */
  async start(query = ''): Promise<string> {
    const { headers } = await this.fetch('GET', `/auth/v1/start${query}`);
    return new URL(headers.location!).searchParams.get('token')!;
  }

  /** What the script of the callback page does. */
  session(token: string): Promise<Answer> {
    return this.fetch('POST', '/auth/v1/session', { token });
  }
}
