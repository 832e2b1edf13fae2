// What `npm run docs` writes and what test/documents.spec.ts compares with: text from the rows of `Settings`.

/** @typedef {Pick<import('../src/common/setting.decorator.js').SettingRow, 'name' | 'unit' | 'fallback' | 'productionFallback' | 'meaning'>} Row */

const START = '<!-- settings:start -->';
const END = '<!-- settings:end -->';

const HEAD = `# Every setting with its default. Written by \`npm run docs\` from src/common/settings.ts: change it there.
# Copy this file to .env and take the # off what you change; what is set in the environment wins over .env.
`;

/**
 * The whole of `.env.example`.
 *
 * @param {readonly Row[]} rows
 */
export function renderEnvExample(rows) {
  const entries = rows.map(
    ({ name, unit, fallback, productionFallback, meaning }) =>
      `# ${meaning}\n# Unit: ${unit}. Default: ${defaultOf(fallback, productionFallback, String)}\n#${name}=${fallback}\n`,
  );
  return [HEAD, ...entries].join('\n');
}

/**
 * The table in Markdown, its columns padded as the formatter would.
 *
 * @param {readonly Row[]} rows
 */
export function renderTable(rows) {
  const cells = [
    ['Name', 'Default', 'Unit', 'Meaning'],
    ...rows.map(({ name, unit, fallback, productionFallback, meaning }) => [
      code(name),
      defaultOf(fallback, productionFallback, code),
      unit,
      meaning,
    ]),
  ].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => width(row[column]))));
  const line = (/** @type {readonly string[]} */ row) =>
    `| ${row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell))).join(' | ')} |`;
  const [head = [], ...body] = cells;
  return [line(head), line(widths.map((length) => '-'.repeat(length))), ...body.map(line)].join('\n');
}

/**
 * The text of README.md with the table between its markers; the rest stays as it is.
 *
 * @param {string} readme
 * @param {readonly Row[]} rows
 */
export function withTable(readme, rows) {
  const start = readme.indexOf(START);
  const end = readme.indexOf(END);
  if (start < 0 || end < start) throw new Error(`README.md must hold ${START} and, after it, ${END}`);
  return `${readme.slice(0, start + START.length)}\n\n${renderTable(rows)}\n\n${readme.slice(end)}`;
}

/**
 * @param {string} fallback
 * @param {string | undefined} inProduction
 * @param {(text: string) => string} show
 */
function defaultOf(fallback, inProduction, show) {
  if (inProduction !== undefined) return `${show(fallback)}, in production ${show(inProduction)}`;
  return fallback === '' ? 'none' : show(fallback);
}

/** @param {string} text */
function code(text) {
  return `\`${text}\``;
}

/** @param {string | undefined} text */
function width(text) {
  return [...(text ?? '')].length;
}
