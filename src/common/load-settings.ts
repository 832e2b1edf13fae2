import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { SETTING_ROWS } from './setting.decorator.js';
import { Settings } from './settings.js';

/** Refuses a start. `problems` names every wrong setting, one line each. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';

  constructor(readonly problems: readonly string[]) {
    super(`Settings refused:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

export type Environment = Readonly<Record<string, unknown>>;

/** The only reader of the environment. Throws `SettingsError` with every mistake at once. */
export function loadSettings(environment: Environment): Settings {
  const given = Object.fromEntries(
    SETTING_ROWS.map(({ name, fallback }) => [name, valueOf(environment, name, fallback)]),
  );
  const settings = plainToInstance(Settings, given, { excludeExtraneousValues: true, exposeDefaultValues: true });
  const wrong = new Set(validateSync(settings, { forbidUnknownValues: false }).map(({ property }) => property));
  const problems = [
    ...misspelled(environment),
    ...invalid(wrong, given),
    ...contradictions(settings, wrong, environment),
  ];
  if (problems.length > 0) throw new SettingsError(problems);
  return Object.freeze(settings);
}

/** An empty value is one that was not given: compose files and unit files leave them behind. */
function valueOf(environment: Environment, name: string, fallback: string): string {
  const value = environment[name];
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : fallback;
}

function invalid(wrong: ReadonlySet<string>, given: Record<string, string>): string[] {
  return SETTING_ROWS.filter(({ property }) => wrong.has(property)).map(
    ({ name, must }) => `${name} must be ${must} (it is ${JSON.stringify(given[name])})`,
  );
}

function contradictions(settings: Settings, wrong: ReadonlySet<string>, environment: Environment): string[] {
  const problems: string[] = [];
  const areBytes = !wrong.has('maxQueueBytes') && !wrong.has('maxFrameBytes');
  if (areBytes && settings.maxQueueBytes < settings.maxFrameBytes) {
    problems.push(
      `MAX_QUEUE_BYTES (${settings.maxQueueBytes}) must be at least MAX_FRAME_BYTES (${settings.maxFrameBytes})`,
    );
  }
  if (settings.environment === 'production' && valueOf(environment, 'AUTH_MODE', '') === '') {
    problems.push(
      'AUTH_MODE must be set in production: this version believes the address that a client claims (AUTH_MODE=open)',
    );
  }
  return problems;
}

/** Names that nobody reads but that look like one of ours: a typing mistake would otherwise pass in silence. */
function misspelled(environment: Environment): string[] {
  const known = SETTING_ROWS.map(({ name }) => name);
  return Object.keys(environment)
    .filter((name) => !known.includes(name))
    .flatMap((name) => {
      const meant = known.find((candidate) => resembles(name.toUpperCase(), candidate));
      return meant === undefined ? [] : [`${name} is not a setting; did you mean ${meant}?`];
    });
}

function resembles(name: string, known: string): boolean {
  // Short names are a letter or two away from half the variables of any shell (HOST from HOME).
  const tolerance = known.length >= 8 ? 2 : known.length >= 5 ? 1 : 0;
  return Math.abs(name.length - known.length) <= tolerance && distance(name, known) <= tolerance;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, substitution));
    }
    row = next;
  }
  return row[b.length]!;
}
