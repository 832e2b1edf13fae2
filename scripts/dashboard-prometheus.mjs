// A Prometheus with deploy/monitoring's rules, and what it answers to the expressions of a dashboard.
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath, URL, URLSearchParams } from 'node:url';
import { start, temporary } from '../test/drill/child.mjs';

/**
 * @typedef {{ expr: string, legendFormat: string }} Target
 * @typedef {{ color: string, value: number | null }} Threshold
 * @typedef {{ unit: string, thresholds?: { steps: readonly Threshold[] }, mappings?: readonly { options: Record<string, { text: string }> }[],
 *   custom?: { fillOpacity: number, lineWidth: number, stacking?: { mode: string } } }} Defaults
 * @typedef {{ title: string, type: string, description?: string, gridPos: { x: number, y: number, w: number, h: number }, targets?: Target[],
 *   fieldConfig?: { defaults: Defaults } }} Panel
 * @typedef {{ title: string, panels: readonly Panel[], templating: { list: readonly { type: string, label: string, current: { text?: string } }[] } }} Dashboard
 * @typedef {{ metric: Record<string, string>, values: [number, string][] }} Found
 * @typedef {{ name: string, points: readonly (readonly [number, number])[] }} Series  points: seconds since 1970, value
 * @typedef {{ panel: Panel, series: readonly Series[], refused: readonly string[], empty: readonly string[] }} Reading  refused, empty: expressions
 * @typedef {{ from: number, to: number, step: number }} Range  in seconds
 */

const SCRAPE_SECONDS = 2;
const READY_WITHIN_MS = 30_000;
const RULES = fileURLToPath(new URL('../deploy/monitoring/rules/*.yml', import.meta.url));

export class Prometheus {
  /** @type {import('node:child_process').ChildProcess | null} */
  #child = null;

  /** @param {number} port */
  constructor(port) {
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Returns once every node has answered it. @param {Readonly<Record<string, string>>} targets host and port of each node, by its name */
  async start(targets) {
    const folder = temporary(mkdtempSync(join(tmpdir(), 'relay-prometheus-')));
    writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(configurationFor(targets)));
    const child = start(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${new URL(this.url).host}`,
        '--log.level=warn',
      ],
      { PATH: process.env.PATH },
    );
    this.#child = child;
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
    child.on('error', (error) => (output += error.message));
    const deadline = Date.now() + READY_WITHIN_MS;
    while (!(await this.#knows(Object.keys(targets).length))) {
      if (Date.now() > deadline || child.exitCode !== null || child.pid === undefined)
        throw new Error(`Prometheus did not start: ${output}`);
      await pause(100);
    }
  }

  async stop() {
    if (this.#child?.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }

  /** What a panel shows in this time. @type {(panel: Panel, range: Range) => Promise<Reading>} */
  async read(panel, range) {
    /** @type {Series[]} */
    const series = [];
    const refused = [];
    const empty = [];
    for (const target of panel.targets ?? []) {
      /** @type {{ status: string, error?: string, data?: { result: Found[] } }} */
      const answer = await this.#ask('query_range', {
        query: filledIn(target.expr, range.step),
        start: String(range.from),
        end: String(range.to),
        step: String(range.step),
      });
      const found = seriesOf(answer.data?.result ?? [], target);
      if (answer.status !== 'success') refused.push(`${target.expr}: ${answer.error}`);
      else if (found.length === 0) empty.push(target.expr);
      series.push(...found);
    }
    return { panel, series, refused, empty };
  }

  /** Rules that could not be evaluated, with why. */
  async ruleProblems() {
    /** @type {{ data: { groups: { rules: { name: string, health: string, lastError?: string }[] }[] } }} */
    const { data } = await this.#ask('rules', {});
    const rules = data.groups.flatMap((group) => group.rules);
    if (rules.length === 0) return ['no rules were read'];
    return rules
      .filter(({ health }) => health !== 'ok')
      .map(({ name, health, lastError }) => `the rule ${name} is ${health}: ${lastError ?? ''}`);
  }

  /** Whether so many nodes have answered it. @param {number} nodes */
  async #knows(nodes) {
    /** @type {{ data?: { result: { value: [number, string] }[] } } | null} */
    const answer = await this.#ask('query', { query: 'sum(up{job="relay"})' }).catch(() => null);
    return answer?.data?.result[0]?.value[1] === String(nodes);
  }

  /** @type {(what: string, query: Record<string, string>) => Promise<any>} */
  async #ask(what, query) {
    const answer = await fetch(`${this.url}/api/v1/${what}?${new URLSearchParams(query).toString()}`);
    return answer.json();
  }
}

/** @param {Readonly<Record<string, string>>} targets */
function configurationFor(targets) {
  const seconds = `${SCRAPE_SECONDS}s`;
  return {
    global: { scrape_interval: seconds, scrape_timeout: seconds, evaluation_interval: seconds },
    rule_files: [RULES],
    scrape_configs: [
      {
        job_name: 'relay',
        static_configs: Object.entries(targets).map(([instance, target]) => ({
          targets: [target],
          labels: { instance },
        })),
      },
    ],
  };
}

/** As Grafana does with all nodes chosen. @param {string} expression @param {number} stepSeconds */
function filledIn(expression, stepSeconds) {
  const rateSeconds = Math.max(4 * SCRAPE_SECONDS, stepSeconds + SCRAPE_SECONDS);
  return expression.replaceAll('$instance', '.*').replaceAll('$__rate_interval', `${rateSeconds}s`);
}

/** @type {(result: readonly Found[], target: Target) => Series[]} */
function seriesOf(result, { legendFormat, expr }) {
  return result
    .map(({ metric, values }) => ({
      name:
        legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, /** @type {string} */ label) => metric[label] ?? '') || expr,
      points: values
        .map(([time, value]) => /** @type {const} */ ([time, Number(value)]))
        .filter(([, v]) => isFinite(v)),
    }))
    .filter(({ points }) => points.length > 0);
}
