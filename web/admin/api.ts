import type { AddressView, BanList, Overview } from './views.js';

/** What the relay said no to, in its words. */
export class Refused extends Error {
  override readonly name = 'Refused';

  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const ANSWER_WITHIN_MS = 8_000;

/** The calls of `/admin/api`. The token goes into a header, so into no address bar, no history and no proxy's log. */
export class Api {
  constructor(private readonly token: string) {}

  overview(): Promise<Overview> {
    return this.call('GET', '/overview');
  }

  address(address: string): Promise<AddressView> {
    return this.call('GET', `/addresses/${encodeURIComponent(address)}`);
  }

  bans(): Promise<BanList> {
    return this.call('GET', '/bans');
  }

  revoke(address: string): Promise<{ readonly sessions: number; readonly devices: number }> {
    return this.call('DELETE', `/addresses/${address}/sessions`);
  }

  endDevice(address: string, deviceId: string): Promise<unknown> {
    return this.call('DELETE', `/addresses/${address}/devices/${encodeURIComponent(deviceId)}`);
  }

  ban(address: string, note: string): Promise<unknown> {
    return this.call('PUT', `/bans/${address}`, { note });
  }

  unban(address: string): Promise<unknown> {
    return this.call('DELETE', `/bans/${address}`);
  }

  drain(node: string): Promise<unknown> {
    return this.call('PUT', `/nodes/${encodeURIComponent(node)}/drain`);
  }

  resume(node: string): Promise<unknown> {
    return this.call('DELETE', `/nodes/${encodeURIComponent(node)}/drain`);
  }

  /** Rejects with `Refused`, or with whatever `fetch` says where there was no answer. */
  private async call<T>(method: string, path: string, body?: object): Promise<T> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.token}` };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const answer = await fetch(`/admin/api${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (answer.ok) return (await answer.json()) as T;
    const problem = (await answer.json().catch(() => null)) as { readonly detail?: string } | null;
    throw new Refused(answer.status, problem?.detail ?? `The relay answered ${answer.status}`);
  }
}
