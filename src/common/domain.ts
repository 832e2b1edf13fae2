import { isDomain, RelayError } from '@relay/protocol';

/**
 * What this relay is called in what clients sign: what the operator says, else, while a relay is being tried out, what the
 * client called it. Rejects with `bad_message` where a `Host` is no domain.
 */
export function domainOf(publicDomain: string, host: string | undefined): string {
  const domain = publicDomain === '' ? host?.toLowerCase() : publicDomain;
  if (isDomain(domain)) return domain;
  throw new RelayError('bad_message', 'The Host of the request is not a domain');
}
