import { isDomain, RelayError } from '@relay/protocol';
import type { Settings } from './settings.js';

/** For whoever develops a client, or set this relay up: what is missing, and who can add it. */
const NO_DOMAIN =
  'This relay has no PUBLIC_DOMAIN, which a signature has to name: nobody can prove an address here until its operator sets it';
const NO_HOST = 'The Host of this request is no name that a signature could carry: set PUBLIC_DOMAIN of this relay';

/**
 * What this relay is called in what clients sign: what the operator says or, outside production, what the client called it.
 * Where anybody may name it, another relay could have its users sign for this one. Rejects with `unsupported`.
 */
export function domainOf({ publicDomain, environment }: Settings, host: string | undefined): string {
  const domain = publicDomain === '' && environment !== 'production' ? host?.toLowerCase() : publicDomain;
  if (isDomain(domain)) return domain;
  throw new RelayError('unsupported', environment === 'production' ? NO_DOMAIN : NO_HOST);
}
