import { ERRORS } from '@relay/protocol';
import type { Metrics } from '../common/metrics.js';
import type { NodeHistory, NodeRates } from './node.repository.js';

/** Of the history that is kept: two minutes, with a report every 2 s. */
export const SAMPLES = 60;
const RATES_OVER_MS = 60_000;

interface Sample {
  /** Monotonic ms. */
  readonly at: number;
  readonly counts: NodeRates;
  readonly connections: number;
}

/** Makes rates of what `Metrics` counts. */
export class NodeMeter {
  private samples: Sample[] = [];

  constructor(private readonly metrics: Metrics) {}

  /** At regular intervals, beginning with the start of the node. */
  take(at: number, connections: number): void {
    this.samples.push({ at, counts: countsOf(this.metrics), connections });
    if (this.samples.length > SAMPLES + 1) this.samples.shift();
  }

  rates(): NodeRates {
    const last = this.samples.at(-1);
    const first = this.samples.find(({ at }) => at >= (last?.at ?? 0) - RATES_OVER_MS);
    if (last === undefined || first === undefined) return countsOf(null);
    return perSecond(first, last);
  }

  history(): NodeHistory {
    const steps = this.samples.slice(1).map((sample, i) => ({ sample, rates: perSecond(this.samples[i]!, sample) }));
    return {
      stored: steps.map(({ rates }) => rates.stored),
      delivered: steps.map(({ rates }) => rates.delivered),
      connections: steps.map(({ sample }) => sample.connections),
    };
  }
}

function perSecond(first: Sample, last: Sample): NodeRates {
  const seconds = Math.max(0.001, (last.at - first.at) / 1000);
  const rate = (name: keyof NodeRates): number => round((last.counts[name] - first.counts[name]) / seconds);
  return {
    stored: rate('stored'),
    delivered: rate('delivered'),
    refused: rate('refused'),
    opened: rate('opened'),
    signIns: rate('signIns'),
  };
}

const round = (rate: number): number => Math.round(rate * 100) / 100;

function countsOf(metrics: Metrics | null): NodeRates {
  if (metrics === null) return { stored: 0, delivered: 0, refused: 0, opened: 0, signIns: 0 };
  const { stored, ephemeral } = metrics.sends.counts;
  const refusals = Object.entries(metrics.sends.counts).filter(([outcome]) => outcome in ERRORS);
  const { believed, proven, resumed } = metrics.signIns.counts;
  return {
    stored: stored + ephemeral,
    delivered: metrics.delivering.counts.reduce((sum, count) => sum + count, 0),
    refused: refusals.reduce((sum, [, count]) => sum + count, 0),
    opened: metrics.connectionsOpened.counts.opened,
    signIns: believed + proven + resumed,
  };
}
