import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { clean, type LogFields, Logger, NestLogger } from './logger.js';
import type { LogLevel } from './settings.js';

/** Everything that could move a terminal's cursor or end a line. */
const CONTROL = 'a\nb\rc\u001b[31md\u0000e\u007ff\u009b1mg\u2028h\u2029i';
const CLEANED = 'a?b?c?[31md?e?f?1mg?h?i';

function logTo(options: { level?: LogLevel; json?: boolean; worker?: number } = {}) {
  const destination = new PassThrough();
  const logger = Logger.create({ level: 'debug', json: true, ...options, destination });
  const text = (): string => String(destination.read() ?? '');
  const line = (): Record<string, unknown> => JSON.parse(text()) as Record<string, unknown>;
  return { logger, text, line };
}

describe('Logger', () => {
  it('writes one JSON line with level, time, text and fields', () => {
    const { logger, text } = logTo();
    logger.info('relay listening', { url: 'http://127.0.0.1:3002', port: 3002, secure: false });
    const line = text();
    expect(line).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(line)).toEqual({
      level: 30,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      msg: 'relay listening',
      url: 'http://127.0.0.1:3002',
      port: 3002,
      secure: false,
    });
  });

  it('says in each line which of several workers wrote it', () => {
    const { logger, line } = logTo({ worker: 3 });
    logger.error('request failed', new Error('why'));
    expect(line()).toMatchObject({ worker: 3, msg: 'request failed', reason: 'why' });
  });

  it.each([
    ['debug', 4],
    ['info', 3],
    ['warn', 2],
    ['error', 1],
    ['silent', 0],
  ] as const)('at LOG_LEVEL=%s writes %i of debug, info, warn and error', (level, count) => {
    const { logger, text } = logTo({ level });
    logger.debug('line');
    logger.info('line');
    logger.warn('line');
    logger.error('line');
    expect(text().split('\n').filter(Boolean)).toHaveLength(count);
  });

  it.each([
    'content',
    'messageContent',
    'token',
    'sessionToken',
    'TOKEN',
    'signature',
    'secret',
    'password',
    'authorization',
    'cookie',
    'publicKey',
    'key',
    'data',
    'body',
    'payload',
  ])('never writes a field called %s', (name) => {
    for (const level of ['debug', 'info', 'warn'] as const) {
      const { logger, line } = logTo();
      logger[level]('line', { [name]: 'hidden' });
      expect(line()[name]).toBe('[redacted]');
    }
    const { logger, text } = logTo();
    logger.error('line', new Error('broken'), { [name]: 'hidden' });
    expect(text()).not.toContain('hidden');
  });

  it('has names for addresses wherever they stand, and nothing of longer ones', () => {
    const { logger, text } = logTo();
    const address = `0x${'aB'.repeat(20)}`;
    const signature = `0x${'cd'.repeat(65)}`;
    logger.info(`about ${address}`, { address, reason: `relay:st:{5}:${address} ${signature}` });
    logger.error('line', Object.assign(new Error(`no ${address} in ${'x'.repeat(150)} ${address}`), { name: address }));
    new NestLogger(logger).warn(address, address);
    const written = text();
    expect(written).not.toMatch(/0x[0-9a-f]{3}/i);
    const names = written.match(/addr:[0-9a-f]{16}/g) ?? [];
    expect(names.length).toBeGreaterThanOrEqual(6);
    expect(new Set(names).size).toBe(1);
  });

  it('has no half of an address where a text is cut off', () => {
    const { logger, text } = logTo();
    for (let length = 150; length < 1000; length++)
      logger.info('line', { reason: `${'x'.repeat(length)}0x${'a'.repeat(40)}` });
    expect(text()).not.toMatch(/0xa/);
  });

  it('redacts by name whatever the type', () => {
    const { logger, line } = logTo();
    logger.info('line', { token: 12345, key: true });
    expect(line()).toMatchObject({ token: '[redacted]', key: '[redacted]' });
  });

  it('never writes an object: contents, frames and keys are objects or parts of one', () => {
    const { logger, text } = logTo();
    const fields = { frame: { text: 'hidden' }, list: ['hidden'], raw: Buffer.from('hidden'), port: 3002 };
    logger.info('line', fields as unknown as LogFields);
    const line = text();
    expect(line).not.toMatch(/hidden|frame|list|raw/);
    expect(line).toContain('"port":3002');
  });

  it('writes every type that a field may have', () => {
    const { logger, line } = logTo();
    logger.info('line', { text: 'x', count: 0, flag: false, nothing: null, missing: undefined });
    const written = line();
    expect(written).toMatchObject({ text: 'x', count: 0, flag: false, nothing: null });
    expect(written).not.toHaveProperty('missing');
  });

  it('takes control characters and line ends out of fields', () => {
    const { logger, line } = logTo();
    logger.info('line', { reason: CONTROL });
    expect(line().reason).toBe(CLEANED);
  });

  it('cuts a long field', () => {
    const { logger, line } = logTo();
    logger.info('line', { reason: 'x'.repeat(100_000) });
    expect(String(line().reason)).toHaveLength(200);
  });

  it('writes an error by type, text and place', () => {
    const { logger, line } = logTo();
    logger.error('request failed', new TypeError('broken'), { job: 'purge' });
    const written = line();
    expect(written).toMatchObject({
      level: 50,
      msg: 'request failed',
      error: 'TypeError',
      reason: 'broken',
      job: 'purge',
    });
    expect(written.stack).toEqual(expect.arrayContaining([expect.stringContaining('logger.spec')]));
    expect((written.stack as string[]).length).toBeLessThanOrEqual(10);
  });

  it('writes nothing else of an error: libraries hang requests and bodies on theirs', () => {
    const { logger, text } = logTo();
    const cause = new Error('hidden cause');
    const error = Object.assign(new Error('broken', { cause }), { body: 'hidden', config: { headers: 'hidden' } });
    logger.error('request failed', error);
    expect(text()).not.toContain('hidden');
  });

  it('takes control characters out of an error, and cuts it', () => {
    const { logger, line } = logTo();
    logger.error('request failed', new Error(CONTROL + 'x'.repeat(1000)));
    const { reason } = line();
    expect(reason).toBe((CLEANED + 'x'.repeat(1000)).slice(0, 200));
  });

  it('takes only places from a stack, not lines of the text that look like them', () => {
    const { logger, line } = logTo();
    logger.error('request failed', new Error('broken\n    at hidden content of somebody'));
    expect(line().stack).not.toContainEqual(expect.stringContaining('hidden'));
  });

  it.each([undefined, null, 'hidden', { message: 'hidden' }])(
    'writes nothing of the cause %j, which is no error',
    (cause) => {
      const { logger, text } = logTo();
      logger.error('request failed', cause);
      const line = text();
      expect(line).toContain('request failed');
      expect(line).not.toContain('hidden');
    },
  );

  it('redacts for people as it does for programs', async () => {
    const destination = new PassThrough();
    const logger = Logger.create({ level: 'info', json: false, destination });
    logger.warn('line', { token: 'hidden', reason: CONTROL });
    const [chunk] = (await once(destination, 'data')) as [Buffer];
    expect(chunk.toString()).toContain('line');
    expect(chunk.toString()).not.toContain('hidden');
    expect(chunk.toString()).not.toContain('\u009b');
    expect(chunk.toString()).not.toContain('\u001b[31md');
  });
});

