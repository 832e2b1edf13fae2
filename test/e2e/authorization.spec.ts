import { ModulesContainer } from '@nestjs/core';
import { type Address, CLIENT_FRAME_TYPES, ERRORS, type ErrorCode } from '@relay/protocol';
import { routeOf } from '../../src/auth/auth.guard.js';
import { FRAME_RULES, ROUTE_RULES, type Who } from '../../src/auth/rules.js';
import { SESSION_MS, SessionRepository } from '../../src/auth/session.repository.js';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { type Answer, call, expectProblem } from '../support/http-call.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const ALICE = addressOf(1) as Address;
const BOB = addressOf(2) as Address;
const CAROL = addressOf(3) as Address;
const UNKNOWN = addressOf(9) as Address;
const ADMIN_TOKEN = 'the-admin-token-of-this-test-0123456789';

/** A valid body for each call that has one; a new call without one fails below. */
const BODIES: Readonly<Record<string, (address: string) => object>> = {
  'POST /api/public-keys': (address) => ({ address, publicKey: 'key' }),
  'POST /api/public-keys/batch': (address) => ({ addresses: [address] }),
  'POST /api/status/batch': (address) => ({ addresses: [address] }),
  'POST /auth/:version/start-session': (address) => ({ token: 'a', address }),
  'POST /auth/:version/authenticate': () => ({ token: 'a', signature: '0x' }),
  'POST /auth/:version/logout': () => ({ token: 'a' }),
  'POST /auth/v1/session': () => ({ token: 'a' }),
  'PUT /admin/api/bans/:address': () => ({ note: 'spam' }),
  'PUT /admin/api/nodes/:node/drain': () => ({}),
};
/** They want the cookie of the browser that began, whoever else one may be: refused here for the same reason to everybody. */
const BY_COOKIE = ['GET /auth/v1/callback', 'POST /auth/v1/session'];

const CALLERS = [
  'nobody',
  'garbage',
  'expired',
  'revoked',
  'other user',
  'owner',
  'other device of the owner',
  'admin',
] as const;
type CallerName = (typeof CALLERS)[number];
type Verdict = 'allowed' | ErrorCode;

/** What each may do where proof is asked for; `null`: as the owner. */
const MAY: Readonly<Record<'other user' | 'owner' | 'admin', readonly Who[]>> = {
  'other user': ['all', 'signed_in', 'self'],
  owner: ['all', 'signed_in', 'self', 'owner', 'owner_or_admin'],
  admin: ['all', 'signed_in', 'owner_or_admin', 'admin', 'operator'],
};

function verdictFor(caller: CallerName, who: Who): Verdict {
  if (who === 'all') return 'allowed';
  if (caller === 'nobody') return 'auth_required';
  if (caller === 'garbage' || caller === 'expired' || caller === 'revoked') return 'auth_failed';
  return MAY[caller === 'other device of the owner' ? 'owner' : caller].includes(who) ? 'allowed' : 'forbidden';
}

