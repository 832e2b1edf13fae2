/** Where something was to listen, and the names of the two settings that say so. */
export interface ListenTarget {
  readonly port: number;
  readonly host: string;
  readonly portSetting: string;
  readonly hostSetting: string;
}

/** Why it cannot, and what to do about it, in one line. `error` is what `listen` gave. */
export function listenFailure({ port, host, portSetting, hostSetting }: ListenTarget, error: unknown): string {
  const { code = String(error) } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EADDRINUSE':
      return `${portSetting} ${port} is taken on ${host} (${code}): end what listens there (ss -ltnp), or set ${portSetting}`;
    case 'EACCES':
      return `${portSetting} ${port} is not permitted (${code}): take one above 1023, or give CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${hostSetting} ${host} is not an address of this machine (${code})`;
    default:
      return `${portSetting} ${port} of ${hostSetting} ${host} cannot be listened on (${code})`;
  }
}
