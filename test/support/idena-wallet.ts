import { call } from './http-call.js';
import type { SigningKey } from './signing.js';

export interface WalletAnswer {
  readonly success: boolean;
  readonly data?: Record<string, unknown>;
  readonly error?: string;
}

export const said = (data: object): WalletAnswer => ({ success: true, data: data as Record<string, unknown> });
export const refused = (error: string): WalletAnswer => ({ success: false, error });

/** The four calls of "Sign in with Idena", as wallets' servers make them. */
export class WalletCalls {
  constructor(private readonly port: number) {}

  /** Insists on 200, as they do. */
  async ask(path: string, body?: unknown): Promise<WalletAnswer> {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const method = body === undefined ? 'GET' : 'POST';
    const answer = await call(this.port, {
      method,
      path,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    expect(answer.status).toBe(200);
    return JSON.parse(answer.text) as WalletAnswer;
  }

  startSession(token: unknown, address: unknown): Promise<WalletAnswer> {
    return this.ask('/auth/v1/start-session', { token, address });
  }

  authenticate(token: unknown, signature: unknown): Promise<WalletAnswer> {
    return this.ask('/auth/v1/authenticate', { token, signature });
  }

  account(token: string): Promise<WalletAnswer> {
    return this.ask(`/auth/v1/get-account?token=${token}`);
  }

  logout(token: unknown): Promise<WalletAnswer> {
    return this.ask('/auth/v1/logout', { token });
  }

  async nonceOf(token: string, key: SigningKey): Promise<string> {
    return String((await this.startSession(token, key.address)).data?.nonce);
  }

  /** All that a wallet does once its person has said yes to the link of that token. */
  async confirm(token: string, key: SigningKey): Promise<void> {
    const signature = signAsWallet(key, await this.nonceOf(token, key));
    expect(await this.authenticate(token, signature)).toEqual(said({ authenticated: true }));
  }
}

/** Wallets sign whatever the link's server calls a nonce, without showing it, if it begins so; nothing else. */
export function signAsWallet(key: SigningKey, nonce: string): string {
  if (!nonce.startsWith('signin-')) throw new Error('the wallet signs no such nonce');
  return key.sign(nonce);
}
