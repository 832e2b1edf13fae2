import { CLOSE_CODES, ERRORS, LIMITS } from '@relay/protocol';
import { CLIENT_SCHEMAS, type FrameSchema, type Schema, SERVER_SCHEMAS } from '@relay/protocol/schemas';
import { pageOf } from './page.js';

/** The WebSocket protocol for people, made of the same schemas as the AsyncAPI document. Without a script where there is no console. */
export function websocketPage({ hasConsole }: { readonly hasConsole: boolean }): string {
  const main = `<main>
<h1>The relay’s WebSocket</h1>
<p>One JSON object in each text frame, at <code>/</code> or <code>/ws</code>. Unknown fields are ignored on both sides; clients ignore types that they do not know.
At most ${LIMITS.frameBytesBeforeSignIn} bytes in a frame before the sign-in, then what <code>auth_success</code> says.</p>
<p><a href="/docs">REST reference</a> · <a href="/docs/asyncapi.json">this page for programs (AsyncAPI 3)</a></p>
<nav aria-label="Frames and codes">
<p>Clients send: ${links(CLIENT_SCHEMAS, 'send')}</p>
<p>The relay sends: ${links(SERVER_SCHEMAS, 'get')}</p>
<p><a href="#errors">Error codes</a> · <a href="#closes">Close codes</a></p>
</nav>
${hasConsole ? CONSOLE : ''}
<h2>What clients send</h2>
${sections(CLIENT_SCHEMAS, 'send')}
<h2>What the relay sends</h2>
${sections(SERVER_SCHEMAS, 'get')}
<h2 id="errors">Error codes</h2>
<div class="codes" role="region" aria-labelledby="errors" tabindex="0">${table(['Code', 'Text', 'HTTP status', 'Closes with', 'The same may succeed later'], errorRows())}</div>
<h2 id="closes">Close codes</h2>
<div class="codes" role="region" aria-labelledby="closes" tabindex="0">${table(['Code', 'Meaning', 'Connect again, with jitter'], closeRows())}</div>
</main>`;
  return pageOf({ title: 'Relay: WebSocket reference', docs: '', main });
}

/** Shown by its script, once that runs. */
const CONSOLE = `<section id="console" hidden>
<h2>Try it</h2>
<p>Everything here is real: on this relay, with these addresses.</p>
<p><button id="connect" type="button">Connect</button> <span id="state" role="status">not connected</span></p>
<form id="sending">
<p><label>Frame <select id="frames"></select></label> <span id="summary"></span></p>
<p><label for="frame">JSON</label><textarea id="frame" rows="7" spellcheck="false" autocomplete="off"></textarea></p>
<p><button id="send" disabled>Send</button> <button id="clear" type="button">Clear</button> <span id="fault" role="alert"></span></p>
</form>
<div role="log" aria-label="Frames sent and received"><ol id="log" tabindex="0"></ol></div>
<noscript>The console needs JavaScript.</noscript>
</section>
<script type="module" src="console.js"></script>`;

type Frames = Readonly<Record<string, FrameSchema>>;

function links(frames: Frames, side: string): string {
  return Object.keys(frames)
    .map((type) => `<a href="#${side}-${type}"><code>${type}</code></a>`)
    .join(' ');
}

function sections(frames: Frames, side: string): string {
  return Object.entries(frames)
    .map(([type, frame]) => section(type, side, frame))
    .join('\n');
}

function section(type: string, side: string, { summary, schema, example }: FrameSchema): string {
  const { properties = {}, required = [] } = schema;
  const rows = Object.entries(properties)
    .filter(([name]) => name !== 'type')
    .map(([name, field]) => [
      code(name),
      escape(kindOf(field)) + (required.includes(name) ? '' : '; optional'),
      escape(field.description ?? ''),
    ]);
  return `<section id="${side}-${type}">
<h3><code>${type}</code></h3>
<p>${escape(summary)}.</p>
${rows.length === 0 ? '' : table(['Field', 'Type', 'Meaning'], rows)}
<pre>${escape(JSON.stringify(example))}</pre>
</section>`;
}

/** "integer, 1 to 1024" */
function kindOf(field: Schema): string {
  const { type, enum: values, minimum, maximum, maxLength, maxItems, pattern } = field;
  if (field.const !== undefined) return JSON.stringify(field.const);
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(', ');
  const kind = typeof type === 'string' ? type : (type ?? []).join(' or ');
  const bounds = [
    minimum === undefined ? '' : maximum === Number.MAX_SAFE_INTEGER ? `from ${minimum}` : `${minimum} to ${maximum}`,
    maxLength === undefined ? '' : `at most ${maxLength}`,
    maxItems === undefined ? '' : `at most ${maxItems}`,
    pattern ?? '',
  ];
  return [kind, ...bounds.filter((bound) => bound !== '')].join(', ');
}

function errorRows(): string[][] {
  return Object.entries(ERRORS).map(([name, { text, httpStatus, closeCode, retryable }]) => {
    return [code(name), escape(text), String(httpStatus), closeCode === null ? '' : String(closeCode), yes(retryable)];
  });
}

function closeRows(): string[][] {
  return Object.entries(CLOSE_CODES).map(([name, { reason, reconnect }]) => [
    code(name),
    escape(reason),
    yes(reconnect),
  ]);
}

function yes(value: boolean): string {
  return value ? 'yes' : 'no';
}

/** Cells are HTML. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: string): string => row.map((cell) => `<${tag}>${cell}</${tag}>`).join('');
  return `<table><thead><tr>${cells(head, 'th')}</tr></thead><tbody>${rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('')}</tbody></table>`;
}

function code(text: string): string {
  return `<code>${escape(text)}</code>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
