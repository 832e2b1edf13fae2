import { Registry } from 'prom-client';
import type { Metrics } from '../common/metrics.js';
import { within } from '../common/within.js';
import type { Ledger } from '../queue/queue.repository.js';
import type { ConnectionCensus } from '../relay/connections.js';
import type { MetricsText } from './metrics.server.js';
import { exposeDurations, exposeGauge, exposeProcess, exposeTally } from './prometheus.js';

/** What is asked for when somebody scrapes. */
export interface Readings {
  readonly version: string;
  readonly census: () => ConnectionCensus;
  readonly isDraining: () => boolean;
  readonly ledger: () => Promise<Ledger>;
}

/** A store that does not answer must not keep the rest from being read. */
const LEDGER_WITHIN_MS = 1_000;

/** Every metric by its name. No label grows with users: addresses, devices and ids never stand in one. */
export class MetricsService implements MetricsText {
  readonly registry = new Registry();

  constructor(metrics: Metrics, readings: Readings) {
    exposeProcess(this.registry, 'worker');
    this.exposeConnections(metrics, readings);
    this.exposeMessages(metrics);
    this.exposeStore(metrics, readings);
    this.exposeLedgerChecks(metrics);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** For a primary, which makes one text of what all workers say. */
  json(): Promise<object[]> {
    return this.registry.getMetricsAsJSON();
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }

  private exposeConnections(metrics: Metrics, { version, census, isDraining }: Readings): void {
    const { registry } = this;
    exposeGauge(
      registry,
      { name: 'relay_build_info', help: 'Always 1; the version is the label', aggregator: 'first' },
      'version',
      () => ({ [version]: 1 }),
    );
    exposeGauge(
      registry,
      { name: 'relay_draining', help: '1 while this node sends its clients away', aggregator: 'max' },
      null,
      () => ({ draining: isDraining() ? 1 : 0 }),
    );
    exposeGauge(
      registry,
      { name: 'relay_connections', help: 'WebSockets open now, by protocol; pending: not signed in' },
      'protocol',
      () => ({ ...census().byProtocol }),
    );
    exposeGauge(
      registry,
      { name: 'relay_slow_connections', help: 'Connections that are sent nothing more until they read or acknowledge' },
      null,
      () => ({ slow: census().slow }),
    );
    exposeGauge(
      registry,
      { name: 'relay_unacknowledged_entries', help: 'Entries sent to clients and not acknowledged yet' },
      null,
      () => ({ entries: census().unacknowledged }),
    );
    exposeGauge(
      registry,
      {
        name: 'relay_acknowledgement_lag_seconds',
        help: 'The longest that a connection has acknowledged nothing of what it was sent',
        aggregator: 'max',
      },
      null,
      () => ({ lag: census().lagMs / 1000 }),
    );
    exposeTally(
      registry,
      { name: 'relay_connections_opened_total', help: 'WebSockets opened' },
      metrics.connectionsOpened,
    );
    exposeTally(
      registry,
      { name: 'relay_connections_ended_total', help: 'WebSockets that ended, by close code' },
      metrics.connectionsEnded,
      'code',
    );
    exposeTally(
      registry,
      { name: 'relay_upgrades_refused_total', help: 'WebSocket upgrades refused, by HTTP status' },
      metrics.upgradesRefused,
      'status',
    );
    exposeTally(
      registry,
      {
        name: 'relay_sign_ins_total',
        help: 'Sign-ins by outcome: believed, proven, resumed, or the code of the refusal',
      },
      metrics.signIns,
      'outcome',
    );
    exposeTally(
      registry,
      { name: 'relay_limited_total', help: 'Refusals by a limit, by which' },
      metrics.limited,
      'limit',
    );
  }

  private exposeMessages(metrics: Metrics): void {
    const { registry } = this;
    exposeTally(
      registry,
      { name: 'relay_sends_total', help: 'Sends by outcome: stored, repeat, ephemeral, or the code of the refusal' },
      metrics.sends,
      'outcome',
    );
    exposeTally(
      registry,
      { name: 'relay_receipts_total', help: 'Receipts for senders: sent to who is connected, or stored' },
      metrics.receipts,
      'way',
    );
    exposeTally(
      registry,
      {
        name: 'relay_mailbox_nearly_full_total',
        help: 'Messages stored in mailboxes with four fifths or more of what may wait there',
      },
      metrics.nearlyFull,
    );
    exposeDurations(
      registry,
      { name: 'relay_accept_seconds', help: 'From a decoded send to the answer of the store' },
      metrics.accepting,
    );
    exposeDurations(
      registry,
      { name: 'relay_delivery_seconds', help: 'From when a mailbox took a message to its first acknowledgement' },
      metrics.delivering,
    );
  }

  private exposeStore(metrics: Metrics, { ledger }: Readings): void {
    const { registry } = this;
    let known: Promise<Ledger> | null = null;
    // One reading for the gauges of one scrape.
    const once = (): Promise<Ledger> => {
      known ??= within(ledger(), LEDGER_WITHIN_MS).finally(() => setImmediate(() => (known = null)));
      return known;
    };
    exposeGauge(
      registry,
      {
        name: 'relay_ledger_messages',
        help: 'accepted = acknowledged + expired + dropped + pending, of the whole store',
        aggregator: 'first',
      },
      'state',
      () =>
        once().then(
          ({ accepted, acknowledged, expired, dropped, pending }) => ({
            accepted,
            acknowledged,
            expired,
            dropped,
            pending,
          }),
          () => ({}),
        ),
    );
    exposeGauge(
      registry,
      {
        name: 'relay_mailboxes_with_mail',
        help: 'Mailboxes in which a message waits, of the whole store',
        aggregator: 'first',
      },
      null,
      () =>
        once().then(
          ({ mailboxes }) => ({ mailboxes }),
          () => ({}),
        ),
    );
    exposeGauge(
      registry,
      { name: 'relay_store_up', help: '1 if the store answered this scrape within a second', aggregator: 'min' },
      null,
      () =>
        once().then(
          () => ({ up: 1 }),
          () => ({ up: 0 }),
        ),
    );
    exposeTally(
      registry,
      {
        name: 'relay_redis_calls_total',
        help: 'Calls to Redis by outcome: a command, or a script however many messages it is for; refused: surely not done, also where it was not sent, unknown: no answer',
      },
      metrics.storeCalls,
      'outcome',
    );
    exposeDurations(
      registry,
      { name: 'relay_redis_round_trip_seconds', help: 'From a call to the answer of Redis, of those that were done' },
      metrics.storeRoundTrips,
    );
    exposeTally(registry, { name: 'relay_jobs_failed_total', help: 'Scheduled jobs that failed' }, metrics.jobsFailed);
  }

  private exposeLedgerChecks(metrics: Metrics): void {
    const { registry } = this;
    exposeGauge(
      registry,
      {
        name: 'relay_ledger_imbalance_messages',
        help: 'By how many messages ledger and mailboxes differ, by the last look at each part; one node of all looks',
        aggregator: 'max',
      },
      null,
      () => ({ messages: metrics.ledgerImbalance }),
    );
    exposeTally(
      registry,
      {
        name: 'relay_ledger_checks_total',
        help: 'Parts of the store (1024 with Redis) whose ledger this node compared with its mailboxes, or that had too many',
      },
      metrics.ledgerChecks,
      'outcome',
    );
  }
}
