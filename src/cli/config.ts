import { readSettingsWithSources } from '../app/read-settings.js';
import { SETTING_ROWS } from '../common/setting.decorator.js';
import { EXIT } from './exit-codes.js';
import type { Terminal } from './terminal.js';

/** Every setting as the relay would take it, and where from. */
export async function config(terminal: Terminal, { json = false }: { json?: boolean }): Promise<number> {
  const { settings, sources } = await readSettingsWithSources();
  const rows = SETTING_ROWS.map(({ name, property, unit, isSecret = false }) => {
    const value = (settings as unknown as Record<string, unknown>)[property];
    const source = sources.get(name) ?? 'default';
    // What is not `true or false` and false all the same is off: `TRUST_PROXY`.
    const shown = value === false && !unit.startsWith('true or false') ? 'off' : value;
    return { name, value: isSecret ? hidden(shown, source) : shown, source };
  });
  if (json) terminal.out(`${JSON.stringify(rows)}\n`);
  else {
    const width = Math.max(...rows.map(({ name }) => name.length));
    const texts = rows.map(({ value }) => textOf(value));
    const wide = Math.min(50, Math.max(...texts.map(({ length }) => length)));
    terminal.out(
      rows.map(({ name, source }, i) => `${name.padEnd(width)}  ${texts[i]!.padEnd(wide)}  ${source}\n`).join(''),
    );
  }
  return EXIT.ok;
}

/** The default is in the documents; anything else may be a password. */
function hidden(value: unknown, source: string): unknown {
  return source === 'default' || value === '' ? value : '(hidden)';
}

function textOf(value: unknown): string {
  return Array.isArray(value) ? value.join(',') : String(value);
}
