import { setTimeout as wait } from 'node:timers/promises';

/**
 * What `/.well-known/relay` says, as far as the suite goes by it.
 * @typedef {{
 *   protocol: { versions: number[], websocketPaths: string[] },
 *   auth: { mode: 'open' | 'signed', domain: string | null },
 *   limits: Record<string, number>,
 *   features: Record<string, boolean>,
 *   links: Record<string, string>,
 * }} Facts
 * @typedef {{ status: number, headers: Headers, body: any }} Answer
 */

/** The relay that is looked at, from outside. */
export class Relay {
  /** @param {string} wsUrl @param {Facts} facts @param {string | null} adminToken */
  constructor(wsUrl, facts, adminToken) {
    this.wsUrl = wsUrl;
    this.facts = facts;
    this.adminToken = adminToken;
  }

  /** @param {string} url `ws://` or `wss://` @param {{ auth?: 'open' | 'signed' | undefined, adminToken?: string | undefined }} options */
  static async at(url, { auth, adminToken }) {
    const wsUrl = url.replace(/^http/, 'ws').replace(/\/$/, '');
    const response = await fetch(`${wsUrl.replace(/^ws/, 'http')}/.well-known/relay`);
    if (!response.ok) throw new Error(`/.well-known/relay answered ${response.status}; it says what can be tested`);
    const facts = /** @type {Facts} */ (await response.json());
    if (auth !== undefined && facts.auth.mode !== auth) {
      throw new Error(`--auth ${auth} was asked for, and /.well-known/relay says ${facts.auth.mode}`);
    }
    return new Relay(wsUrl, facts, adminToken ?? null);
  }

  get isSigned() {
    return this.facts.auth.mode === 'signed';
  }

  /**
   * One call. A body that is a string goes as it is. Waits where the relay says that there were too many.
   * @param {string} method @param {string} path
   * @param {{ body?: unknown, token?: string | null, headers?: Record<string, string> }} [options]
   * @returns {Promise<Answer>}
   */
  async call(method, path, { body, token = null, headers = {} } = {}) {
    const response = await fetch(`${this.wsUrl.replace(/^ws/, 'http')}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.status === 429) {
      await wait(Number(response.headers.get('retry-after') ?? 1) * 1000);
      return this.call(method, path, { body, token, headers });
    }
    const isJson = (response.headers.get('content-type') ?? '').includes('json');
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text !== '' ? JSON.parse(text) : text,
    };
  }
}