describe('clean', () => {
  it('leaves ordinary text of any language alone', () => {
    expect(clean('Grüße, 世界 🔑')).toBe('Grüße, 世界 🔑');
  });

  it('cuts where it is told', () => {
    expect(clean('abcdef', 3)).toBe('abc');
  });
});

describe('NestLogger', () => {
  it.each([
    ['log', 20],
    ['debug', 20],
    ['warn', 40],
    ['error', 50],
  ] as const)('passes %s on at level %i, with its context', (method, level) => {
    const { logger, line } = logTo();
    new NestLogger(logger)[method]('text of nest', 'RoutesResolver');
    expect(line()).toMatchObject({ level, msg: 'text of nest', context: 'RoutesResolver' });
  });

  it('writes an error with its type and place', () => {
    const { logger, line } = logTo();
    new NestLogger(logger).error(new TypeError('broken'), 'stack', 'ExceptionHandler');
    expect(line()).toMatchObject({ msg: 'broken', error: 'TypeError', reason: 'broken', context: 'ExceptionHandler' });
  });

  it('writes no objects, and no control characters', () => {
    const { logger, line } = logTo();
    const nest = new NestLogger(logger);
    nest.warn({ content: 'hidden' });
    expect(line()).toMatchObject({ msg: '' });
    nest.warn(CONTROL);
    expect(line()).toMatchObject({ msg: CLEANED });
  });
});
