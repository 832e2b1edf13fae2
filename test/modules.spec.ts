import type { Address } from '@relay/protocol';
import { Test } from '@nestjs/testing';
import { PassThrough } from 'node:stream';
import { AppModule } from '../src/app/app.module.js';
import { loadSettings } from '../src/common/load-settings.js';
import { Logger } from '../src/common/logger.js';
import { KeyRepository } from '../src/keys/key.repository.js';
import { MemoryKeyRepository } from '../src/keys/key.repository.memory.js';
import { KeysController } from '../src/keys/keys.controller.js';
import { ManualClock } from './support/manual-clock.js';

const ALICE = `0x${'a'.repeat(40)}` as Address;

describe('the modules', () => {
  it('take any implementation of a port in place of the one that the settings choose', async () => {
    const clock = new ManualClock();
    const keys = new MemoryKeyRepository(clock);
    await keys.put(ALICE, 'from elsewhere');
    const settings = loadSettings({});
    const logger = Logger.create({ level: 'silent', json: true, destination: new PassThrough() });
    const module = await Test.createTestingModule({ imports: [AppModule.with({ settings, clock, logger })] })
      .overrideProvider(KeyRepository)
      .useValue(keys)
      .compile();
    expect(await module.get(KeysController, { strict: false }).get(ALICE)).toMatchObject({
      publicKey: 'from elsewhere',
    });
    await module.close();
  });
});
