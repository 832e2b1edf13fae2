import type { Settings } from '../common/settings.js';
import { RELAY_VERSION } from '../common/version.js';
import { WEBSOCKET_PATHS } from '../relay/admission.js';
import { pageOf } from './page.js';

interface Link {
  /** From `/`, without the slash: a proxy may serve the relay under a path. */
  readonly path: string;
  readonly name: string;
  readonly text: string;
}

/** What there is to see on this relay, as its settings have it. */
function linksOf({ demo, adminToken }: Pick<Settings, 'demo' | 'adminToken'>): Link[] {
  return [
    ...(demo ? [{ path: 'demo', name: 'Demo', text: 'two people in two windows who write to each other' }] : []),
    { path: 'docs', name: 'REST reference', text: 'keys, mailboxes, presence, devices' },
    { path: 'docs/ws', name: 'WebSocket reference', text: 'every frame, error and close code' },
    { path: '.well-known/relay', name: 'What this relay is and demands', text: 'for programs' },
    ...(adminToken === '' ? [] : [{ path: 'admin', name: 'Operator', text: 'for whoever has ADMIN_TOKEN' }]),
  ];
}

const WHAT = 'A relay for end-to-end encrypted messages';

/** For whoever opens the relay in a browser; without a script. */
export function frontPage(settings: Pick<Settings, 'demo' | 'adminToken'>): string {
  const items = linksOf(settings).map(({ path, name, text }) => `<li><a href="${path}">${name}</a>: ${text}</li>`);
  const main = `<main class="front">
<h1>Relay <small>${RELAY_VERSION}</small></h1>
<p>${WHAT}: it carries ciphertext from one address to another, keeps what is owed to people who are away, and can read none of it.</p>
<p>Clients connect here by WebSocket, at ${WEBSOCKET_PATHS.map((path) => `<code>${path}</code>`).join(' or ')}.</p>
<ul>
${items.join('\n')}
</ul>
</main>`;
  return pageOf({ title: 'Relay', docs: 'docs/', main });
}

/** The same for programs. */
export interface FrontDescription {
  readonly name: 'relay';
  readonly version: string;
  readonly description: string;
  readonly websocketPaths: readonly string[];
  /** Paths on this relay. */
  readonly links: readonly string[];
}

export function frontDescription(settings: Pick<Settings, 'demo' | 'adminToken'>): FrontDescription {
  const links = linksOf(settings).map(({ path }) => `/${path}`);
  return { name: 'relay', version: RELAY_VERSION, description: WHAT, websocketPaths: WEBSOCKET_PATHS, links };
}
