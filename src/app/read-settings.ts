import { ConfigModule } from '@nestjs/config';
import { loadSettings, type SettingSource, sourcesOf } from '../common/load-settings.js';
import type { Settings } from '../common/settings.js';

export interface SettingsWithSources {
  readonly settings: Settings;
  /** By name of the setting. */
  readonly sources: ReadonlyMap<string, SettingSource>;
  /** What they were read from. */
  readonly environment: Readonly<Record<string, string>>;
}

/** From the environment and `.env`, the environment first. Rejects with `SettingsError`. */
export async function readSettings(): Promise<Settings> {
  return (await readSettingsWithSources()).settings;
}

export async function readSettingsWithSources(): Promise<SettingsWithSources> {
  let read: SettingsWithSources | undefined;
  await ConfigModule.forRoot({
    // Merged here: an empty variable is one that was not given, and does not hide what the file says.
    validatePredefined: false,
    validate: (file) => {
      const given = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value?.trim() !== ''));
      const environment = { ...file, ...given } as Record<string, string>;
      read = { settings: loadSettings(environment), sources: sourcesOf(given, file), environment };
      // Nobody else reads the environment, so nothing needs to be written back to it.
      return {};
    },
  });
  if (read === undefined) throw new Error('the configuration was not validated');
  return read;
}
