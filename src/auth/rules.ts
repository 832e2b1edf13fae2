import type { ClientFrame } from '@relay/protocol';

/**
 * Who may make a call, where proof is asked for (`AUTH_MODE=signed`, or an address that has signed in):
 * `owner` is whoever signed in as the address that the call names, `self` whoever signed in, for what is theirs,
 * `signed_in` anybody who did, `admin` whoever has ADMIN_TOKEN. `operator` too, whatever AUTH_MODE says: without an
 * ADMIN_TOKEN there is no such call.
 */
export type Who = 'all' | 'signed_in' | 'self' | 'owner' | 'owner_or_admin' | 'admin' | 'operator';

export interface RouteRule {
  readonly who: Who;
  /** Where the call names the address that it is about; for `owner` and `owner_or_admin`. */
  readonly address?: 'path' | 'body' | 'query';
  /** A page asks again and again: of what succeeds, the audit has the first of ten minutes. */
  readonly isPolled?: boolean;
}

const all: RouteRule = { who: 'all' };
const admin: RouteRule = { who: 'admin' };
const operator: RouteRule = { who: 'operator' };
const operatorOn: RouteRule = { who: 'operator', address: 'path' };
const owner: RouteRule = { who: 'owner', address: 'path' };
const ownerOrAdmin: RouteRule = { who: 'owner_or_admin', address: 'path' };
/** The caller's, or of the `owner` that the query names. */
const ownList: RouteRule = { who: 'owner', address: 'query' };

/** Every REST call by method and path, as its controller declares it. A call that is not here is refused to everybody. */
export const ROUTE_RULES: ReadonlyMap<string, RouteRule> = new Map<string, RouteRule>([
  ['GET /health', all],
  ['GET /health/live', all],
  ['GET /health/ready', all],

  ['POST /api/public-keys', { who: 'owner', address: 'body' }],
  ['POST /api/public-keys/batch', all],
  ['GET /api/public-keys/stats/all', admin],
  ['HEAD /api/public-keys/:address', all],
  ['GET /api/public-keys/:address', all],
  ['DELETE /api/public-keys/:address', ownerOrAdmin],

  ['GET /api/messages/stats/all', admin],
  ['GET /api/messages/:address/queue-size', ownerOrAdmin],
  ['GET /api/messages/:address', owner],
  ['DELETE /api/messages/:address', ownerOrAdmin],

  ['POST /api/status/batch', { who: 'signed_in' }],
  ['GET /api/status/online/all', admin],
  ['GET /api/status/:address', { who: 'signed_in' }],

  ['GET /api/blocks', ownList],
  ['PUT /api/blocks/:address', ownList],
  ['DELETE /api/blocks/:address', ownList],
  ['GET /api/allowed', ownList],
  ['PUT /api/allowed/:address', ownList],
  ['DELETE /api/allowed/:address', ownList],

  ['GET /api/devices', { who: 'self' }],
  ['DELETE /api/devices/:deviceId', { who: 'self' }],

  ['GET /', all],
  ['GET /.well-known/relay', all],
  // The page by itself knows nothing; without an operator it is not there.
  ['GET /admin', all],
  ['GET /admin/assets/:name', all],
  ['GET /admin/api/overview', { ...operator, isPolled: true }],
  ['GET /admin/api/addresses/:address', { ...operatorOn, isPolled: true }],
  ['DELETE /admin/api/addresses/:address/sessions', operatorOn],
  ['DELETE /admin/api/addresses/:address/devices/:deviceId', operatorOn],
  ['GET /admin/api/bans', operator],
  ['PUT /admin/api/bans/:address', operatorOn],
  ['DELETE /admin/api/bans/:address', operatorOn],
  ['PUT /admin/api/nodes/:node/drain', operator],
  ['DELETE /admin/api/nodes/:node/drain', operator],

  ['GET /docs/ws', all],
  ['GET /docs/reference.css', all],
  ['GET /docs/console.js', all],
  ['GET /docs/asyncapi.json', all],

  ['GET /demo', all],
  ['GET /demo/assets/:name', all],

  // Whoever calls these is still to prove who it is.
  ['POST /auth/:version/start-session', all],
  ['POST /auth/:version/authenticate', all],
  ['GET /auth/:version/get-account', all],
  ['POST /auth/:version/logout', all],
  ['GET /auth/v1/start', all],
  ['GET /auth/v1/callback', all],
  ['GET /auth/v1/callback.js', all],
  ['POST /auth/v1/session', all],
]);

/** Who may send a frame: `anyone` opens a connection with it, once; everything else acts as the address that signed in. */
export const FRAME_RULES: Readonly<Record<ClientFrame['type'], 'anyone' | 'signed_in'>> = {
  auth: 'anyone',
  hello: 'anyone',
  message: 'signed_in',
  /** Of what this connection was sent. */
  ack: 'signed_in',
  /** Of one's own mailbox. */
  history: 'signed_in',
  typing: 'signed_in',
  /** Only for a message that its `to` really sent to the reader. */
  read_receipt: 'signed_in',
  signal: 'signed_in',
  /** A hidden address looks offline. */
  subscribe_presence: 'signed_in',
  unsubscribe_presence: 'signed_in',
  /** Of oneself. */
  set_presence: 'signed_in',
  ping: 'signed_in',
};
