import { type Scheme, SCHEMES, LIMITS, RelayError } from '@relay/protocol';
import { domainOf } from '../common/domain.js';
import type { Settings } from '../common/settings.js';
import { RELAY_VERSION } from '../common/version.js';
import { WEBSOCKET_PATHS } from '../relay/admission.js';

/** What `/.well-known/relay` says. Members are added, never changed; times are ms, sizes bytes. */
export interface SelfDescription {
  readonly name: string;
  readonly version: string;
  readonly protocol: {
    /** What may open a connection: 1 is `auth`, 2 is `hello`. */
    readonly versions: readonly number[];
    readonly websocketPaths: readonly string[];
  };
  readonly auth: {
    readonly mode: 'open' | 'signed';
    /** What nonces and key statements name; null where nobody can sign in. */
    readonly domain: string | null;
    readonly schemes: readonly Scheme[];
  };
  readonly requirements: {
    readonly protocolVersion: number;
    readonly signInWithinMs: number;
    readonly answerPingWithinMs: number;
    readonly acknowledgeWithinMs: number;
  };
  readonly limits: Readonly<Record<LimitName, number>>;
  readonly features: Readonly<Record<FeatureName, boolean>>;
  readonly links: Readonly<Record<LinkName, string>>;
}

export const LIMIT_NAMES = [
  'maxFrameBytes',
  'maxFrameBytesBeforeSignIn',
  'maxMessageIdLength',
  'maxSignalBytes',
  'maxAddressesPerRequest',
  'maxPresenceSubscriptions',
  'maxWindow',
  'defaultWindow',
  'maxOfflineMessages',
  'maxQueueBytes',
  'maxDevicesPerAddress',
  'maxStrangerMessages',
  'retentionHours',
  'historyRetentionHours',
  'sendsPerSecond',
  'sendBurst',
  'requestsPerWindow',
  'requestWindowMs',
  'verdictWithinMs',
] as const;
export const FEATURE_NAMES = [
  'history',
  'ephemeral',
  'signal',
  'typing',
  'presence',
  'receipts',
  'signedKeys',
] as const;
export const LINK_NAMES = ['docs', 'openapi', 'websocketDocs', 'asyncapi', 'health'] as const;
type LimitName = (typeof LIMIT_NAMES)[number];
type FeatureName = (typeof FEATURE_NAMES)[number];
type LinkName = (typeof LINK_NAMES)[number];

const LINKS: SelfDescription['links'] = {
  docs: '/docs',
  openapi: '/docs/openapi.json',
  websocketDocs: '/docs/ws',
  asyncapi: '/docs/asyncapi.json',
  health: '/health',
};

/** Holds nothing that a client does not meet anyway. `host`: what the client called this relay. */
export function selfDescription(settings: Settings, host: string | undefined): SelfDescription {
  const versions = settings.authMode === 'signed' ? [2] : [1, 2];
  return {
    name: 'relay',
    version: RELAY_VERSION,
    protocol: { versions, websocketPaths: WEBSOCKET_PATHS },
    auth: { mode: settings.authMode, domain: domainOrNull(settings, host), schemes: SCHEMES },
    requirements: {
      protocolVersion: versions[0]!,
      signInWithinMs: LIMITS.authTimeoutMs,
      answerPingWithinMs: LIMITS.pongWithinMs,
      acknowledgeWithinMs: LIMITS.stallMs,
    },
    limits: limitsOf(settings),
    features: {
      history: settings.historyMs > 0,
      ephemeral: true,
      signal: true,
      typing: true,
      presence: true,
      receipts: true,
      signedKeys: domainOrNull(settings, host) !== null,
    },
    links: LINKS,
  };
}

function limitsOf(settings: Settings): SelfDescription['limits'] {
  return {
    maxFrameBytes: settings.maxFrameBytes,
    maxFrameBytesBeforeSignIn: LIMITS.frameBytesBeforeSignIn,
    maxMessageIdLength: LIMITS.messageIdLength,
    maxSignalBytes: LIMITS.signalBytes,
    maxAddressesPerRequest: LIMITS.addressesPerRequest,
    maxPresenceSubscriptions: LIMITS.presenceSubscriptions,
    maxWindow: LIMITS.maxWindowEntries,
    defaultWindow: LIMITS.windowEntries,
    maxOfflineMessages: settings.maxOfflineMessages,
    maxQueueBytes: settings.maxQueueBytes,
    maxDevicesPerAddress: settings.maxDevicesPerAddress,
    maxStrangerMessages: settings.tellsStrangers ? settings.maxStrangerMessages : settings.maxOfflineMessages,
    retentionHours: settings.messageRetentionHours,
    historyRetentionHours: settings.historyRetentionHours,
    sendsPerSecond: settings.sendRatePerSecond,
    sendBurst: settings.sendBurst,
    requestsPerWindow: settings.rateLimitMaxRequests,
    requestWindowMs: settings.rateLimitWindowMs,
    verdictWithinMs: LIMITS.verdictWithinMs,
  };
}

function domainOrNull(settings: Settings, host: string | undefined): string | null {
  try {
    return domainOf(settings, host);
  } catch (error) {
    if (error instanceof RelayError) return null;
    throw error;
  }
}
