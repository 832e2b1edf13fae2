import { ConfigModule } from '@nestjs/config';
import { loadSettings } from '../common/load-settings.js';
import type { Settings } from '../common/settings.js';

/** From the environment and `.env`, the environment first. Rejects with `SettingsError`. */
export async function readSettings(): Promise<Settings> {
  let settings: Settings | undefined;
  await ConfigModule.forRoot({
    // Merged here: an empty variable is one that was not given, and does not hide what the file says.
    validatePredefined: false,
    validate: (file) => {
      const given = Object.entries(process.env).filter(([, value]) => value?.trim() !== '');
      settings = loadSettings({ ...file, ...Object.fromEntries(given) });
      // Nobody else reads the environment, so nothing needs to be written back to it.
      return {};
    },
  });
  if (settings === undefined) throw new Error('the configuration was not validated');
  return settings;
}
