import { Module, type OnModuleInit } from '@nestjs/common';
import { Backplane } from '../backplane/backplane.js';
import { Logger } from '../common/logger.js';
import { BanRepository } from './ban.repository.js';
import { Bans } from './bans.js';

@Module({
  providers: [
    {
      provide: Bans,
      inject: [BanRepository, Backplane, Logger],
      useFactory: (repository: BanRepository, backplane: Backplane, logger: Logger) =>
        new Bans(repository, backplane, logger),
    },
  ],
  exports: [Bans],
})
export class BansModule implements OnModuleInit {
  constructor(
    private readonly bans: Bans,
    private readonly logger: Logger,
  ) {}

  /** Before anybody can come in. A store that went away since it was opened is asked again by the schedule. */
  async onModuleInit(): Promise<void> {
    await this.bans.check().catch((error: unknown) => this.logger.error('bans not read', error));
  }
}
