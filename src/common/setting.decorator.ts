import { Expose, Transform } from 'class-transformer';

/** One row of the settings table: what documents, `.env.example` and error messages are made from. */
export interface SettingRow {
  /** The environment variable. */
  readonly name: string;
  readonly property: string;
  readonly unit: string;
  /** As it would be written in the environment; empty for none. */
  readonly fallback: string;
  /** Where it is another one with NODE_ENV=production. */
  readonly productionFallback?: string;
  readonly meaning: string;
  /** What a value must be, to complete "NAME must be …". */
  readonly must: string;
  /** It may hold a password: it is never shown, and `NAME_FILE` may name a file that holds it. */
  readonly isSecret?: boolean;
}

type Parse = (text: string) => unknown;

const rows: SettingRow[] = [];

/** Every setting, in the order in which `Settings` declares them. */
export const SETTING_ROWS: readonly SettingRow[] = rows;

/** Declares the environment variable behind a property of `Settings`. A text that `parse` cannot read stays as it is, and fails validation. */
export function Setting(row: Omit<SettingRow, 'property'>, parse: Parse = (text) => text): PropertyDecorator {
  return (target, property) => {
    rows.push({ ...row, property: String(property) });
    Expose({ name: row.name })(target, property);
    Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? parse(value) : value))(target, property);
  };
}

/** Strict: `Number('')` is 0 and `Number('0x10')` is 16, and neither is what anybody meant. */
export const asNumber: Parse = (text) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);

/** Anything but the two words stays a text, which is no boolean. */
export const asBoolean: Parse = (text) => (text === 'true' ? true : text === 'false' ? false : text);

export const asList: Parse = (text) => text.split(',').map((item) => item.trim());
