import { isDomain, RelayError } from '@relay/protocol';
import type { Settings } from './settings.js';

/**
 * What this relay is called in what clients sign: what the operator says or, outside production, what the client called it.
 * Where anybody may name it, another relay could have its users sign for this one. Rejects with `unsupported`.
 */
export function domainOf({ publicDomain, environment }: Settings, host: string | undefined): string {
  const domain = publicDomain === '' && environment !== 'production' ? host?.toLowerCase() : publicDomain;
  if (isDomain(domain)) return domain;
  throw new RelayError('unsupported', 'This relay has no domain that a signature could name');
}
