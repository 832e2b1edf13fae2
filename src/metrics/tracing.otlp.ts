import type { Attributes, Context, SpanKind, Tracer } from '@opentelemetry/api';
import { setTimeout } from 'node:timers/promises';
import type { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import type { Logger } from '../common/logger.js';
import { EXIT_CONFIGURATION, StartError } from '../common/start-error.js';
import { type Finished, NoTracing, Tracing } from '../common/tracing.js';

export interface TracingOptions {
  /** Where an OTLP/HTTP receiver is, without `/v1/traces`; `''`: nothing is traced. */
  readonly endpoint: string;
  readonly version: string;
}

/** Of a sampled flag: 00-<trace, 32 digits>-<span, 16>-01. */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const QUEUED_SPANS = 2_048;
const SEND_EVERY_MS = 2_000;
const SEND_WITHIN_MS = 5_000;
const LAST_CALL_MS = 2_000;

/** The packages are optional and loaded only where something is traced: a relay that is not asked to starts without them. */
export async function openTracing({ endpoint, version }: TracingOptions, logger: Logger): Promise<Tracing> {
  if (endpoint === '') return new NoTracing();
  const { api, sdk, resources, otlp } = await load();
  const url = `${endpoint.replace(/\/$/, '')}/v1/traces`;
  const exporter = new otlp.OTLPTraceExporter({ url, timeoutMillis: SEND_WITHIN_MS });
  const sending = {
    maxQueueSize: QUEUED_SPANS,
    scheduledDelayMillis: SEND_EVERY_MS,
    exportTimeoutMillis: SEND_WITHIN_MS,
  };
  const provider = new sdk.BasicTracerProvider({
    resource: resources.resourceFromAttributes({ 'service.name': 'relay', 'service.version': version }),
    spanProcessors: [new sdk.BatchSpanProcessor(exporter, sending)],
  });
  logger.info('tracing', { url: new URL(url).origin });
  return new OtlpTracing(provider, api);
}

async function load() {
  try {
    const [api, sdk, resources, otlp] = await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace-base'),
      import('@opentelemetry/resources'),
      import('@opentelemetry/exporter-trace-otlp-http'),
    ]);
    return { api, sdk, resources, otlp };
  } catch {
    const packages = '@opentelemetry/{api,sdk-trace-base,resources,exporter-trace-otlp-http}';
    throw new StartError(EXIT_CONFIGURATION, [
      `OTEL_EXPORTER_OTLP_ENDPOINT is set, and ${packages} are not installed: npm install --include=optional`,
    ]);
  }
}

type Api = Awaited<ReturnType<typeof load>>['api'];

class OtlpTracing extends Tracing {
  override readonly isOn = true;
  private readonly tracer: Tracer;
  private readonly kinds: Readonly<Record<Finished['kind'], SpanKind>>;

  constructor(
    private readonly provider: BasicTracerProvider,
    private readonly api: Api,
  ) {
    super();
    this.tracer = provider.getTracer('relay');
    this.kinds = { server: api.SpanKind.SERVER, client: api.SpanKind.CLIENT };
  }

  override record({ name, kind, tookMs, fields, isFailed, parent }: Finished): void {
    const { api } = this;
    const endTime = Date.now();
    const attributes: Attributes = { ...fields };
    const options = { kind: this.kinds[kind], startTime: endTime - tookMs, attributes };
    const span = this.tracer.startSpan(name, options, this.contextOf(parent));
    if (isFailed) span.setStatus({ code: api.SpanStatusCode.ERROR });
    span.end(endTime);
  }

  /** Nest calls it last. What has not been sent yet is; a receiver that is away must not keep the process. */
  async onApplicationShutdown(): Promise<void> {
    const sent = this.provider.shutdown().catch(() => undefined);
    await Promise.race([sent, setTimeout(LAST_CALL_MS, undefined, { ref: false })]);
  }

  private contextOf(parent = ''): Context {
    const { api } = this;
    const [, traceId, spanId, flags] = TRACEPARENT.exec(parent) ?? [];
    if (traceId === undefined || spanId === undefined) return api.ROOT_CONTEXT;
    const traceFlags = Number.parseInt(flags ?? '0', 16) & api.TraceFlags.SAMPLED;
    return api.trace.setSpanContext(api.ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
  }
}