describe('the table of who may call what', () => {
  let relay: RunningRelay;
  let clock: ManualClock;
  let tokens: Record<CallerName, string | null>;

  async function start(env: Record<string, string>): Promise<void> {
    clock = new ManualClock();
    relay = await startRelay({ clock, env: { BROWSER_SIGN_IN: 'true', ...env } });
  }

  /** As each caller would have it: Alice is the owner. */
  async function issueTokens(): Promise<void> {
    const sessions = relay.app.get(SessionRepository);
    const issue = async (address: Address, device: string) => (await sessions.create(address, device)).token;
    const expired = await issue(ALICE, 'old');
    clock.advance(SESSION_MS);
    const revoked = await issue(ALICE, 'lost');
    await sessions.revoke(ALICE, 'lost');
    tokens = {
      nobody: null,
      garbage: 'rs_garbage',
      expired,
      revoked,
      'other user': await issue(BOB, 'phone'),
      owner: await issue(ALICE, 'phone'),
      'other device of the owner': await issue(ALICE, 'laptop'),
      admin: ADMIN_TOKEN,
    };
  }

  function send(route: string, token: string | null, address: string = ALICE, from = '127.0.0.1'): Promise<Answer> {
    const [method = '', pattern = ''] = route.split(' ');
    const isOfList = ROUTE_RULES.get(route)?.address === 'query';
    const named = pattern.replace(':address', isOfList ? CAROL : address);
    const path = named.replace(':deviceId', 'phone').replace(':version', 'v1') + (isOfList ? `?owner=${address}` : '');
    const where = { 'x-forwarded-for': from };
    const authorization = token === null ? where : { ...where, authorization: `Bearer ${token}` };
    const body = BODIES[route]?.(address);
    const headers = body === undefined ? authorization : { ...authorization, 'content-type': 'application/json' };
    return call(relay.port, { method, path, headers, body: body && JSON.stringify(body) });
  }

  const isRefusal = ({ status }: Answer): boolean => status === 401 || status === 403;

  function declaredRoutes(): string[] {
    const modules = [...relay.app.get(ModulesContainer).values()];
    return modules.flatMap(({ controllers }) =>
      [...controllers.values()].flatMap(({ metatype }) => {
        const controller = metatype as unknown as Parameters<typeof routeOf>[0];
        const prototype = controller.prototype as Record<string, unknown>;
        return Object.getOwnPropertyNames(prototype)
          .map((name) => prototype[name] as object)
          .filter((handler) => typeof handler === 'function' && Reflect.hasMetadata('method', handler))
          .map((handler) => routeOf(controller, handler));
      }),
    );
  }

  describe('names', () => {
    beforeAll(() => start({ AUTH_MODE: 'signed' }));
    afterAll(() => relay.stop());

    it('every call that a controller declares, and none that there is not', () => {
      const routes = declaredRoutes();
      expect(routes.length).toBeGreaterThan(20);
      expect([...ROUTE_RULES.keys()].sort()).toEqual(routes.sort());
    });

    it('every frame that a client may send, and none that there is not', () => {
      expect(Object.keys(FRAME_RULES).sort()).toEqual([...CLIENT_FRAME_TYPES].sort());
    });

    it('where the address stands for each call that is its owner’s', () => {
      for (const [route, { who, address }] of ROUTE_RULES) {
        const isOwners = who === 'owner' || who === 'owner_or_admin';
        const isOfList = /^\w+ \/api\/(blocks|allowed)(\/|$)/.test(route);
        const where = isOfList ? 'query' : route.includes(':address') ? 'path' : 'body';
        const isNamed = isOwners || (who === 'operator' && where === 'path');
        expect([route, address ?? null]).toEqual([route, isNamed ? where : null]);
      }
    });

    const withBody = [...ROUTE_RULES].filter(
      ([route, { address }]) => /^(POST|PUT) /.test(route) && address !== 'query',
    );

    it.each(withBody.map(([route]) => route))('%s, for which this test has a body', (route) => {
      expect(BODIES).toHaveProperty([route]);
    });
  });

  describe('in signed mode', () => {
    beforeAll(async () => {
      // So that wrong tokens come from many places: from one, only so many are listened to.
      await start({ AUTH_MODE: 'signed', ADMIN_TOKEN, TRUST_PROXY: '1' });
    });

    beforeEach(() => issueTokens());
    afterAll(() => relay.stop());

    it.each([...ROUTE_RULES].map(([route, { who }]): [string, Who] => [route, who]))(
      'keeps %s for: %s',
      async (route, who) => {
        for (const caller of CALLERS) {
          const verdict = verdictFor(caller, who);
          const answer = await send(route, tokens[caller], ALICE, `10.0.0.${CALLERS.indexOf(caller)}`);
          if (BY_COOKIE.includes(route)) expect([caller, answer.status]).toEqual([caller, 403]);
          else if (verdict === 'allowed') expect([caller, isRefusal(answer)]).toEqual([caller, false]);
          else if (route.startsWith('HEAD '))
            expect([caller, answer.status]).toEqual([caller, ERRORS[verdict].httpStatus]);
          else {
            expect([caller, JSON.parse(answer.text)]).toEqual([caller, expect.objectContaining({ code: verdict })]);
            expectProblem(answer, ERRORS[verdict].httpStatus, verdict);
            const challenge = answer.status === 401 ? (expect.stringMatching(/^Bearer/) as string) : undefined;
            expect(answer.headers['www-authenticate']).toEqual(challenge);
          }
        }
      },
    );

    it('answers HEAD as it answers GET', async () => {
      for (const [caller, status] of [
        ['nobody', 401],
        ['other user', 403],
        ['owner', 200],
      ] as const) {
        const authorization = tokens[caller] === null ? {} : { authorization: `Bearer ${tokens[caller]}` };
        const answer = await call(relay.port, {
          method: 'HEAD',
          path: `/api/messages/${ALICE}`,
          headers: authorization,
        });
        expect([caller, answer.status]).toEqual([caller, status]);
      }
    });

    it('refuses what is not known in the very words with which it refuses what is there', async () => {
      await send('POST /api/public-keys', tokens.owner);
      const owners = [...ROUTE_RULES].filter(([, { address }]) => address !== undefined).map(([route]) => route);
      expect(owners.length).toBeGreaterThan(4);
      for (const route of owners) {
        for (const caller of ['nobody', 'garbage', 'other user'] as const) {
          const [known, unknown] = [await send(route, tokens[caller]), await send(route, tokens[caller], UNKNOWN)];
          expect([route, unknown.status, unknown.text]).toEqual([route, known.status, known.text]);
        }
      }
    });

    it('asks for proof before it says that something is wrong with a call', async () => {
      for (const address of ['0x12', 'ALICE', `${ALICE}0`, '0x' + '0'.repeat(40)]) {
        expectProblem(await send('GET /api/messages/:address', null, address), 401, 'auth_required');
        expectProblem(await send('GET /api/messages/:address', tokens.owner, address), 400, 'bad_message');
        expectProblem(await send('POST /api/public-keys', null, address), 401, 'auth_required');
        expectProblem(await send('POST /api/public-keys', tokens['other user'], address), 400, 'bad_message');
      }
    });

    it('goes by the address whatever its case', async () => {
      const upper = `0x${ALICE.slice(2).toUpperCase()}`;
      expect((await send('GET /api/messages/:address', tokens.owner, upper)).status).toBe(200);
      expectProblem(await send('GET /api/messages/:address', tokens['other user'], upper), 403, 'forbidden');
    });

    it.each([
      '',
      'Bearer',
      'Bearer ',
      'Basic YTpi',
      'bearer\t',
      ADMIN_TOKEN,
      `Bearer ${ADMIN_TOKEN}x`,
      `Bearer ${ADMIN_TOKEN.slice(1)}`,
      `Bearer a ${ADMIN_TOKEN}`,
    ])('takes no %j for proof', async (authorization) => {
      const path = '/api/public-keys/stats/all';
      expectProblem(await call(relay.port, { path, headers: { authorization } }), 401, 'auth_failed');
    });

    it('takes Bearer in any case', async () => {
      const headers = { authorization: `bEARER  ${ADMIN_TOKEN}` };
      expect((await call(relay.port, { path: '/api/public-keys/stats/all', headers })).status).toBe(200);
    });

    it('writes a line for each call of an operator: by whom, what, with which outcome, from where; and no secret', async () => {
      const before = relay.log().length;
      await send('GET /api/messages/stats/all', tokens.admin);
      await send('GET /api/messages/stats/all', tokens.garbage);
      await send('DELETE /api/public-keys/:address', tokens.admin, UNKNOWN);
      await send('DELETE /api/public-keys/:address', tokens.owner);
      const text = relay.log().slice(before);
      const lines = text
        .split('\n')
        .filter((line) => line.includes('admin call'))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const route = 'GET /api/messages/stats/all';
      const NAMED = expect.stringMatching(/^addr:[0-9a-f]{16}$/) as string;
      expect(lines).toMatchObject([
        { route, by: expect.stringMatching(/^admin [0-9a-f]{8}$/) as string, outcome: 200, network: '127.0.0.1' },
        { route, by: 'refused', outcome: 401, network: '127.0.0.1' },
        { route: 'DELETE /api/public-keys/:address', address: NAMED, by: lines[0]!.by, outcome: 404 },
      ]);
      for (const secret of [ADMIN_TOKEN, tokens.owner!, 'rs_garbage']) expect(text).not.toContain(secret);
    });

    it('shows in the reference what each call wants', async () => {
      const { text } = await call(relay.port, { path: '/docs/openapi.json' });
      const { paths, components } = JSON.parse(text) as {
        paths: Record<string, Record<string, { security: unknown; description: string }>>;
        components: { securitySchemes: unknown };
      };
      expect(components.securitySchemes).toMatchObject({ token: { type: 'http', scheme: 'bearer' } });
      for (const [route, { who }] of ROUTE_RULES) {
        const [method = '', path = ''] = route.split(' ');
        // The reference describes neither itself nor what is a page.
        if (path === '/' || /^\/(docs|demo|admin(?!\/api))(\/|$)/.test(path)) continue;
        const operation = paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
        expect([route, operation?.security]).toEqual([route, who === 'all' ? [] : [{ token: [] }]]);
        expect(operation?.description).toContain('**Who**');
      }
    });
  });

  describe('in signed mode without ADMIN_TOKEN', () => {
    beforeAll(() => start({ AUTH_MODE: 'signed' }));
    afterAll(() => relay.stop());

    it('has no operator', async () => {
      await issueTokens();
      for (const [route, { who }] of ROUTE_RULES) {
        if (who === 'operator') {
          for (const token of [null, tokens.admin, tokens.owner]) {
            expectProblem(await send(route, token), 404, 'not_found');
          }
        }
        if (who !== 'admin') continue;
        expectProblem(await send(route, null), 401, 'auth_required');
        expectProblem(await send(route, tokens.admin), 401, 'auth_failed');
        expectProblem(await send(route, tokens.owner), 403, 'forbidden');
      }
    });
  });

  describe('in open mode', () => {
    beforeEach(() => start({ AUTH_MODE: 'open' }));
    afterEach(() => relay.stop());

    it('is open to everybody for who never signed in, but not for what is somebody’s own', async () => {
      for (const [route, { who }] of ROUTE_RULES) {
        if (BY_COOKIE.includes(route)) continue;
        const answer = await send(route, null, UNKNOWN);
        expect([route, isRefusal(answer)]).toEqual([route, who === 'self']);
      }
    });

    it('wants proof for an address that once signed in, from then on', async () => {
      await issueTokens();
      for (const [route, { who, address }] of ROUTE_RULES) {
        if (who !== 'owner' && who !== 'owner_or_admin') continue;
        expectProblem(await send(route, null), 403, 'downgrade_refused');
        expectProblem(await send(route, tokens.garbage), 401, 'auth_failed');
        expectProblem(await send(route, tokens['other user']), 403, 'forbidden');
        expect([route, isRefusal(await send(route, tokens.owner))]).toEqual([route, false]);
        // Whoever signed in may do what anybody may; a list is always that of whoever signed in.
        const mayForOthers = address !== 'query';
        expect([route, isRefusal(await send(route, tokens['other user'], UNKNOWN))]).toEqual([route, !mayForOthers]);
      }
      await relay.app.get(SessionRepository).revoke(ALICE, 'phone');
      await relay.app.get(SessionRepository).revoke(ALICE, 'laptop');
      expectProblem(await send('GET /api/messages/:address', null), 403, 'downgrade_refused');
    });

    it('keeps an operator’s calls for who has ADMIN_TOKEN, once that is set', async () => {
      await relay.stop();
      await start({ AUTH_MODE: 'open', ADMIN_TOKEN });
      await issueTokens();
      for (const [route, { who }] of ROUTE_RULES) {
        if (who !== 'admin' && who !== 'operator') continue;
        // One of these calls ends sessions.
        await issueTokens();
        expectProblem(await send(route, null), 401, 'auth_required');
        expectProblem(await send(route, tokens.owner), 403, 'forbidden');
        // There is no node of the name that is sent.
        const status = route.includes(':node') ? 404 : 200;
        expect([route, (await send(route, tokens.admin)).status]).toEqual([route, status]);
      }
      expect(isRefusal(await send('DELETE /api/messages/:address', tokens.admin))).toBe(false);
      expectProblem(await send('GET /api/messages/:address', tokens.admin), 403, 'forbidden');
    });

    it('refuses every frame but those that open a connection, before one is open', async () => {
      for (const type of CLIENT_FRAME_TYPES) {
        if (FRAME_RULES[type as keyof typeof FRAME_RULES] === 'anyone') continue;
        const stranger = await ClassicClient.connect(relay.wsUrl);
        // Whole enough for each: only who sends it is wrong.
        stranger.send({
          type,
          to: BOB,
          messageId: 'm',
          content: 'c',
          isTyping: true,
          data: 'd',
          addresses: [],
          visible: true,
          upTo: '1-1',
        });
        expect(await stranger.waitFor('error')).toMatchObject({ code: 'auth_required' });
        expect(await stranger.closed()).toBe(4401);
      }
    });
  });
});
